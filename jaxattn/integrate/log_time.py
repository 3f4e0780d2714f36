"""Log time: the variable in which one decade of time is as long as another."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.integrate.solution import Function

__all__ = ["LogClock", "by_the_clock", "time_on_its_side"]


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


def time_on_its_side(
    clock: LogClock,
    reading: Float[Array, ""],
    jumps: Float[Array, " jump"],
    last: Float[Array, ""],
) -> Float[Array, ""]:
    """The time that the clock reads, no rounding of which crosses a jump, the origin or the end.

    A reading before that of a jump is a time before the jump: a field that has its later value too
    early costs dozens of rejected steps. The derivative is that of the clock.
    """
    time = clock.time(reading)
    exact, reading, jumps = jax.lax.stop_gradient((time, reading, jumps))
    edges = clock.at(jumps)
    low = jnp.max(jnp.where(reading >= edges, jumps, -jnp.inf), initial=-jnp.inf)
    before = jnp.nextafter(jumps, -jnp.inf)
    high = jnp.min(jnp.where(reading < edges, before, jnp.inf), initial=jnp.inf)
    moved = jnp.clip(exact, jnp.maximum(low, clock.origin), jnp.minimum(high, last))
    return time + jax.lax.stop_gradient(moved - exact)


def by_the_clock(
    function: Function,
    clock: LogClock,
    jumps: Float[Array, " jump"] | None,
    last: Float[Array, ""],
) -> Function:
    """A function of time, up to the `last` one, as one of the reading."""
    known = jnp.zeros(0, last.dtype) if jumps is None else jumps

    def at(reading: Array, y: Any, args: Any) -> Any:
        return function(time_on_its_side(clock, reading, known, last), y, args)

    return at
