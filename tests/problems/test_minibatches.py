from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PRECISION

from jaxattn.core.contracts import Data, Example, InputError
from jaxattn.core.streams import streams
from jaxattn.problems.minibatches import ORDERS, Order, make_batches

COUNT, BATCH, STEPS = 10, 4, 12
PER_EPOCH = 3  # 10 examples in batches of 4: 4 + 4 + 2


def numbered(count: int = COUNT) -> Data:
    """Bags of one segment that holds the number of its bag."""
    return Data(
        Example(
            segments=np.arange(count, dtype=PRECISION).reshape(count, 1, 1),
            mask=np.ones((count, 1), bool),
            label=np.arange(count, dtype=np.int32),
            foreground=np.ones((count, 1), bool),
            weight=np.full(count, 0.5, PRECISION),
        )
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def examples(order: Order, count: int, steps: int, key: jax.Array) -> Example:
    """The batches of all steps, stacked."""
    batch_at = make_batches(order, numbered(count), steps, key, PRECISION)
    return jax.lax.map(batch_at, jnp.arange(steps, dtype=jnp.int32))


def drawn(order: Order, seed: int = 0, count: int = COUNT, steps: int = STEPS) -> list[np.ndarray]:
    """The numbers of the bags of every step that have a weight."""
    batches = examples(order, count, steps, streams(seed).order)
    weights = np.asarray(batches.weight)
    assert weights.shape == (steps, order.examples(count))
    assert np.all(np.isin(weights, [0, 0.5]))
    numbers = np.asarray(batches.segments[..., 0, 0]).astype(int)
    return [row[weight > 0] for row, weight in zip(numbers, weights, strict=True)]


def assert_same(a, b):
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_fixed_takes_the_examples_in_their_own_order_epoch_after_epoch():
    epoch = [np.arange(4), np.arange(4, 8), np.arange(8, 10)]
    assert_same(drawn(Order("fixed", BATCH)), epoch * (STEPS // PER_EPOCH))


@pytest.mark.parametrize("kind", ["shuffled", "shuffled-per-seed"])
def test_shuffled_takes_every_example_once_an_epoch_in_a_new_order(kind):
    batches = drawn(Order(kind, BATCH))
    epochs = [np.concatenate(batches[i : i + PER_EPOCH]) for i in range(0, STEPS, PER_EPOCH)]
    assert [batch.size for batch in batches] == [4, 4, 2] * (STEPS // PER_EPOCH)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(COUNT))
    assert len({tuple(epoch) for epoch in epochs}) == len(epochs)


def test_a_longer_run_begins_as_a_shorter_one():
    order = Order("shuffled", BATCH)
    assert_same(drawn(order, steps=5), drawn(order, steps=STEPS)[:5])


def test_with_replacement_draws_every_example_equally_often_and_independently():
    steps, batch = 60, 50
    batches = np.array(drawn(Order("with-replacement", batch), count=60, steps=steps))
    counts = np.bincount(batches.ravel(), minlength=60)
    # Each count is binomial with mean 50 and deviation 7; five deviations among 60 counts.
    assert np.all(np.abs(counts - 50) < 5 * np.sqrt(50))
    distinct = [np.unique(row).size for row in batches]
    # Of 50 draws from 60, 60 (1 - (59/60)^50) = 34.1 are expected to be distinct, +- 2.6 each.
    assert abs(np.mean(distinct) - 34.1) < 5 * 2.6 / np.sqrt(steps)
    assert len({tuple(row) for row in batches}) == steps


def test_without_replacement_draws_distinct_examples_and_starts_afresh_every_step():
    batches = drawn(Order("without-replacement", BATCH), steps=60)
    assert all(np.unique(batch).size == BATCH for batch in batches)
    counts = np.bincount(np.concatenate(batches), minlength=COUNT)
    # A bag is in a batch with chance 0.4: mean 24, deviation 3.8.
    assert np.all(np.abs(counts - 24) < 5 * 3.8)
    # An epoch would keep neighbouring batches apart; independent ones mostly overlap.
    overlaps = [np.intersect1d(a, b).size for a, b in pairwise(batches)]
    assert np.mean(overlaps) > 1


@pytest.mark.parametrize("kind", ORDERS)
def test_no_batch_size_means_the_whole_set_in_its_own_order(kind):
    assert_same(drawn(Order(kind, None), steps=2), [np.arange(COUNT)] * 2)
    assert Order(kind, None).examples(COUNT) == COUNT


@pytest.mark.parametrize("kind", ["fixed", "shuffled", "without-replacement"])
def test_a_batch_larger_than_the_set_is_the_set(kind):
    for batch in drawn(Order(kind, 256), steps=2):
        np.testing.assert_array_equal(np.sort(batch), np.arange(COUNT))
    assert Order(kind, 256).examples(COUNT) == COUNT


@pytest.mark.parametrize("kind", ORDERS)
def test_equal_keys_draw_equal_batches_and_other_keys_others(kind):
    order = Order(kind, BATCH)
    first, again, other = (drawn(order, seed) for seed in (0, 0, 1))
    assert_same(first, again)
    same = all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert same == (kind == "fixed")


def test_an_order_says_whether_all_seeds_share_it():
    shared = {kind for kind in ORDERS if Order(kind, BATCH).shared}
    assert shared == {"fixed", "shuffled", "by-length"}
    assert all(Order(kind, None).shared for kind in ORDERS)


@pytest.mark.needs_x64
@pytest.mark.parametrize("kind", ["shuffled", "with-replacement", "without-replacement"])
def test_what_is_drawn_does_not_depend_on_the_x64_switch(kind):
    order = Order(kind, BATCH)
    wide = drawn(order)
    with jax.enable_x64(False):
        narrow = make_batches(order, numbered(), STEPS, streams(0).order, "float32")
        found = jax.lax.map(narrow, jnp.arange(STEPS, dtype=jnp.int32))
        numbers = np.asarray(found.label)[np.asarray(found.weight) > 0]
    np.testing.assert_array_equal(numbers, np.concatenate(wide))


def test_padding_keeps_the_type_of_the_examples():
    batch_at = make_batches(Order("fixed", BATCH), numbered(), 3, streams(0).order, "float32")
    batch = batch_at(jnp.asarray(2))
    assert batch.weight.dtype == batch.segments.dtype == jnp.float32
    np.testing.assert_array_equal(batch.weight, [0.5, 0.5, 0, 0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shufled", 4), "got 'shufled', expected one of fixed, shuffled"),
        (("fixed", 0), "got 0, expected at least 1"),
    ],
)
def test_an_impossible_order_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        Order(*arguments)


@pytest.mark.parametrize("kind", ORDERS)
def test_a_piece_of_a_run_sees_the_batches_of_the_whole(kind):
    order, key, length = Order(kind, BATCH), streams(1).order, PER_EPOCH + 1
    whole = examples(order, COUNT, STEPS, key)

    @jax.jit
    def piece(first):
        batch_at = make_batches(order, numbered(), length, key, PRECISION, first)
        return jax.lax.map(batch_at, first + jnp.arange(length, dtype=jnp.int32))

    # From every place in an epoch, also over two of its ends.
    for first in range(STEPS - length + 1):
        expected = jax.tree.map(lambda leaf, at=first: leaf[at : at + length], whole)
        jax.tree.map(np.testing.assert_array_equal, piece(jnp.int32(first)), expected)
