"""What is recorded at a save point, by training and by flow alike, and how a row ended."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.contracts import Example, Hyper, Params, Problem, Status

__all__ = ["DIVERGENCE", "make_probe", "part_names", "row_status"]

DIVERGENCE = 100.0
"""A row has diverged when its loss exceeds this multiple of its start at two saves in a row."""


def part_names(params: Params) -> tuple[str, ...]:
    """The parts of `params` that hold anything, in order: what gradient norms are split by."""
    if not isinstance(params, dict):
        return ("all",)
    return tuple(sorted(name for name, part in params.items() if jax.tree.leaves(part)))


def _parts(tree: Params) -> list[PyTree]:
    return [tree] if not isinstance(tree, dict) else [tree[name] for name in part_names(tree)]


def _norm(tree: PyTree) -> Float[Array, ""]:
    return jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree)))


def _stack(splits: dict[str, Example]) -> Example:
    """All splits with an axis in front, the shorter ones filled up by examples of weight 0."""
    longest = max(batch.weight.shape[0] for batch in splits.values())

    def fill(batch: Example) -> Example:
        count = batch.weight.shape[0]
        rows = jnp.minimum(jnp.arange(longest, dtype=jnp.int32), count - 1)
        filled = jax.tree.map(lambda leaf: leaf[rows], batch) if count < longest else batch
        return filled._replace(weight=jnp.where(jnp.arange(longest) < count, filled.weight, 0))

    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(fill, splits.values()))


def make_probe(problem: Problem, keep_params: bool) -> Callable[..., tuple[dict[str, Array], Any]]:
    """``probe(params, hyper, evaluate, time, key, state) -> (measures, params or None)``.

    `evaluate` holds batches by split name; the objective (the training loss at that time) and
    the gradient norms are taken on ``"train"``.
    """

    def probe(
        params: Params,
        hyper: Hyper,
        evaluate: dict[str, Example],
        time: Float[Array, ""],
        key: Array,
        state: PyTree,
    ) -> tuple[dict[str, Array], Params | None]:
        (objective, _), gradient = jax.value_and_grad(problem.loss, has_aux=True)(
            params, evaluate["train"], hyper, time, key, state
        )
        measures = {
            "objective": objective,
            "gradient_norm": jnp.stack([_norm(part) for part in _parts(gradient)]),
        }
        # One measurement of all splits together: the compiler sees the network once, not twice.
        together = jax.vmap(lambda batch: problem.measure(params, batch, hyper))(_stack(evaluate))
        for place, split in enumerate(evaluate):
            measures |= {f"{split}/{name}": value[place] for name, value in together.items()}
        return measures, params if keep_params else None

    return probe


def row_status(
    objective: Float[Array, " save"], time: Float[Array, " save"], params: Params
) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """Status of a training row, and the time of its last good save.

    Diverged: a loss or a final parameter is not finite, or the loss is above `DIVERGENCE` times
    its initial value at two saves in a row. (Cross-entropy in log space rarely gives NaN, so a
    rate far too large shows by the second rule.)
    """
    large = objective > DIVERGENCE * jnp.abs(objective[0])
    bad = ~jnp.isfinite(objective)
    bad = bad.at[1:].set(bad[1:] | (large[1:] & large[:-1]))
    sound = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(params)]))
    good = ~(jnp.cumsum(bad) > 0)
    reached = jnp.max(jnp.where(good, time, 0.0))
    diverged = jnp.any(bad) | ~sound
    return jnp.where(diverged, Status.DIVERGED, Status.DONE).astype(jnp.int32), reached
