"""Inference rules: how a trained pair answers, whichever paradigm trained it (PAPER 1.5)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.problems.attention import average

__all__ = ["INFERENCE_RULES", "infer"]

INFERENCE_RULES = ("argmax-segment", "average-output", "average-input")
"""Read the segment with most attention | average what is read | read the average."""


def infer(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    each: Float[Array, "segment class"],
    read: Callable[[PyTree], Float[Array, " class"]],
) -> Float[Array, "inference class"]:
    """Log probabilities of the classes under each rule, in the order of `INFERENCE_RULES`.

    Args:
        log_attention: log attention, -inf at masked-out positions.
        values: what soft attention averages; leaves ``[segment, ...]``.
        each: ``read`` of every single segment; asked for so that it is computed once.
        read: one value to log probabilities.

    The first segment wins a tie of the argmax.
    """
    best = each[jnp.argmax(log_attention)]
    mixture = jax.nn.logsumexp(log_attention[:, None] + each, axis=0)
    return jnp.stack([best, mixture, read(average(log_attention, values))])
