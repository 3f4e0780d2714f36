"""What training measures on its way: the minibatch just used, after its step."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import (
    CLASSES,
    EPS,
    PRECISION,
    assert_same_bits,
    bags,
    distance,
    hyper,
    jit,
    splits,
    task_of,
)

from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

BAGS, BATCH, RATE, MOMENTUM = 10, 4, 0.1, 0.9
PASS = 3
"""Minibatches of an epoch, the last one of 2 bags."""
SAVES = (0, 1, PASS, 2 * PASS, 11)
DATA = bags(np.random.default_rng(2), BAGS)
PROBLEM = attention_problem(
    task_of(DATA), linear(CLASSES, bias=True, start="uniform"), "lvml", "imposed", PRECISION
)._replace(measure=lambda *_: {})
OPTIMISER = as_optimiser("momentum")
# A dozen steps of numbers of order one, each a few dozen roundings.
TOLERANCE = {"float64": 1e-10, "float32": 1e5 * EPS}[PRECISION]


def loss_of(params, batch, hyper):
    return PROBLEM.loss(params, batch, hyper, jnp.zeros((), PRECISION), None, ())[0]


def batch_metrics(params, batch, hyper, time):
    return {"loss": loss_of(params, batch, hyper), "weighed_time": hyper["alpha"] * time}


LOOK, SLOPE = jit(loss_of), jit(jax.grad(loss_of))


@cache
def trained(batch_metrics, order, saves=SAVES):
    train = make_train(
        PROBLEM, OPTIMISER, saves, order, keep_params=True, batch_metrics=batch_metrics
    )
    start = PROBLEM.init(streams(3).init, hyper())
    return start, jit(train)(start, hyper(momentum=MOMENTUM), splits(DATA), streams(0))


def by_hand(start, batches, saves=SAVES):
    """Means between saves, by a Python loop that steps first and looks afterwards."""
    given, transform = hyper(momentum=MOMENTUM), optax.sgd(RATE, momentum=MOMENTUM)
    update = jit(transform.update)
    params, state, seen, means = start, transform.init(start), [], []
    means.append((np.mean([LOOK(start, batch, given) for batch in batches]), 0.0))
    for step in range(saves[-1]):
        batch = batches[step % len(batches)]
        updates, state = update(SLOPE(params, batch, given), state, params)
        params = optax.apply_updates(params, updates)
        time = (step + 1) * RATE / (1 - MOMENTUM)
        seen.append((LOOK(params, batch, given), 0.5 * time))
        if step + 1 in saves:
            means.append(np.mean(seen, axis=0))
            seen = []
    return np.array(means), params


def cut(size):
    """Minibatches in their own order as a person would cut them: the last one may be short."""
    slices = [slice(at, at + size) for at in range(0, BAGS, size)]
    return [jax.tree.map(lambda leaf, part=part: leaf[part], DATA) for part in slices]


@pytest.mark.parametrize("size", [BATCH, None], ids=["short last", "whole"])
def test_batch_metrics_are_the_mean_between_saves_of_a_loop_by_hand(size):
    start, found = trained(batch_metrics, Order("fixed", size))
    means, last = by_hand(start, cut(size or BAGS))
    seen = np.stack([found.batch_metrics[name] for name in ("loss", "weighed_time")], axis=-1)
    np.testing.assert_allclose(seen, means, rtol=TOLERANCE, atol=TOLERANCE)
    assert distance(jax.tree.map(lambda leaf: leaf[-1], found.params), last) <= TOLERANCE


def test_before_its_step_a_minibatch_would_look_otherwise():
    # The loop by hand could not tell if steps were too small to see.
    _, found = trained(batch_metrics, Order("fixed", BATCH))
    before = found.batch_metrics["loss"][0], found.measures["objective"][0]
    after = found.batch_metrics["loss"][1], found.measures["objective"][1]
    assert abs(before[0] - after[0]) > 1e-3
    assert abs(after[0] - after[1]) > 1e-3


def test_the_short_batch_counts_as_much_as_a_full_one():
    start, found = trained(batch_metrics, Order("fixed", BATCH))
    each = [LOOK(start, batch, hyper(momentum=MOMENTUM)) for batch in cut(BATCH)]
    shares = np.array([4, 4, 2]) / BAGS
    np.testing.assert_allclose(found.batch_metrics["loss"][0], np.mean(each), rtol=100 * EPS)
    assert abs(np.mean(each) - shares @ np.array(each)) > 1e-4


@pytest.mark.parametrize("kind", ["fixed", "with-replacement"])
def test_batch_metrics_change_nothing_of_the_training(kind):
    order = Order(kind, BATCH)
    _, alone = trained(None, order)
    _, watched = trained(batch_metrics, order)
    assert watched.batch_metrics.keys() == {"loss", "weighed_time"}
    assert alone.batch_metrics is None
    assert distance(watched.params, alone.params) <= TOLERANCE
    assert distance(watched.measures, alone.measures) <= TOLERANCE
    assert_same_bits((watched.step, watched.time), (alone.step, alone.time))


def test_without_batch_metrics_training_traces_nothing_of_them():
    order = Order("fixed", BATCH)
    arguments = (
        PROBLEM.init(streams(3).init, hyper()),
        hyper(momentum=0.9),
        splits(DATA),
        streams(0),
    )

    def equations(*further):
        train = make_train(PROBLEM, OPTIMISER, SAVES, order, False, *further)
        return str(jax.make_jaxpr(train)(*arguments))

    assert equations() == equations(None)
    assert len(equations(batch_metrics)) > len(equations())
