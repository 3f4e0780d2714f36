"""The objective and its gradient at a save, found by the code of the steps themselves.

A step and a save each need the loss of examples and its gradient, and compiling that twice is a
third of what a small run costs. So a save is a few turns more of the loop of steps: each takes as
many examples of the set that is measured as a minibatch has, adds up what is found of them, and
leaves the parameters where they are.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from jaxattn.core.contracts import Batch, Data, Example, Problem
from jaxattn.problems.by_length import by_length
from jaxattn.problems.data import size
from jaxattn.problems.large_sets import take_counted

__all__ = ["Judge", "judge_of"]

_MOST_TURNS, _LARGE = 8, 128
"""What minibatches of fewer examples would make more turns of is measured at once, by own code."""


class Judge(NamedTuple):
    """The set that is measured, in turns."""

    turns: int
    batch_at: Callable[[Int[Array, ""]], Example | Batch]
    """``batch_at(turn)``: as many examples as a minibatch has; what fills it up has weight 0."""


def judge_of(
    problem: Problem, drawn: Example | Batch, measured: Data | None, state: PyTree
) -> Judge | None:
    """How the code of minibatches goes through what is measured; None where it cannot.

    It can where the loss of a set is the mean of its examples' by weight, draws nothing and has no
    state of its own.

    Args:
        problem: whose loss it is.
        drawn: shapes of a minibatch.
        measured: None: nothing is.
        state: the loss's own.
    """
    if measured is None or problem.stochastic or not problem.separable or jax.tree.leaves(state):
        return None
    count, batch = size(measured), drawn.weight.shape[0]
    turns = -(-count // batch)
    if turns > _MOST_TURNS and batch < _LARGE:
        return None

    # Minibatches of like lengths are computed no longer than they are, and so is what is measured.
    order = by_length(measured.examples) if problem.lengths else None

    def batch_at(turn: Array) -> Example | Batch:
        rows = turn * batch + jnp.arange(batch, dtype=jnp.int32)
        if order is not None:
            rows = jnp.where(rows < count, order[jnp.minimum(rows, count - 1)], rows)
        return take_counted(measured, rows, problem.precision)

    # Minibatches that are made anew may hold what no set does.
    alike = jax.eval_shape(batch_at, jax.ShapeDtypeStruct((), jnp.int32)) == drawn
    return Judge(turns, batch_at) if alike else None
