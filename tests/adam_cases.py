"""Soft attention on the solvable population, from a start in general position, at many rates."""

import jax
import jax.numpy as jnp
import numpy as np
from helpers import hyper, jit
from jax.flatten_util import ravel_pytree

from jaxattn.batches import Order
from jaxattn.contracts import Splits, Status
from jaxattn.descent import AtTimes, make_train
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.problem import attention_problem
from jaxattn.streams import streams
from jaxattn.tasks import orthogonal_population

CLASSES, SEGMENTS = 3, 5
TASK = orthogonal_population(CLASSES, SEGMENTS)
DATA = TASK.make(0)["train"]
SPLITS = Splits(DATA, {"train": DATA})

RATES = 1 / np.array([32.0, 64.0, 128.0, 256.0, 512.0])
END = 1.0
# Every time is a whole number of steps at every rate.
SAVES = AtTimes(tuple(np.linspace(0, END, 17).tolist()), 512)
# The smallest error in these tests is about 1e-6.
TOLERANCES = {"rtol": 1e-10, "atol": 1e-12}


def problem_of(paradigm="soft"):
    made = attention_problem(TASK, linear(CLASSES), paradigm, precision="float64")
    return made._replace(measure=lambda *_: {})


def start_of(problem, seed=0):
    """All twelve parameters, standard normal."""
    flat, unravel = ravel_pytree(problem.init(streams(0).init, hyper()))
    return unravel(jnp.asarray(np.random.default_rng(seed).normal(size=flat.size)))


def hypers(rates, **values):
    """One hyper a rate; a value may be one for all of them, or one for each."""
    rates = np.asarray(rates)
    given = hyper(learning_rate=1.0, **{name: 1.0 for name in values})
    filled = {name: jnp.full(rates.shape, value) for name, value in given.items()}
    chosen = {name: jnp.broadcast_to(value, rates.shape) for name, value in values.items()}
    return filled | chosen | {"learning_rate": jnp.asarray(rates)}


def rows(function, start, hypers, data=SPLITS, axis=None):
    """One compiled call for all rates, from one start (or one each: axis 0)."""
    found = jit(jax.vmap(function, in_axes=(axis, 0, None, None)))(start, hypers, data, streams(0))
    assert found.status.tolist() == [Status.DONE] * len(found.status)
    return found


def trained(problem, optimiser, start, hypers, saves=SAVES, data=SPLITS, axis=None):
    train = make_train(problem, optimiser, saves, Order("fixed", None), keep_params=True)
    return rows(train, start, hypers, data, axis)


def flowed(problem, optimiser, limit, start, hypers, saves=SAVES, data=SPLITS, axis=None, **given):
    options = TOLERANCES | given
    flow = make_flow(problem, optimiser, saves, keep_params=True, limit=limit, **options)
    return rows(flow, start, hypers, data, axis)


def gaps(a, b):
    """Largest 2-norm over the saves of the difference of two trajectories ``[rate, save]``."""
    np.testing.assert_allclose(a.time, b.time, rtol=1e-12)
    square = sum(
        np.sum((np.asarray(x) - np.asarray(y)) ** 2, axis=tuple(range(2, x.ndim)))
        for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True)
    )
    return np.sqrt(square).max(axis=1)


def order(errors, rates=RATES):
    """The slope of log error over log rate, by least squares, and those between neighbours."""
    log_rates, log_errors = np.log(rates), np.log(errors)
    return np.polyfit(log_rates, log_errors, 1)[0], np.diff(log_errors) / np.diff(log_rates)
