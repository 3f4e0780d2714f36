"""The reshuffling flow against the mean over all orders of an epoch."""

from functools import lru_cache

import numpy as np
import pytest
from noise_cases import END, INNER, SLOPES, X, along, an_epoch, coefficients, order_of

from jaxattn.problems.minibatches import Order

pytestmark = pytest.mark.needs_x64

# Examples and batch size: 120 orders of five, and six ways to halve four, twice as many in order.
RUNS = [(5, 1), (4, 2)]
EPOCHS = 2 ** np.arange(5, 10)
FUNCTIONS = np.stack([X, np.sin(X), X**2, np.cos(2 * X)], axis=1)


def rates(count, size):
    return END / (EPOCHS * (count // size))


@lru_cache
def trained(count, size):
    """``[rate, point, function]``: the exact expectations at the end of the last epoch."""
    return np.stack(
        [
            np.linalg.matrix_power(an_epoch(rate, size, SLOPES[:count]), epochs) @ FUNCTIONS
            for rate, epochs in zip(rates(count, size), EPOCHS, strict=True)
        ]
    )


def errors(limit, count, size):
    order = Order("shuffled-per-seed", size)
    fields, nothing = coefficients(limit, order, rates(count, size), SLOPES[:count])
    found = np.stack([along(*row) @ FUNCTIONS for row in zip(fields, nothing, strict=True)])
    return np.abs(found - trained(count, size))[:, INNER].max(axis=(1, 2))


@pytest.mark.parametrize("run", RUNS)
def test_the_mean_over_shuffled_epochs_follows_the_reshuffling_flow_to_order_two(run):
    assert abs(order_of(rates(*run), errors("reshuffling", *run)) - 2) < 0.1


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("limit", ["modified", "flow"])
def test_it_follows_the_other_flows_to_order_one(limit, run):
    assert abs(order_of(rates(*run), errors(limit, *run)) - 1) < 0.1


@pytest.mark.parametrize("run", RUNS)
def test_runs_of_shuffled_epochs_scatter_by_the_rate_to_three_halves(run):
    found = []
    for rate, epochs in zip(rates(*run), EPOCHS, strict=True):
        epoch = an_epoch(rate, run[1], SLOPES[: run[0]])
        mean, square = (np.linalg.matrix_power(epoch, epochs) @ np.stack([X, X**2], axis=1)).T
        found.append(np.max((square - mean**2)[INNER]))
    assert abs(order_of(rates(*run), np.sqrt(found)) - 1.5) < 0.1
