"""Large batches in pieces: what a whole set of examples costs when it does not fit a cache."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import Batch, Data, Example, Hyper, Model, Params, Problem
from jaxattn.core.kept import kept
from jaxattn.problems.by_length import as_short
from jaxattn.problems.data import everything
from jaxattn.problems.large_sets import pieces_of_set, take_counted

__all__ = ["Mean", "cut", "gradient_in_pieces", "in_pieces", "measured_at_once", "piece_of"]

MEASURED = 4
"""Pieces that are measured at once: nothing is left behind for a way back."""


def piece_of(model: Model, segments: int) -> int | None:
    """Examples of so many segments whose gradient is taken at once: a power of two; None: all."""
    if model.in_cache is None:
        return None
    return 1 << (max(1, model.in_cache // segments).bit_length() - 1)


def measured_at_once(model: Model, segments: int) -> int | None:
    """Examples that are measured together: a few pieces on a CPU, or it takes gigabytes."""
    if (piece := piece_of(model, segments)) is None:
        return None
    return MEASURED * piece if jax.local_devices()[0].platform == "cpu" else None


class Mean(NamedTuple):
    """A loss and its gradient over examples by weight, of those that came so far.

    Each in the type of the parameters, whatever a loss of one's own is rounded to.
    """

    total: tuple[Float[Array, ""], Params]
    weight: Float[Array, ""]

    @staticmethod
    def nothing(params: Params) -> "Mean":
        """Of no example."""
        dtype = jnp.result_type(*jax.tree.leaves(params))
        zero = jnp.zeros((), dtype)
        return Mean((zero, jax.tree.map(jnp.zeros_like, params)), zero)

    def plus(self, found: tuple[Float[Array, ""], Params], of: Example | Batch) -> "Mean":
        """And of these examples, whose loss and gradient were found."""
        weight = jnp.sum(of.weight)

        def add(so_far: Array, leaf: Array) -> Array:
            return so_far + (weight * leaf).astype(so_far.dtype)

        return Mean(
            jax.tree.map(add, self.total, found), self.weight + weight.astype(self.weight.dtype)
        )

    def value(self) -> tuple[Float[Array, ""], Params]:
        """0 where nothing counts."""
        whole = jnp.where(self.weight > 0, self.weight, 1)
        return jax.tree.map(lambda leaf: leaf / whole, self.total)


def gradient_in_pieces(
    problem: Problem,
    buckets: Buckets | None = None,
) -> Callable[..., tuple[Float[Array, ""], Params, PyTree]]:
    """``(params, batch, hyper, time, key, state) -> (loss, gradient, state)`` of a batch.

    On a CPU that of `Problem.piece` examples at a time, added up by their weights: that of the
    whole but for rounding, and each example's is computed once. Where nothing counts it is 0. Of a
    set that is not filled in, it is that of one piece after another on any device.

    Args:
        problem: where it has a piece, its loss is a mean over examples by weight; a loss with a
            state is taken whole all the same.
        buckets: of bags that come by length, which are computed no longer than they are. Without
            them, where bags of the problem are of unlike lengths, `batch` is a set, which is taken
            in pieces of like ones.
    """
    alike = () if buckets is None else buckets.lengths
    slope = as_short(jax.value_and_grad(problem.loss, has_aux=True), alike or problem.lengths)
    piece = problem.piece if jax.local_devices()[0].platform == "cpu" else None

    def gradient(
        params: Params,
        batch: Example | Batch | Data,
        hyper: Hyper,
        time: Array,
        key: Array | None,
        state: PyTree,
    ) -> tuple[Float[Array, ""], Params, PyTree]:
        def add(total: Mean, part: Example | Batch) -> tuple[Mean, None]:
            (loss, _), found = slope(params, part, hyper, time, key, state)
            return total.plus((loss, found), part), None

        adds_up = problem.separable and not problem.stochastic and not jax.tree.leaves(state)
        if adds_up and (isinstance(batch, Data) or (problem.lengths and not alike)):
            return *_of_set(problem, add, params, batch), state
        part = everything(batch, problem.precision) if isinstance(batch, Data) else batch
        count = part.weight.shape[0]
        if piece is None or count <= piece or jax.tree.leaves(state):
            (loss, own), found = slope(params, part, hyper, time, key, state)
            return loss, found, own
        # Pieces of like size, so that few examples are filled up.
        size = -(-count // -(-count // piece))
        total, _ = jax.lax.scan(add, Mean.nothing(params), cut(part, size))
        return *total.value(), state

    return gradient


def _of_set(
    problem: Problem,
    add: Callable[[Mean, Example | Batch], tuple[Mean, None]],
    params: Params,
    batch: Example | Batch | Data,
) -> tuple[Float[Array, ""], Params]:
    """The loss and its gradient of a set that is filled in, or cut, a piece at a time."""
    data = batch if isinstance(batch, Data) else Data(batch)

    def of_rows(total: Mean, rows: Array) -> tuple[Mean, None]:
        return add(total, take_counted(data, rows, problem.precision))

    rows = pieces_of_set(data, problem.precision, problem.piece, problem.lengths)
    total, _ = jax.lax.scan(of_rows, Mean.nothing(params), rows)
    return total.value()


@kept
def in_pieces(problem: Problem, piece: int) -> Problem:
    """The same problem, its loss of more than `piece` examples summed piece by piece.

    Values and gradients are those of the whole but for rounding; a gradient computes each piece
    twice in place of remembering all of them. Smaller batches are left as they are.

    Args:
        problem: its loss must be a mean over examples by weight, without randomness or state.
        piece: examples of a piece.
    """

    def loss(
        params: Params, batch: Example, hyper: Hyper, time: Array, key: Array | None, state: PyTree
    ) -> tuple[Float[Array, ""], PyTree]:
        count = batch.weight.shape[0]
        if count <= piece:
            return problem.loss(params, batch, hyper, time, key, state)

        @jax.checkpoint
        def of_piece(part: Example) -> tuple[Array, Array]:
            mean, _ = problem.loss(params, part, hyper, time, key, state)
            weight = jnp.sum(part.weight)
            return mean * weight, weight

        totals, weights = jax.lax.map(of_piece, cut(batch, piece))
        return jnp.sum(totals) / jnp.sum(weights), state

    return problem._replace(loss=loss)


def cut(batch: Any, piece: int) -> Any:
    """Pieces in front; the last one is filled up by the last example at weight 0."""
    count = batch.weight.shape[0]
    if count % piece == 0:
        return jax.tree.map(lambda leaf: leaf.reshape(-1, piece, *leaf.shape[1:]), batch)
    rows = jnp.arange(-(-count // piece) * piece, dtype=jnp.int32).reshape(-1, piece)
    cut = jax.tree.map(lambda leaf: leaf[jnp.minimum(rows, count - 1)], batch)
    return cut._replace(weight=jnp.where(rows < count, cut.weight, 0))
