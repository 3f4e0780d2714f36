from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from adam_cases import (
    RATES,
    flowing,
    gaps,
    hypers,
    order,
    soft_problem,
    start_of,
    training,
)

from jaxattn.flow import LIMITS
from jaxattn.training.decays import rmsprop_decay
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

RMSPROP, LIMIT = as_optimiser("rmsprop"), LIMITS["rmsprop"]
SETTINGS = {"tau": 0.5, "decay": 0.9, "epsilon": 1e-8}

UNCORRECTED = replace(
    RMSPROP,
    transform=lambda hyper, rate: optax.rmsprop(
        rate, rmsprop_decay(hyper), hyper["epsilon"], initial_scale=hyper["initial"]
    ),
)


def varied(context, params, origin):
    """The limit; where `initial` is a number, from that mean square and without corrections."""
    equation, initial = LIMIT.equation(context, params, origin), context.hyper["initial"]
    corrected = jnp.isnan(initial)
    square = jax.tree.map(lambda leaf: jnp.where(corrected, leaf, initial), equation.start.square)
    return equation._replace(
        start=equation.start._replace(square=square),
        # Long after the start there is nothing left to correct.
        field=lambda time, state: equation.field(jnp.where(corrected, time, jnp.inf), state),
    )


@pytest.fixture(scope="module")
def problem():
    return soft_problem()


@pytest.fixture(scope="module")
def start(problem):
    return start_of(problem)


@pytest.fixture(scope="module")
def flow(problem):
    return flowing(problem, RMSPROP, LIMIT._replace(equation=varied))


@pytest.mark.slow
def test_rmsprop_follows_its_limit_to_first_order(problem, start, flow):
    train = training(problem, RMSPROP)
    for tau in (0.1, 0.5):
        settings = hypers(RATES, **SETTINGS | {"tau": tau}, initial=np.nan)
        slope, local = order(gaps(train(start, settings), flow(start, settings)))
        # THEORY 6: 0.99.
        assert abs(slope - 0.99) < 0.1
        assert np.all(np.abs(local - 1) < 0.1)


def test_uncorrected_rmsprop_is_of_order_one_from_a_mean_square_above_0_and_a_half_from_0(
    problem, start, flow
):
    train = training(problem, UNCORRECTED)
    # THEORY 6: 1.01 and 1/2. From 0 the first step is of length rate / sqrt(1 - decay), about the
    # root of the rate at a fixed time constant.
    for initial, expected in ((1.0, 1.0), (0.1, 1.0), (0.0, 0.5)):
        settings = hypers(RATES, **SETTINGS, initial=initial)
        slope, local = order(gaps(train(start, settings), flow(start, settings)))
        assert abs(slope - expected) < 0.1
        assert np.all(np.abs(local - expected) < 0.1)
