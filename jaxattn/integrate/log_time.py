"""Log time: the variable in which one decade of time is as long as another."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.integrate.solution import Function

__all__ = ["LogClock", "by_the_clock"]


class LogClock(NamedTuple):
    """``s = log(1 + (t - origin) / unit)``: linear in t at first, then a decade like another."""

    origin: Float[Array, ""]
    unit: Float[Array, ""]

    def at(self, time: Array) -> Array:
        """Its reading at t; 0 before the origin."""
        return jnp.log1p(jnp.maximum(time - self.origin, 0.0) / self.unit)

    def time(self, reading: Array) -> Array:
        """What it is when the clock reads this."""
        return self.origin + self.unit * jnp.expm1(reading)

    def pace(self, reading: Array) -> Array:
        """``dt/ds``."""
        return self.unit * jnp.exp(reading)


def by_the_clock(
    function: Function,
    clock: LogClock,
    first: Float[Array, ""],
    final: Float[Array, ""],
    jumps: Float[Array, " jump"] | None,
) -> Function:
    """A function of time as one of the reading, in ``[first, final]``.

    A reading before that of a jump is a time before the jump, also where rounding would have it
    otherwise: a field that has its later value too early costs dozens of rejected steps.
    """

    def at(reading: Array, y: Any, args: Any) -> Any:
        earliest, latest = first, final
        if jumps is not None:
            behind = clock.at(jumps) <= reading
            earliest = jnp.maximum(first, jnp.max(jnp.where(behind, jumps, first)))
            ahead = jnp.min(jnp.where(behind, jnp.inf, jumps))
            latest = jnp.minimum(final, jnp.nextafter(ahead, -ahead))
        return function(jnp.clip(clock.time(reading), earliest, latest), y, args)

    return at
