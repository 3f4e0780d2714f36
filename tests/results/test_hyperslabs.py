"""Boxes scatter rows to the places that fancy indexing does, and are few."""

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxattn.results.hyperslabs import blocks, boxes

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


def scattered(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    found = np.full(shape, -1)
    source = np.arange(len(rows)) + 100
    for start, stop, where in blocks(rows, shape):
        # A place that two blocks claimed would be found taken.
        assert (found[where] == -1).all()
        found[where] = source[start:stop].reshape(found[where].shape)
    return found


def indexed(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    found = np.full(prod(shape), -1)
    found[rows] = np.arange(len(rows)) + 100
    return found.reshape(shape)


@given(SHAPES, st.data())
def test_blocks_scatter_any_rows_in_any_order(shape: tuple[int, ...], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(prod(shape))))
    rows = np.asarray(order[: data.draw(st.integers(0, len(order)))], dtype=np.int64)
    np.testing.assert_array_equal(scattered(rows, shape), indexed(rows, shape))


@given(SHAPES, st.data())
def test_consecutive_rows_need_a_corner_at_either_end_of_each_axis_at_most(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, prod(shape) - 1))
    rows = np.arange(first, data.draw(st.integers(first, prod(shape) - 1)) + 1)
    np.testing.assert_array_equal(scattered(rows, shape), indexed(rows, shape))
    assert len(blocks(rows, shape)) <= 2 * len(shape) - 1


@given(SHAPES, st.data())
def test_runs_in_the_order_of_other_axes_are_joined(
    shape: tuple[int, ...], data: st.DataObject
) -> None:
    # Sorted by an axis in the middle, as rows of equal cost are: the seeds stay together.
    axis = data.draw(st.integers(0, len(shape) - 1))
    rows = np.moveaxis(np.arange(prod(shape)).reshape(shape), axis, 0).ravel()
    np.testing.assert_array_equal(scattered(rows, shape), indexed(rows, shape))
    assert len(blocks(rows, shape)) <= shape[axis]


@given(SHAPES, st.randoms(use_true_random=False))
def test_boxes_cover_what_is_true_once(shape: tuple[int, ...], random: object) -> None:
    mask = np.random.default_rng(random.randrange(2**32)).random(shape) < 0.6
    counts = np.zeros(shape, int)
    for where in boxes(mask):
        counts[where] += 1
    np.testing.assert_array_equal(counts, mask)


def test_what_is_whole_is_one_box() -> None:
    assert boxes(np.ones((3, 4, 5), bool)) == [(slice(0, 3), slice(0, 4), slice(0, 5))]
    assert boxes(np.zeros((3, 4), bool)) == []
    lacking = np.ones((3, 4), bool)
    lacking[:, 2:] = False
    assert boxes(~lacking) == [(slice(0, 3), slice(2, 4))]
