"""The time in which the reduced system is solved: even in what happens, not in t."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["Clock", "clock_from"]

Times = Float[Array, "*save"]


class Clock(NamedTuple):
    """``s = log(1 + (t - origin) / unit)``: linear in t at first, then a decade like another."""

    origin: Float[Array, ""]
    unit: Float[Array, ""]

    def at(self, time: Times) -> Times:
        """Its reading at t; 0 before the origin."""
        return jnp.log1p(jnp.maximum(time - self.origin, 0.0) / self.unit)

    def time(self, reading: Times) -> Times:
        """What it is when the clock reads this."""
        return self.origin + self.unit * jnp.expm1(reading)

    def pace(self, reading: Times) -> Times:
        """``dt/ds``."""
        return self.unit * jnp.exp(reading)


def clock_from(origin: Float[Array, ""], velocity: Float[Array, "2"]) -> Clock:
    """The clock whose unit is the time that mu and nu together need for a first change of 1.

    From zero it is m C. Up to there mu rises linearly in t and nu like its square, so that an
    explicit solver's steps leave no error relative to either, however small they are; a unit of 1
    would make exponentials of them, and a step for every third of a factor e.
    """
    # The path does not depend on the unit, and so neither do its derivatives.
    unit = jax.lax.stop_gradient(1.0 / (velocity[0] + velocity[1]))
    return Clock(origin, jnp.where(jnp.isfinite(unit), unit, 1.0))
