"""Gradient descent beside its flows: the order in the learning rate of what parts them.

One program serves soft, hard and LVML attention (`flow_cases.ANY`), two seeds, the second with a
faster focus model, and all learning rates, each a row. What runs by default is LVML alone, which
compiles in half the time.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_cases import ANY, CHOICE, Case, assert_order, distances, even_times, halved, settings
from helpers import CLASSES, PRECISION, all_finite, assert_same_bits, bags, splits, task_of

from jaxattn.core.contracts import Status
from jaxattn.models import linear
from jaxattn.models.pair import pair
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

SGD, MOMENTUM = as_optimiser("sgd"), as_optimiser("momentum")
BATCH = bags(np.random.default_rng(4))
# The sharpness stays below 2 along all paths.
RATES = halved(0.125, 5)
FOCUS_RATES = (1.0, 2.0)  # by seed


class _Smooth(nn.Module):
    """A perceptron of tanh units.

    A rectifier's kink, where crossed, is a jump of the gradient at a time that no step ends at: it
    costs an order 1 of its own, and a flow can be caught in one that both sides push towards.
    """

    features: int

    @nn.compact
    def __call__(self, segment):
        hidden = nn.tanh(nn.Dense(4, param_dtype=segment.dtype)(segment))
        return nn.Dense(self.features, param_dtype=segment.dtype)(hidden)


def case(model, paradigm=ANY, end=4.0):
    problem = attention_problem(task_of(BATCH), model, paradigm, precision=PRECISION)
    return Case(problem, splits(BATCH), even_times(end))


LINEAR = case(linear(CLASSES, start="normal"))
LVML = case(linear(CLASSES, start="normal"), "lvml")
SMOOTH = case(pair(_Smooth(1), _Smooth(CLASSES)))


EVERY = tuple(range(len(CHOICE)))


def rows(choices=EVERY, rates=RATES):
    """``(seed, settings)`` of each row."""
    return [
        (seed, {"choice": float(at), "focus_rate": faster, "learning_rate": rate})
        for at in choices
        for seed, faster in enumerate(FOCUS_RATES)
        for rate in rates
    ]


class Paths:
    """A case, trained; and solved by a limit."""

    def __init__(self, case, limit, rows):
        seeds, hypers = zip(*rows, strict=True)
        self.starts, self.hypers = case.starts(seeds), settings(hypers)
        most = round(case.times[-1] / min(row["learning_rate"] for row in hypers))
        self.trained = case.train(SGD, most)(self.starts, self.hypers)
        self.solve = case.solve(SGD, limit)
        self.solved = self.solve(self.starts, self.hypers)

    def assert_order(self, order, within, rates=RATES):
        assert np.all(self.trained.status == Status.DONE)
        assert np.all(self.solved.status == Status.DONE)
        error = distances(self.trained, self.solved).max(axis=-1)
        for found in error.reshape(-1, len(rates)):
            assert_order(rates, found, order, within)


@pytest.mark.default_xla
def test_gradient_descent_follows_its_modified_flow_to_order_2_and_a_row_of_nan_fails_alone():
    paths = Paths(LVML, "modified", rows(choices=(CHOICE.index("lvml"),)))
    paths.assert_order(2, 0.1)
    # The same program: rows are alone with what is wrong with them.
    spoilt, timeless = 3, 7
    starts = jax.tree.map(lambda leaf: leaf.at[spoilt].set(jnp.nan), paths.starts)
    wild = paths.hypers["learning_rate"].at[timeless].set(jnp.nan)
    found = paths.solve(starts, paths.hypers | {"learning_rate": wild})
    for at, status in enumerate(found.status):
        row, good = (jax.tree.map(lambda leaf, at=at: leaf[at], x) for x in (found, paths.solved))
        if at in (spoilt, timeless):
            assert status == Status.SOLVER_FAILED
        else:
            assert all_finite(row)
            assert_same_bits(row, good)


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "order", "within"), [("flow", 1, 0.05), ("modified", 2, 0.1)])
@pytest.mark.parametrize("net", [LINEAR, SMOOTH], ids=["linear", "perceptron of smooth units"])
def test_soft_hard_and_lvml_attention_all_have_the_orders(net, limit, order, within):
    Paths(net, limit, rows()).assert_order(order, within)


@pytest.mark.slow
def test_gradient_descent_follows_its_third_order_flow_to_order_3():
    Paths(LVML, "third-order", rows(choices=(CHOICE.index("lvml"),))).assert_order(3, 0.15)


# The switch is a whole number of steps of every rate, which the clock reaches to the bit.
SWITCH, ADVANCES = 1.5, halved(0.0625, 5)


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "order", "within"), [("flow", 1, 0.05), ("modified", 2, 0.1)])
def test_a_hybrid_that_switches_at_a_step_keeps_the_orders_with_momentum_and_without(
    limit, order, within
):
    hybrid = case(linear(CLASSES, start="normal"), "hybrid")
    # At momentum 1/2 a step is two rates.
    hypers = [
        {"learning_rate": (1 - b) * step, "momentum": b, "switch_time": SWITCH}
        for b in (0.0, 0.5)
        for step in ADVANCES
    ]
    starts = hybrid.starts([0] * len(hypers))
    trained = hybrid.train(MOMENTUM, round(hybrid.times[-1] / ADVANCES[-1]))(
        starts, settings(hypers)
    )
    solved = hybrid.solve(MOMENTUM, limit)(starts, settings(hypers))
    assert np.all(solved.status == Status.DONE)
    assert np.all(trained.status == Status.DONE)
    error = distances(trained, solved).max(axis=-1)
    for found in error.reshape(-1, len(ADVANCES)):
        assert_order(ADVANCES, found, order, within)
