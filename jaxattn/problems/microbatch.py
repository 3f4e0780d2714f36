"""Large batches in pieces: what a whole set of examples costs when it does not fit a cache."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Example, Hyper, Params, Problem
from jaxattn.core.kept import kept

__all__ = ["in_pieces"]


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

        totals, weights = jax.lax.map(of_piece, _cut(batch, piece))
        return jnp.sum(totals) / jnp.sum(weights), state

    return problem._replace(loss=loss)


def _cut(batch: Example, piece: int) -> Example:
    """Pieces in front; the last one is filled up by the last example at weight 0."""
    count = batch.weight.shape[0]
    rows = jnp.arange(-(-count // piece) * piece, dtype=jnp.int32).reshape(-1, piece)
    cut = jax.tree.map(lambda leaf: leaf[jnp.minimum(rows, count - 1)], batch)
    return cut._replace(weight=jnp.where(rows < count, cut.weight, 0))
