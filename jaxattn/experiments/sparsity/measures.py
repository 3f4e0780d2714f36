"""How sparse the attention of one example is (PAPER 6.5): measures of this experiment alone.

They are none of every result's: those would be computed at each save of every run, and another
measure changes the program, and so the last digits, of what was there before.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import Example, MeasureSpec
from jaxattn.problems.measures import View

__all__ = ["OWN", "distance", "sparsity"]

LEAST = 0.01
"""Attention above it counts as attention."""


def _sparsity(view: View, example: Example) -> Float[Array, ""]:
    del example
    return jnp.sum(jnp.exp(view.log_attention) > LEAST, dtype=view.log_attention.dtype)


def _distance(view: View, example: Example) -> Float[Array, ""]:
    del example
    attention = jnp.exp(view.log_attention)
    one_hot = jnp.arange(attention.size) == jnp.argmax(attention)
    return jnp.sqrt(jnp.sum((attention - one_hot) ** 2))


sparsity = (
    _sparsity,
    MeasureSpec("sparsity", unit="1", long_name=f"segments with attention above {LEAST:g}"),
)
"""The number of segments with attention above `LEAST`."""

distance = (
    _distance,
    MeasureSpec(
        "simplex_distance",
        unit="1",
        long_name="distance of attention from the nearest corner of the simplex",
    ),
)
"""``||a - onehot(argmax a)||``: 0 where one segment has it all."""

OWN = {
    "sparsity": f"{__name__}:sparsity",
    "simplex_distance": f"{__name__}:distance",
}
"""By name, as a sweep asks for them."""
