"""What a paradigm reads a value with: logits of a model, as log probabilities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

__all__ = ["Reader"]


@jax.custom_jvp
def _entry(values: Any, at: Any) -> Any:
    """``values[at]``, whose gradient is no scatter: of many rows a GPU adds those in any order.

    Of ``values [class]``; JAX hands constants to it as arrays of its own kind.
    """
    return values[at]


@_entry.defjvp
def _entry_jvp(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    values, at = primals
    moved = jnp.where(jnp.arange(values.size, dtype=at.dtype) == at, tangents[0], 0)
    return _entry(values, at), jnp.sum(moved)


@dataclass(frozen=True)
class Reader:
    """What a paradigm reads a value with: ``read(value) -> log probabilities [class]``."""

    logits: Callable[[PyTree], Float[Array, " class"]]
    of_segments: Float[Array, " segment"] | None = None
    """Log probability of the example's own label by segment, where all segments of a minibatch were
    read before; see `jaxattn.problems.ahead`. Paradigms of one's own are given none."""

    def __call__(self, value: PyTree) -> Float[Array, " class"]:
        """Log probability of every class."""
        return jax.nn.log_softmax(self.logits(value))

    def log_probability(self, value: PyTree, label: Int[Array, ""]) -> Float[Array, ""]:
        """``read(value)[label]``, a sixth cheaper with its gradient.

        Only one class is normalised. Shifted before they are summed, so that a loss far below the
        rounding of the logits keeps its digits.
        """
        logits = self.logits(value)
        top = jax.lax.stop_gradient(jnp.max(logits))
        # Added 0, which the compiler drops, labels of NumPy are JAX's, as a rule of one's own asks.
        return (_entry(logits, label + 0) - top) - jnp.log(jnp.sum(jnp.exp(logits - top)))
