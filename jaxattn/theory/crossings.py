"""When one paradigm passes another: the crossings of their trajectories from zero.

Early, LVML is first and hard attention last, in mu and in nu, for C > 2. At the end hard attention
has the largest nu and soft attention the least, while soft attention, which has to make up for what
it reads of the background, has the largest mu. So hard attention's nu passes both others; its mu
passes no one, and soft attention's mu passes LVML's. Soft attention's nu passes LVML's as well
where there are few segments for the classes (2 or 3 for any, 15 for 100), and is passed again. For
two classes soft attention leads LVML from the start.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.core.precision import needs_x64
from jaxattn.theory.checks import checked
from jaxattn.theory.equations import FIELDS
from jaxattn.theory.times import trajectory

__all__ = ["crossing_time"]

Scalar = Real[ArrayLike, ""]

_NAMES = {name: name for name in FIELDS}
_QUANTITIES = {"mu": 0, "nu": 1}
_LARGEST = 1e6
_EARLIEST, _LATEST = 1e-2, 1e3
"""The first and the last time of the grid, in units of m C. At 256 sizes from 2 to 1e6 all
crossings lay between 1.1 and 92 of them."""
_GRID = 240
"""Times at which the order is looked at: a factor of 1.05 apart at first."""
_ZOOMS = 4
"""Divisions of the grid into its step at the crossing, down to 4e-9; a Newton step squares that."""


def crossing_time(
    first: str, second: str, quantity: str = "nu", *, segments: Scalar, classes: Scalar
) -> Float[Array, ""]:
    """The time at which `first` passes `second`: from where it is behind to where it is ahead.

    The zero of the difference of two `trajectory`, between ``0.01 m C`` and ``1000 m C``; the first
    if there are two, and NaN if there is none (the other way round is a question of its own: ask
    for `second` and `first`). It is bracketed by sampling, a factor of 1.05 apart, which may miss
    two crossings nearer to one another than that; then by sampling within the bracket, four times
    in all, and sharpened by a Newton step, which gives it its derivatives too.

    Domain: m and C in [2, 1e6]. Error: that of the two trajectories, by the angle at which they
    cross: 1e-12 relative for (m, C) = (100, 1000) and (5, 3), 1e-10 for (2, 1e6), where hard and
    soft attention run alongside (`test_at_a_crossing_the_oracle_finds_both_alike`). Differentiable;
    ``vmap`` it over sizes.

    Args:
        first: who passes: ``"soft"``, ``"hard"`` or ``"lvml"``.
        second: who is passed, another one.
        quantity: in ``"mu"`` or in ``"nu"``, which is to say in attention.
        segments: m.
        classes: C.

    Raises:
        InputError: an argument outside its domain, an unknown name, or twice the same paradigm (NaN
            where it is traced); JAX runs with x64 off, where rounding would pass for a crossing.
    """
    needs_x64("crossing_time")
    first, second = (resolve("paradigm", _NAMES, name) for name in (first, second))
    place = resolve("quantity", _QUANTITIES, quantity)
    if first == second:
        raise InputError(f"bad paradigms: got {first} twice, expected two; name another.")
    m, c = (
        checked(name, value, 2.0, _LARGEST)
        for name, value in (("segments", segments), ("classes", classes))
    )
    # One program serves both directions and both quantities.
    one, other = sorted((first, second))
    return _crossing(one, other, jnp.asarray(place), jnp.where(first == one, 1.0, -1.0), m, c)


@partial(jax.jit, static_argnames=("one", "other"))
def _crossing(one: str, other: str, place: Array, sign: Array, m: Array, c: Array) -> Array:
    def lead(clocks: Array, m: Array, c: Array) -> tuple[Array, Array]:
        """How far the first is ahead at ``log t = clocks``, and the slope of that."""
        times, gaps = jnp.exp(clocks), []
        for name in (one, other):
            state = trajectory(name, times, segments=m, classes=c)
            gaps.append((jnp.stack(state)[place], jnp.stack(FIELDS[name](*state, m, c))[place]))
        (ours, fast), (theirs, slow) = gaps
        return sign * (ours - theirs), sign * times * (fast - slow)

    held = jax.lax.stop_gradient((m, c))
    steps = jnp.linspace(0.0, 1.0, _GRID)

    def zoom(state: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        low, high, passed = state
        clocks = low + (high - low) * steps
        ahead = lead(clocks, *held)[0] > 0.0
        passes = ~ahead[:-1] & ahead[1:]
        at = jnp.argmax(passes)
        return (clocks[at], clocks[at + 1], passed & jnp.any(passes)), None

    unit = jnp.log(held[0] * held[1])
    start = (unit + math.log(_EARLIEST), unit + math.log(_LATEST), jnp.array(True))
    (low, high, passed), _ = jax.lax.scan(zoom, start, length=_ZOOMS)
    clock = (low + high) / 2.0
    miss, slope = lead(clock[None], m, c)
    time = jnp.exp(clock - (miss / jax.lax.stop_gradient(slope))[0])
    return jnp.where(passed, time, jnp.nan)
