"""Training and its limits from one start at many rates: THEORY's test problem, and a toy of two."""

import jax
import jax.numpy as jnp
import numpy as np
from helpers import hyper, jit
from jax.flatten_util import ravel_pytree

from jaxattn.core.contracts import Problem, Splits, Status
from jaxattn.core.streams import streams
from jaxattn.flow import RunContext, make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.tasks import orthogonal_population
from jaxattn.training.saves import AtTimes
from jaxattn.training.train import make_train

TASK = orthogonal_population(3, 5)
SPLITS = Splits(TASK.make(0)["train"], {"train": TASK.make(0)["train"]})

RATES = 1 / np.array([32.0, 64.0, 128.0, 256.0, 512.0])
# Every time is a whole number of steps at every rate.
SAVES = AtTimes(tuple(np.linspace(0, 1, 17).tolist()), 512)
# The smallest error in these tests is about 1e-6; the solver's were seen to be below 1e-9.
TOLERANCES = {"rtol": 1e-10, "atol": 1e-12}


def soft_problem():
    made = attention_problem(TASK, linear(3), "soft", precision="float64")
    return made._replace(measure=lambda *_: {})


def start_of(problem, seed=0):
    """All twelve parameters, standard normal: in general position."""
    flat, unravel = ravel_pytree(problem.init(streams(0).init, hyper()))
    return unravel(jnp.asarray(np.random.default_rng(seed).normal(size=flat.size)))


def toy_problem(loss, jump=None):
    """``loss(focus, classify, time)`` of two scalars or vectors."""

    def whole(params, batch, hyper, time, key, state):
        return loss(params["focus"], params["classify"], time), state

    jumps = np.zeros(0) if jump is None else np.array([jump])
    return Problem(
        init=None,
        loss=whole,
        measure=lambda *_: {},
        discontinuities=lambda hyper: jnp.asarray(jumps),
        precision="float64",
    )


def toy_start(focus, classify):
    return {"shared": {}, "focus": jnp.asarray(focus), "classify": jnp.asarray(classify)}


def constant_context(gradient, focus_rate=1.0, **values):
    """A run under a gradient that is the same everywhere."""
    return RunContext(
        descent_direction=None,
        gradient=lambda time, params: gradient,
        per_example_losses=None,
        per_example_gradients=None,
        measure=None,
        family="",
        scale=lambda tree: tree | {"focus": focus_rate * tree["focus"]},
        hyper=hyper(**values),
        order=Order("fixed", None),
        examples=1,
    )


def stacked(*trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def hypers(rates, **values):
    """One hyper a rate; a value is one for all of them, or one for each."""
    given = {"learning_rate": rates, **values}
    filled = {name: value for name, value in hyper().items() if name not in given}
    return {
        name: jnp.broadcast_to(jnp.asarray(value, "float64"), np.shape(rates))
        for name, value in (filled | given).items()
    }


def training(problem, optimiser, saves=SAVES, starts=None):
    """The compiled training of rows ``(start, hypers)``; `starts` is 0 for a start of each."""
    train = make_train(problem, optimiser, saves, Order("fixed", None), keep_params=True)
    return _rows(train, starts)


def flowing(problem, optimiser, limit, saves=SAVES, starts=None, **given):
    """The same of a limit."""
    options = TOLERANCES | given
    return _rows(
        make_flow(problem, optimiser, saves, keep_params=True, limit=limit, **options), starts
    )


def _rows(function, starts):
    compiled = jit(jax.vmap(function, in_axes=(starts, 0, None, None)))
    return lambda start, hypers: compiled(start, hypers, SPLITS, streams(0))


def gaps(a, b):
    """Largest 2-norm over the saves of the difference, of trajectories ``[rate, save]``."""
    np.testing.assert_allclose(a.time, b.time, rtol=1e-12)
    for one in (a, b):
        assert one.status.tolist() == [Status.DONE] * len(one.status)
    square = sum(
        np.sum(np.asarray(x - y).reshape(*x.shape[:2], -1) ** 2, axis=2)
        for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(b.params), strict=True)
    )
    return np.sqrt(square).max(axis=1)


def order(errors):
    """The slope of log error over log rate, by least squares, and those between neighbours."""
    log_rates, log_errors = np.log(RATES), np.log(errors)
    return np.polyfit(log_rates, log_errors, 1)[0], np.diff(log_errors) / np.diff(log_rates)


def flat(params):
    """Parameters ``[..., row]`` as an array ``[row, number]``."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)
