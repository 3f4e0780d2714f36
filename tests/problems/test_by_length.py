"""Minibatches of bags of like lengths teach what they teach at full length."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, bags, distance, hyper, jit, splits, study_of, task_of

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import InputError
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.by_length import as_short
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order, epoch_rows
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

COUNT, BATCH, EPOCHS = 23, 4, 3
PER_EPOCH = 6  # 23 examples in batches of 4
BUCKETS = Buckets((2, 3, 4), np.arange(COUNT) * 7 % 3)


@pytest.fixture(scope="module")
def epochs():
    rows = epoch_rows(
        Order("by-length", BATCH, buckets=BUCKETS), COUNT, EPOCHS * PER_EPOCH, streams(0).order
    )
    return np.asarray(rows).reshape(EPOCHS, PER_EPOCH, BATCH)


def test_an_epoch_has_every_example_once_and_is_drawn_anew(epochs) -> None:
    for epoch in epochs:
        drawn = np.sort(epoch[epoch >= 0])
        np.testing.assert_array_equal(drawn, np.arange(COUNT))
    assert len({epoch.tobytes() for epoch in epochs}) == EPOCHS


def test_a_minibatch_is_of_one_bucket_or_of_two_where_one_ends(epochs) -> None:
    for epoch in epochs:
        found = [np.unique(BUCKETS.of_train[batch[batch >= 0]]) for batch in epoch]
        assert all(np.ptp(batch) <= 1 for batch in found)
        assert sum(len(batch) - 1 for batch in found) <= len(BUCKETS.lengths) - 1
    # They do not come by length.
    firsts = np.array([[BUCKETS.of_train[batch[0]] for batch in epoch] for epoch in epochs])
    assert (np.diff(firsts, axis=1) < 0).any()


def short_bags(longest=3):
    """Bags of unlike lengths, of which the last one is long and counts nothing."""
    batch = bags(np.random.default_rng(1))
    lengths = 1 + np.arange(len(batch.label)) % longest
    lengths[-1] = batch.mask.shape[1]
    mask = np.arange(batch.mask.shape[1]) < lengths[:, None]
    weight = np.where(np.arange(len(mask)) < len(mask) - 1, 1.0, 0.0).astype(PRECISION)
    return batch._replace(mask=mask, foreground=batch.foreground & mask, weight=weight)


@pytest.mark.parametrize("paradigm", ["soft", "hard"])
def test_bags_cut_to_their_bucket_have_the_loss_and_the_gradient_of_whole_ones(paradigm) -> None:
    batch = short_bags()
    model = linear(3, start="normal")
    problem = attention_problem(task_of(batch), model, paradigm, precision=PRECISION)
    params = problem.init(jax.random.key(0), hyper())
    more = (batch, hyper(), jnp.zeros((), PRECISION), None, ())
    (loss, slope, _), (other, of_cut, _) = (
        jit(gradient_in_pieces(problem, buckets))(params, *more) for buckets in (None, BUCKETS)
    )
    # Sums of a hundred terms of order one, in another order.
    np.testing.assert_allclose(loss, other, rtol=100 * EPS)
    assert distance(slope, of_cut) <= 100 * EPS


@pytest.mark.parametrize(("longest", "seen"), [(1, 2), (2, 2), (3, 3), (4, 4)])
def test_bags_are_seen_no_longer_than_their_bucket(longest, seen) -> None:
    lengths = as_short(lambda params, batch: jnp.int32(batch.mask.shape[1]), BUCKETS.lengths)
    assert lengths(None, jax.tree.map(jnp.asarray, short_bags(longest))) == seen


def test_rows_that_share_a_minibatch_choose_one_body() -> None:
    batch = jax.tree.map(jnp.asarray, short_bags())
    of_row = partial(
        as_short(lambda row, batch: row * jnp.sum(batch.segments), BUCKETS.lengths), batch=batch
    )
    text = str(jax.make_jaxpr(jax.vmap(of_row))(jnp.ones(3)))
    assert "cond[" in text
    assert "select_n" not in text.split("cond[")[1]


def test_training_by_length_is_training_at_full_length_in_the_same_order() -> None:
    batch = short_bags()
    model = linear(3, start="normal")
    problem = attention_problem(task_of(batch), model, "hard", precision=PRECISION)
    params = problem.init(jax.random.key(0), hyper())
    ends = []
    of_train = np.searchsorted((2, 4), batch.mask.sum(1))
    for lengths in ((2, 4), (4, 4)):
        order = Order("by-length", 4, buckets=Buckets(lengths, of_train))
        train = make_train(problem, as_optimiser("sgd"), (0, 9), order)
        ends.append(jit(train)(params, hyper(), splits(batch), streams(0)).measures["objective"])
    # Nine steps of rate 0.1, each of a hundred terms.
    np.testing.assert_allclose(*ends, rtol=1000 * EPS)


def test_bags_in_no_buckets_are_refused() -> None:
    with pytest.raises(InputError, match="by-length and the task 'digits'"):
        study_of("digits", order="by-length").order  # noqa: B018  # to be asked for it is enough
    study = study_of("rationales", order="by-length")
    assert study.order.buckets is study.subject.task.buckets
    assert replace(study.order, buckets=None).shared
