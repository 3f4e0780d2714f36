"""One-dimensional minibatch descent whose expectations are known without sampling.

The expectation of ``phi`` of the parameter after some steps, as a function of the start, is
carried backwards: a step of training takes a function ``u`` to the mean of ``u(x - eta g_b(x))``
over all batches ``b``; a limit takes it along ``u' = drift u' + (noise^2/2) u''``. Functions are
held by their values at Chebyshev points, where all of this is a matrix.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from helpers import jit
from scipy.linalg import expm

from jaxattn.core.contracts import Data, Example, Problem, Splits
from jaxattn.flow import LIMITS
from jaxattn.flow.run_context import run_context
from jaxattn.problems.data import everything
from jaxattn.training.optimisers import as_optimiser

SLOPES = np.array([1.5, -0.7, 0.4, 1.0, -1.2])
RIDGE = 0.15
EDGE, POINTS = 8.0, 100
END = 2.0

_WAVES = np.cos(np.pi * np.arange(POINTS) / (POINTS - 1))
_WEIGHTS = (-1.0) ** np.arange(POINTS)
_WEIGHTS[[0, -1]] /= 2
X = EDGE * _WAVES
# All parameters that a run from here visits are far from the edges.
INNER = np.abs(X) < 3


def _derivative():
    gaps = X[:, None] - X[None, :] + np.eye(POINTS)
    matrix = _WEIGHTS[None, :] / _WEIGHTS[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    return matrix - np.diag(matrix.sum(axis=1))


D = _derivative()


def read_at(y):
    """``[y, point]``: from values at the Chebyshev points to the interpolant's at `y`."""
    gaps = y[:, None] - X[None, :]
    hits = gaps == 0
    terms = _WEIGHTS[None, :] / np.where(hits, 1.0, gaps)
    terms = np.where(hits.any(axis=1, keepdims=True), hits, terms)
    return terms / terms.sum(axis=1, keepdims=True)


def gradients(theta, slopes=SLOPES):
    """``[example, ...]``: of ``log(1 + e^(-a theta)) + 0.15 theta^2``."""
    slopes = slopes[:, None]
    return -slopes / (1 + np.exp(slopes * theta)) + 2 * RIDGE * theta


def a_step(rate, batches, slopes=SLOPES):
    """What a step of training makes of an expectation, its batch drawn evenly from `batches`."""
    each = gradients(X, slopes)
    return sum(read_at(X - rate * each[list(batch)].mean(axis=0)) for batch in batches) / len(
        batches
    )


def an_epoch(rate, size, slopes=SLOPES):
    """What an epoch makes of an expectation, on average over all orders of the examples."""
    count = len(slopes)
    orders = {
        tuple(tuple(sorted(order[at : at + size])) for at in range(0, count, size))
        for order in permutations(range(count))
    }
    total = np.zeros((POINTS, POINTS))
    for batches in orders:
        theta = X
        for batch in batches:
            theta = theta - rate * gradients(theta, slopes)[list(batch)].mean(axis=0)
        total += read_at(theta)
    return total / len(orders)


def along(drift, variance, end=END):
    """What an equation makes of an expectation in the time `end`."""
    return expm(end * (drift[:, None] * D + variance[:, None] / 2 * (D @ D)))


def logistic(slopes=SLOPES):
    """The problem and its data; the parameter is a scalar.

    Where `Hyper` has a ``switch_time``, the ridge is three times as large from there on.
    """

    def loss(theta, batch, hyper, time, key, state):
        del key
        late = time >= hyper.get("switch_time", jnp.inf)
        ridge = jnp.where(late, 3 * RIDGE, RIDGE)
        each = jnp.logaddexp(0.0, -batch.segments * theta) + ridge * theta**2
        return jnp.sum(batch.weight * each) / jnp.sum(batch.weight), state

    def jumps(hyper):
        return hyper["switch_time"][None] if "switch_time" in hyper else jnp.zeros((0,))

    problem = Problem(
        init=lambda key, hyper: jnp.zeros(()),
        loss=loss,
        measure=lambda *_: {},
        discontinuities=jumps,
        precision="float64",
        name="logistic",
    )
    count = len(slopes)
    examples = Example(
        segments=slopes,
        mask=np.ones((count, 1), bool),
        label=np.zeros(count, np.int32),
        foreground=np.ones((count, 1), bool),
        weight=np.ones(count),
    )
    data = Data(examples)
    return problem, Splits(data, {"train": data})


def coefficients(limit, order, rates, slopes=SLOPES):
    """Drift and squared noise of a limit's equation ``[rate, point]`` at the Chebyshev points."""
    problem, data = logistic(slopes)
    batch = everything(data.learn, "float64")
    zero = jnp.zeros(())

    def at(rate, theta):
        hyper = {"learning_rate": rate}
        context = run_context(problem, as_optimiser("sgd"), hyper, batch, (), order)
        equation = LIMITS[limit].equation(context, theta, zero)
        drift = equation.field(zero, theta)
        if equation.noise is None:
            return drift, zero
        kicks = jax.vmap(lambda dw: equation.noise(zero, theta, dw))(jnp.eye(equation.draws))
        return drift, jnp.sum(kicks**2)

    everywhere = jax.vmap(jax.vmap(at, (None, 0)), (0, None))
    return jax.tree.map(np.asarray, jit(everywhere)(jnp.asarray(rates), jnp.asarray(X)))


def order_of(rates, errors):
    """The power of the rate in the error, by least squares, after a look at it piece by piece."""
    local = np.diff(np.log(errors)) / np.diff(np.log(rates))
    slope = np.polyfit(np.log(rates), np.log(errors), 1)[0]
    # A coefficient that crosses zero fakes a slope: then the pieces disagree.
    assert np.ptp(local) < 0.3, local
    return slope
