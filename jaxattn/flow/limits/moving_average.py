"""Moving averages of an optimiser, in continuous time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.training.decays import time_constant

__all__ = ["Average", "average_of", "ratio"]


class Average(NamedTuple):
    """``a' = (x - a) / tau`` of something ``x`` that is first seen at `origin`.

    `half` is half the learning rate: an average after a step, which that step is made with, has
    seen one value more than the time says, and holds a step's value as that of its middle.
    """

    tau: Float[Array, ""]
    half: Float[Array, ""]
    origin: Float[Array, ""]

    def weight(self, time: Float[Array, ""]) -> Float[Array, ""]:
        """The share of what has been seen in the average; the rest is the 0 it began with."""
        return -jnp.expm1(-(time - self.origin + self.half) / self.tau)

    def start(self, seen: PyTree) -> PyTree:
        """The average at the origin, of the value there."""
        return jax.tree.map(lambda x: self.weight(self.origin) * x, seen)

    def corrected(self, time: Float[Array, ""], average: PyTree) -> PyTree:
        """The average of what has been seen alone: Adam's correction of the bias to 0."""
        return jax.tree.map(lambda a: a / self.weight(time), average)

    def speed(self, average: PyTree, seen: PyTree) -> PyTree:
        """The derivative of the average in time."""
        return jax.tree.map(lambda a, x: (x - a) / self.tau, average, seen)


def average_of(
    decay: Float[Array, ""], rate: Float[Array, ""], origin: Float[Array, ""]
) -> Average:
    """The average that forgets by `decay` a step, of steps of length `rate`."""
    return Average(time_constant(decay, rate), rate / 2, origin)


def ratio(above: Float[Array, "..."], below: Float[Array, "..."]) -> Float[Array, "..."]:
    """``above / below``, and 0 where there is nothing above: a gradient that was always 0."""
    nothing = above == 0
    return jnp.where(nothing, 0.0, above / jnp.where(nothing, 1.0, below))
