"""Weak orders of the limits of minibatch descent, by exact expectations in one dimension."""

from functools import lru_cache
from itertools import combinations, product

import numpy as np
import pytest
from helpers import slow_but
from noise_cases import END, INNER, SLOPES, X, a_step, along, coefficients, order_of

from jaxattn.problems.minibatches import Order

pytestmark = pytest.mark.needs_x64

STEPS = 2 ** np.arange(4, 9)
# The curvature is below 0.3 + 1.2 / 4: the largest rate is far from its edge of stability.
RATES = END / STEPS
COUNT = len(SLOPES)
# Their largest error is one number for each rate; no error of theirs vanishes by symmetry.
FUNCTIONS = np.stack([np.sin(X), np.tanh(X), X**2, np.cos(2 * X)], axis=1)

KINDS = [("with-replacement", 2), ("without-replacement", 2), ("without-replacement", 3)]
SPREAD = {KINDS[0]: 1 / 2, KINDS[1]: 3 / 8, KINDS[2]: 1 / 6}


def batches(kind, size):
    draw = product(range(COUNT), repeat=size)
    return list(draw if kind == "with-replacement" else combinations(range(COUNT), size))


@lru_cache
def trained(kind, size):
    """``[rate, point, function]``: the exact expectations over training."""
    drawn = batches(kind, size)
    return np.stack(
        [
            np.linalg.matrix_power(a_step(rate, drawn), steps) @ FUNCTIONS
            for rate, steps in zip(RATES, STEPS, strict=True)
        ]
    )


@lru_cache
def equation(kind, size):
    return coefficients("sde", Order(kind, size), RATES)


def errors(kind, size, drift, variance):
    """The largest difference between the expectations of an equation and of training, by rate."""
    found = np.stack([along(*row) @ FUNCTIONS for row in zip(drift, variance, strict=True)])
    return np.abs(found - trained(kind, size))[:, INNER].max(axis=(1, 2))


@pytest.mark.parametrize("run", slow_but(KINDS[1:2], KINDS))
def test_the_stochastic_equation_is_of_weak_order_two(run):
    assert abs(order_of(RATES, errors(*run, *equation(*run))) - 2) < 0.1


@pytest.mark.parametrize("run", slow_but(KINDS[1:2], KINDS))
def test_without_its_noise_it_is_of_order_one(run):
    drift, variance = equation(*run)
    assert abs(order_of(RATES, errors(*run, drift, 0 * variance)) - 1) < 0.1


@pytest.mark.parametrize("run", slow_but(KINDS[1:2], KINDS))
def test_with_the_covariance_of_other_batches_it_is_of_order_one(run):
    drift, variance = equation(*run)
    other = 1 / run[1] if run[0] == "without-replacement" else SPREAD[KINDS[1]]
    wrong = variance * other / SPREAD[run]
    assert abs(order_of(RATES, errors(*run, drift, wrong)) - 1) < 0.1


@pytest.mark.parametrize("run", slow_but(KINDS[1:2], KINDS))
def test_the_variance_is_right_to_a_relative_error_of_the_order_of_the_rate(run):
    drift, variance = equation(*run)
    # Without the term of order eta in the drift it is the first-order equation: as good here.
    first, _ = coefficients("flow", Order(*run), RATES)
    for field in (drift, first):
        assert abs(order_of(RATES, spread_errors(*run, field, variance)) - 1) < 0.1
    # With the covariance of other batches the error is as large as the variance.
    assert abs(order_of(RATES, spread_errors(*run, drift, 2 * variance))) < 0.1


def spread_errors(kind, size, drift, variance):
    drawn, powers = batches(kind, size), np.stack([X, X**2], axis=1)

    def spread(step):
        mean, square = (step @ powers).T
        return (square - mean**2)[INNER]

    found = []
    for rate, steps, *row in zip(RATES, STEPS, drift, variance, strict=True):
        right = spread(np.linalg.matrix_power(a_step(rate, drawn), steps))
        found.append(np.max(np.abs(spread(along(*row)) / right - 1)))
    return np.array(found)
