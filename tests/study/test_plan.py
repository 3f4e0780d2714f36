from itertools import product

import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.study.plan import make_plan

RATES, TEMPERATURES, SEEDS = (0.1, 0.2), (0.5, 1.0, 2.0), (3, 0, 7, 2**32 - 1)
AXES = {"learning_rate": RATES, "temperature": TEMPERATURES}


def plan(tile=4, at_once=2, axes=AXES, seeds=SEEDS, constants=None):
    return make_plan(axes, seeds, constants or {"switch_time": 5.0}, tile=tile, at_once=at_once)


def every_row(made):
    return np.arange(made.size)


def identities(made, rows):
    """Each row as the values it has on the axes, which is all that a run may depend on."""
    hypers = made.hypers_of(rows)
    names = sorted(hypers)
    return list(
        zip(made.seed_of(rows).tolist(), *(hypers[name].tolist() for name in names), strict=True)
    )


def test_rows_are_the_product_of_the_axes_with_the_seed_fastest():
    made = plan()
    assert made.shape == (2, 3, 4)
    assert made.size == 24
    expected = [(seed, rate, 5.0, temp) for rate, temp, seed in product(RATES, TEMPERATURES, SEEDS)]
    assert identities(made, every_row(made)) == expected


def test_hyperparameters_and_seeds_have_the_shape_of_the_row_numbers_asked_for():
    made = plan()
    rows = np.array([[0, 5, 23], [-1, 7, 7]])
    assert made.seed_of(rows).shape == rows.shape
    for values in made.hypers_of(rows).values():
        assert values.shape == rows.shape
        assert values.dtype == np.float64
    assert made.seed_of(rows).dtype == np.uint32


def test_padding_repeats_row_zero():
    made = plan()
    rows = np.array([[-1, 0]])
    seeds = made.seed_of(rows)
    assert seeds[0, 0] == seeds[0, 1]
    for values in made.hypers_of(rows).values():
        assert values[0, 0] == values[0, 1]


@pytest.mark.parametrize(("tile", "at_once"), [(1, 2), (4, 2), (5, 1), (7, 4), (16, 2), (4, 16)])
def test_chunks_hold_every_row_once_in_order_and_pad_only_the_last_tile(tile, at_once):
    made = plan(tile, at_once)
    chunks = list(made.chunks())
    assert np.concatenate([chunk.real for chunk in chunks]).tolist() == list(range(24))
    tiles = np.concatenate([chunk.rows for chunk in chunks])
    assert tiles.shape == (-(-24 // tile), tile)
    assert (tiles[:-1] >= 0).all()
    assert np.all(np.diff((tiles[-1] >= 0).astype(int)) <= 0)  # rows first, then padding
    # Two tiles for each device keep all busy; only the last chunk may hold fewer.
    assert [len(chunk.rows) for chunk in chunks[:-1]] == [at_once] * (len(chunks) - 1)
    assert 1 <= len(chunks[-1].rows) <= at_once


def test_a_row_meets_the_same_rows_in_its_tile_however_many_are_started_at_once():
    layouts = [
        np.concatenate([chunk.rows for chunk in plan(4, at_once).chunks()]).tolist()
        for at_once in (1, 2, 4, 8)
    ]
    assert layouts.count(layouts[0]) == 4


def test_extending_an_axis_keeps_every_row_that_was_there():
    before, after = plan(), plan(axes={**AXES, "learning_rate": (0.05, *RATES)}, seeds=(*SEEDS, 9))
    old = set(identities(before, every_row(before)))
    assert old < set(identities(after, every_row(after)))


def test_without_swept_hyperparameters_the_rows_are_the_seeds():
    made = plan(axes={}, seeds=(4, 5))
    assert made.shape == (2,)
    assert made.seed_of(every_row(made)).tolist() == [4, 5]
    assert made.hypers_of(every_row(made))["switch_time"].tolist() == [5.0, 5.0]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"axes": {"temperature": ()}}, "temperature"),
        ({"axes": {"temperature": (1.0, 2.0, 1.0)}}, "temperature"),
        ({"seeds": ()}, "seed"),
        ({"seeds": (1, 2, 1)}, "seed"),
        ({"seeds": (0, -1)}, "seeds"),
        ({"seeds": (2**32,)}, "seeds"),
    ],
)
def test_an_empty_or_repeated_value_and_a_seed_out_of_range_are_refused(asked, words):
    with pytest.raises(InputError, match=words) as refused:
        plan(**asked)
    assert "\n" not in str(refused.value)


def test_dear_points_run_first_with_all_their_seeds_and_every_row_runs_once():
    cost = np.array([1.0, 5.0, 1.0, 2.0, 5.0, 0.5])
    made = make_plan(AXES, SEEDS, {}, tile=4, at_once=2, cost=cost)
    ran = np.concatenate([chunk.real for chunk in made.chunks()])
    points, seeds = np.divmod(ran, len(SEEDS))
    # Equal costs keep the order of the axes, so that a layout is one only.
    assert points.tolist() == np.repeat([1, 4, 3, 0, 2, 5], len(SEEDS)).tolist()
    assert seeds.tolist() == [*range(len(SEEDS))] * len(cost)


def test_points_of_one_cost_run_in_the_order_of_the_axes():
    alike = make_plan(AXES, SEEDS, {}, tile=4, cost=np.full(6, 3.0))
    assert alike.order is None
    assert np.concatenate([c.real for c in alike.chunks()]).tolist() == every_row(alike).tolist()
