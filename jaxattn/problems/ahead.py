"""What a model makes of the segments of a minibatch, all at once, ahead of the loss of one example.

A loss is written for one example. Vmapped over examples, and over the rows of a tile, its matrix
products and its sums over classes run along axes that are short. Models that can read many examples
(`Model.many`) are asked for all of them here, where a loss reads the segments one by one: for
scores, and for the log probability of each example's label.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxattn.core.contracts import Example, Model, Params

__all__ = ["Ahead", "read_ahead"]


class Ahead(NamedTuple):
    """What is known of examples before their loss."""

    scores: Float[Array, "*example segment"]
    of_segments: Float[Array, "*example segment"]
    """Log probability of the label, by segment."""


def read_ahead(model: Model, params: Params, batch: Example) -> Ahead:
    """Scores and log probabilities ``[example, segment]`` of a minibatch.

    Args:
        model: one that can read many and draws nothing.
        params: of one run.
        batch: with a leading axis, masked-out segments blanked; one label an example.
    """
    assert model.many is not None
    values = jax.vmap(lambda example: model.represent(params, example, None))(batch)
    scores, logits = model.many(params, batch, values)
    # As one long axis: what runs along it is computed many at a time, however short bags are.
    each = logits.reshape(logits.shape[0], -1)
    label = jnp.repeat(batch.label, scores.shape[1])
    return Ahead(scores, _log_probability(each, label).reshape(scores.shape))


def _log_probability(
    logits: Float[Array, "class each"], label: Int[Array, " each"]
) -> Float[Array, " each"]:
    """As `Reader.log_probability`."""
    top = jax.lax.stop_gradient(jnp.max(logits, axis=0))
    shifted = logits - top[None]
    return _of_label(shifted, label) - jnp.log(jnp.sum(jnp.exp(shifted), axis=0))


@jax.custom_jvp
def _of_label(
    logits: Float[Array, "class each"], label: Int[Array, " each"]
) -> Float[Array, " each"]:
    return jnp.take_along_axis(logits, label[None], axis=0, mode="clip")[0]


@_of_label.defjvp
def _of_label_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # Forwards a gather is fast; backwards it would be a scatter, and this is a mask, which the
    # compiler joins to the gradient of the normaliser.
    logits, label = primals
    is_label = jnp.arange(logits.shape[0], dtype=label.dtype)[:, None] == label[None]
    return _of_label(logits, label), jnp.sum(jnp.where(is_label, tangents[0], 0), axis=0)
