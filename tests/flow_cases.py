"""Training beside its continuous limits, row by row, and the order in eta of what parts them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from helpers import hyper, jit

from jaxattn.core.contracts import Hyper, HyperSpec, Paradigm, Params, Problem, Splits, Trajectory
from jaxattn.core.streams import streams
from jaxattn.flow import Limit, make_flow
from jaxattn.problems.minibatches import Order
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import AtTimes
from jaxattn.training.train import make_train

FULL = Order("fixed", None)
# Errors of the solver stay 100 times below the smallest that is measured.
RTOL, ATOL = 1e-11, 1e-13

CHOICE = ("soft", "hard", "lvml")


def _chosen(*args: Any) -> Any:
    losses = [lambda name=name: PARADIGMS[name].loss(*args) for name in CHOICE]
    return jax.lax.switch(args[-1].hyper["choice"].astype(int), losses)


ANY = Paradigm("any", _chosen, hypers=(HyperSpec("choice", 0.0),))
"""The paradigm of `CHOICE` that the hyper ``choice`` counts to: one program serves all three."""


class Case(NamedTuple):
    """A problem and what it is learnt from, measured at `times`."""

    problem: Problem
    data: Splits
    times: tuple[float, ...]

    def train(self, optimiser: Optimiser, most: int) -> Callable[[Params, Hyper], Trajectory]:
        """Full-batch training of at most so many steps, of rows of starts and settings."""
        saves = AtTimes(self.times, most)
        return self._rows(make_train(self.quiet, optimiser, saves, FULL, keep_params=True))

    def solve(
        self, optimiser: Optimiser, limit: str | Limit, **solver: Any
    ) -> Callable[[Params, Hyper], Trajectory]:
        """A limit of the same rows, at the times that training reaches."""
        # No run comes near so many steps: a bound that is not reached changes nothing.
        saves = AtTimes(self.times, 1 << 20)
        given = {"rtol": RTOL, "atol": ATOL, "limit": limit, **solver}
        return self._rows(make_flow(self.quiet, optimiser, saves, keep_params=True, **given))

    def starts(self, seeds: Sequence[int]) -> Params:
        """One row a seed."""
        return stacked(self.problem.init(streams(seed).init, hyper("float64")) for seed in seeds)

    @property
    def quiet(self) -> Problem:
        return self.problem._replace(measure=lambda *_: {})

    def _rows(self, run: Any) -> Callable[[Params, Hyper], Trajectory]:
        compiled = jit(jax.vmap(lambda start, row: run(start, row, self.data, streams(0))))
        return lambda starts, rows: jax.tree.map(np.asarray, compiled(starts, rows))


def stacked(trees: Any) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def repeated(start: Params, rows: int) -> Params:
    return stacked([start] * rows)


def halved(largest: float, count: int, by: float = 2.0) -> np.ndarray:
    """Learning rates, dyadic where the largest is: times are then whole steps of all of them."""
    return largest / by ** np.arange(count)


def even_times(end: float) -> tuple[float, ...]:
    """17 times from 0 to `end`."""
    return tuple(end / 16 * at for at in range(17))


def settings(rows: Sequence[dict[str, float]]) -> Hyper:
    """One row of traced scalars for each of these."""
    return stacked(hyper("float64", **row) for row in rows)


def flat(params: Params) -> np.ndarray:
    """``[row, save, entry]``."""
    leaves = jax.tree.leaves(params)
    return np.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in leaves], axis=-1)


def distances(one: Trajectory, other: Trajectory) -> np.ndarray:
    """``[row, save]``, Euclidean, between the parameters."""
    np.testing.assert_array_equal(one.time, other.time)
    return np.linalg.norm(flat(one.params) - flat(other.params), axis=-1)


def order_of(rates: np.ndarray, errors: np.ndarray) -> tuple[float, np.ndarray]:
    """The slope of a straight line through the logarithms, and of each of its parts."""
    x, y = np.log(rates), np.log(errors)
    return float(np.polyfit(x, y, 1)[0]), np.diff(y) / np.diff(x)


def assert_order(rates: np.ndarray, errors: np.ndarray, order: float, within: float) -> None:
    """The slope is this; and each part of it is nearly so, as one that crosses 0 would not be."""
    slope, local = order_of(rates, errors)
    report = f"slope {slope:.4f}, local {local.round(3)}, errors {errors}"
    assert abs(slope - order) <= within, report
    assert np.all(np.abs(local - order) <= 3 * within), report
    assert abs(local[-1] - order) <= within, report
