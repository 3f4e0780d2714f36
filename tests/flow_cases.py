"""Training beside its continuous limits at several learning rates: errors and their orders."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from helpers import hyper, jit

from jaxattn.batches import Order
from jaxattn.contracts import Hyper, Params, Problem, Splits, Trajectory
from jaxattn.descent import AtTimes, Optimiser, make_train
from jaxattn.flow import Limit, make_flow
from jaxattn.streams import streams

FULL = Order("fixed", None)
RTOL, ATOL = 1e-11, 1e-13


class Case(NamedTuple):
    """A problem to learn from `start`, measured at 17 times, the first of them 0."""

    problem: Problem
    start: Params
    data: Splits
    times: tuple[float, ...]

    def trained(self, optimiser: Optimiser, hypers: Hyper, most: int) -> Trajectory:
        """Full-batch training at each row of `hypers`, of at most so many steps."""
        saves = AtTimes(self.times, most)
        train = make_train(self.quiet, optimiser, saves, FULL, keep_params=True)
        return self._rows(train, hypers)

    def solved(
        self, optimiser: Optimiser, hypers: Hyper, limit: str | Limit, **solver: Any
    ) -> Trajectory:
        """A limit at each row of `hypers`, at the times that training reaches."""
        tolerances = {"rtol": RTOL, "atol": ATOL, **solver}
        # A bound on the steps costs nothing here: no run comes near it.
        saves = AtTimes(self.times, 1 << 20)
        flow = make_flow(
            self.quiet, optimiser, saves, keep_params=True, limit=limit, **tolerances
        )
        return self._rows(flow, hypers)

    @property
    def quiet(self) -> Problem:
        return self.problem._replace(measure=lambda *_: {})

    def _rows(self, run: Any, hypers: Hyper) -> Trajectory:
        one = jax.vmap(lambda hyper: run(self.start, hyper, self.data, streams(0)))
        return jax.tree.map(np.asarray, jit(one)(hypers))


def even_times(end: float) -> tuple[float, ...]:
    """17 times from 0 to `end`, dyadic where it is."""
    return tuple(end / 16 * at for at in range(17))


def at_rates(rates: Sequence[float], **values: float) -> Hyper:
    """One row a learning rate, all with these values."""
    rows = [hyper("float64", learning_rate=rate, **values) for rate in rates]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


def flat(params: Params) -> np.ndarray:
    """``[row, save, entry]``."""
    leaves = jax.tree.leaves(params)
    return np.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in leaves], axis=-1)


def errors(one: Trajectory, other: Trajectory) -> np.ndarray:
    """By row, the largest distance between the parameters over the saves."""
    return np.linalg.norm(flat(one.params) - flat(other.params), axis=-1).max(axis=1)


def order(rates: Sequence[float], errors: np.ndarray) -> tuple[float, np.ndarray]:
    """The slope of a straight line through the logarithms, and the slope of each of its parts."""
    x, y = np.log(rates), np.log(errors)
    return float(np.polyfit(x, y, 1)[0]), np.diff(y) / np.diff(x)
