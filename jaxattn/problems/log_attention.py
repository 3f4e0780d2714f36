"""The log of attention, where some of it is exactly zero."""

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["log_of"]


def log_of(attention: Float[Array, " segment"]) -> Float[Array, " segment"]:
    """Log attention of attention, -inf where it is exactly zero, and with no derivative there.

    ``jnp.log`` of a zero has an infinite derivative. The chain rule multiplies it by a zero, and
    every parameter is NaN after one step. What ends an attention map that can give zeros is this.
    """
    none = attention == 0
    # The inner where keeps the log's derivative finite, the outer one its value right. Not > 0, so
    # that a NaN stays one.
    return jnp.where(none, -jnp.inf, jnp.log(jnp.where(none, 1, attention)))
