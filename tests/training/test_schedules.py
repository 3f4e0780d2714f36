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
    hyper,
    splits,
    task_of,
)

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import Optimiser, as_optimiser
from jaxattn.training.saves import AtTimes, clock_of, length_of
from jaxattn.training.schedules import SCHEDULES, ByShare
from jaxattn.training.train import make_train

OPTAX = {
    "constant": lambda rate, steps: optax.constant_schedule(rate),
    "cosine": optax.cosine_decay_schedule,
    "linear": lambda rate, steps: optax.linear_schedule(rate, 0.0, steps),
    "exponential": lambda rate, steps: optax.exponential_decay(rate, steps, 0.01),
}
DATA = bags(np.random.default_rng(2), 8)
PROBLEM = attention_problem(task_of(DATA), linear(CLASSES), "soft", precision=PRECISION)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_ships_is_that_of_optax_to_the_bit(name):
    given, steps = hyper(learning_rate=0.37), 23

    def by_optax(hyper):
        rates = jax.vmap(OPTAX[name](hyper["learning_rate"], steps))(jnp.arange(steps))
        return jnp.broadcast_to(rates, steps).astype(PRECISION)

    found = jax.jit(lambda hyper: as_optimiser("sgd", name).rates(hyper, steps))(given)
    assert_same_bits(found, jax.jit(by_optax)(given))


@pytest.mark.parametrize("name", SCHEDULES)
def test_runs_at_all_rates_end_at_one_time(name):
    """Up to half of a step, and the next term of Euler and Maclaurin for the one with fewest."""
    optimiser, coarsest, steps = as_optimiser("sgd", name), 0.4, 16
    saves = AtTimes((0.0, coarsest * steps), 400, coarsest)

    @jax.jit
    def end(rate):
        given = {"learning_rate": rate}
        length = length_of(saves, optimiser, given)
        return length, clock_of(saves, optimiser, given)[jnp.asarray(length, int)]

    rates = coarsest / np.array([1, 2, 3, 5, 8, 16])
    lengths, ends = np.array([end(jnp.asarray(rate, PRECISION)) for rate in rates]).T
    assert lengths[0] == steps
    # One step more makes a run longer by its mean rate, and their number is rounded.
    half = 0.5 * ends[0] / lengths
    # By how much the slope of the schedule changes over the run, in units of its share.
    bend = {"exponential": 0.99 * np.log(100)}.get(name, 0.0)
    assert np.all(np.abs(ends - ends[0]) <= half + coarsest * bend / (12 * steps) + 1e-6)


def run(optimiser, saves, **given):
    train = make_train(PROBLEM, optimiser, saves, Order())
    arguments = (PROBLEM.init(streams(0).init, hyper()), hyper(**given), splits(DATA), streams(0))
    return train(*arguments)


@pytest.mark.slow
def test_a_run_that_is_kept_from_its_last_time_is_not_done():
    assert run(as_optimiser("sgd"), AtTimes((0.0, 1.0, 1.6), 16)).status == Status.DONE
    short = run(as_optimiser("sgd"), AtTimes((0.0, 1.0, 100.0), 16))
    assert short.status == Status.INTERRUPTED
    np.testing.assert_allclose(short.time[-1], 1.6, rtol=10 * EPS)


def test_a_function_of_hyper_alone_follows_no_schedule_and_is_refused_beside_one():
    def mine(hyper):
        return optax.sgd(hyper["learning_rate"])

    assert as_optimiser(mine, "constant").schedule is SCHEDULES["constant"]
    with pytest.raises(InputError, match=r"optimiser 'mine': got a schedule .* make it an Optim"):
        as_optimiser(mine, "cosine")


def test_an_optimiser_that_never_asks_for_the_rate_is_refused_beside_a_schedule():
    deaf = Optimiser("deaf", lambda hyper, rate: optax.sgd(hyper["learning_rate"]))
    heard = Optimiser("heard", lambda hyper, rate: optax.sgd(rate))
    assert run(as_optimiser(heard, "cosine"), (0, 4)).status == Status.DONE
    assert run(as_optimiser(deaf, "constant"), (0, 4)).status == Status.DONE
    with pytest.raises(InputError, match=r"optimiser 'deaf': got a schedule, and a transform"):
        run(as_optimiser(deaf, "cosine"), (0, 4))


def test_where_runs_have_steps_of_different_numbers_a_schedule_is_of_shares():
    def over_steps(hyper, steps):
        return optax.piecewise_constant_schedule(hyper["learning_rate"], {4: 0.5})

    times = AtTimes((0.0, 0.8), 8)
    with pytest.raises(InputError, match=r"schedule: got one of your own over steps .*ByShare"):
        run(as_optimiser("sgd", over_steps), times)
    halved = ByShare("halved", lambda step, steps: jnp.where(step < steps / 2, 1.0, 0.5))
    assert run(as_optimiser("sgd", halved), times).status == Status.DONE
