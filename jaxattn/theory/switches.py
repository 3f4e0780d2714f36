"""When a hybrid should turn from soft to hard attention, to end with most focus at a horizon.

Let ``nu(T; s)`` be the focus at the horizon T of the hybrid that is soft up to s and hard from
then on. Attention grows with nu, so the best switch maximises nu, whose digits are kept where
``1 - alpha`` is tiny. Its derivative by s is that of the closed form
(`jaxattn.theory.times.trajectory`), and equals ``p . (f_soft - f_hard)`` at the state of the
switch, p being how the end depends on that state: the switching function of optimal control. At
zero both fields agree, so that s = 0 is stationary; from there soft attention is ahead.

Times here are plain; sizes and horizons are traced, so ``vmap`` over them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Real

from jaxattn.theory.equations import FIELDS
from jaxattn.theory.orbits import nu_of_mu
from jaxattn.theory.times import time_of_mu, trajectory

__all__ = [
    "BestSwitch",
    "Curve",
    "best_switch",
    "curve_at",
    "focus_at",
    "overtaking",
    "switch_curve",
]

Scalar = Real[ArrayLike, ""]

_EARLIEST = 0.1
"""The first time of the grid, in units of segments x classes: long before attention takes off."""
_HALVINGS = 44
"""How often a bracket between neighbours of a grid is halved, to the rounding of its place."""
_FIRST_MU, _LAST_MU = 1e-3, 40.0
"""Where to look for the moment at which hard attention overtakes: it lies in [1, 6]."""


class Curve(NamedTuple):
    """The focus at a horizon by switch; the last switch is the horizon."""

    switch: Float[Array, " switch"]
    nu: Float[Array, " switch"]


class BestSwitch(NamedTuple):
    """The best switch, nu at the horizon and what is left of its derivative by the switch.

    `inside` is False where the best switch is the horizon itself: soft attention to the end.
    """

    switch: Float[Array, ""]
    nu: Float[Array, ""]
    slope: Float[Array, ""]
    inside: Bool[Array, ""]


def focus_at(
    switch: Scalar, horizon: Scalar, *, segments: Scalar, classes: Scalar
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The nu at the horizon of the hybrid that switches then, and its derivative by the switch.

    Domain: 0 <= switch <= horizon, the rest as in `jaxattn.theory.trajectory`. Error: that of
    `trajectory` in nu; 1e-6 relative in the derivative, and 1e-9 of nu over the switch
    (`test_the_slope_by_the_switch_is_a_difference_of_nearby_switches`).

    Raises:
        InputError: an argument outside its domain; NaN where it is traced.
    """

    def end(switch: Array) -> Array:
        return trajectory(
            "hybrid", horizon, segments=segments, classes=classes, switch_time=switch
        ).nu

    switch = jnp.asarray(switch, float)
    return jax.jvp(end, (switch,), (jnp.ones_like(switch),))


def switch_curve(horizon: Scalar, *, segments: Scalar, classes: Scalar, points: int = 64) -> Curve:
    """The nu at the horizon by switch, for log-spaced switches up to the horizon.

    They begin at a tenth of segments x classes, or of the horizon where that is less: before
    then no switch is the best one, as the fields hardly differ and soft attention is ahead.
    Domain and error: as in `jaxattn.theory.trajectory`.

    Args:
        horizon: T.
        segments: m.
        classes: C.
        points: how many.
    """
    first = _EARLIEST * jnp.minimum(jnp.multiply(segments, classes), horizon)
    switch = first * (horizon / first) ** jnp.linspace(0.0, 1.0, points)
    return curve_at(switch.at[-1].set(horizon), segments=segments, classes=classes)


def curve_at(switch: Float[Array, " switch"], *, segments: Scalar, classes: Scalar) -> Curve:
    """The nu at the horizon, which is the last of these switches, by switch.

    Args:
        switch: times, increasing.
        segments: m.
        classes: C.
    """
    horizon = switch[-1]

    def end(switch: Array) -> Array:
        size = {"segments": segments, "classes": classes}
        return trajectory("hybrid", horizon, **size, switch_time=jnp.minimum(switch, horizon)).nu

    return Curve(switch, jax.vmap(end)(switch))


def best_switch(curve: Curve, *, segments: Scalar, classes: Scalar) -> BestSwitch:
    """The switch with the largest nu, where its derivative vanishes or at the horizon.

    The highest point of the curve and its neighbours enclose a maximum, which bisection by the
    derivative's sign finds. There may be two maxima, one inside and one at the horizon: the higher
    one counts, and a grid too coarse to tell them apart can pick the other.

    Domain: as `focus_at`. Error: that of `trajectory` in nu; the derivative by the logarithm of
    the switch is below 1e-7 of nu, and the switch as exact as nu is curved there
    (`test_the_best_switch_is_where_the_derivative_vanishes_or_the_horizon`).

    Args:
        curve: of `switch_curve` or `curve_at`.
        segments: m.
        classes: C.
    """
    switch, nu = curve
    horizon, last = switch[-1], switch.size - 1
    top = jnp.argmax(nu)
    low, high = switch[jnp.maximum(top - 1, 0)], switch[jnp.minimum(top + 1, last)]

    def halve(_: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        low, high = state[:2]
        middle = jnp.minimum(jnp.sqrt(low * high), horizon)
        end, slope = focus_at(middle, horizon, segments=segments, classes=classes)
        low, high = jnp.where(slope > 0.0, middle, low), jnp.where(slope > 0.0, high, middle)
        return low, high, middle, end, slope

    state = jax.lax.fori_loop(0, _HALVINGS, halve, (low, high, low, nu[0], nu[0]))
    _, high, middle, end, slope = state
    # Nowhere in the last bracket did nu fall: it rises up to the horizon.
    at_end = (top == last) & (high == horizon)
    return BestSwitch(
        jnp.where(at_end, horizon, middle), jnp.where(at_end, nu[-1], end), slope, ~at_end
    )


def overtaking(*, segments: Scalar, classes: Scalar) -> Float[Array, ""]:
    """The time from which hard attention would move the focus faster than soft attention does.

    On soft attention's path from zero it is the root of ``nu'_hard - nu'_soft``, found along the
    orbit by bisection in mu. A hybrid that never turns hard can be best only up to there: at the
    horizon itself nothing but nu' counts. For m = 2 it is 0, as soft attention is behind at once.

    Domain: m and C in [2, 1e6]. Error: both forces are equal to 1e-6 of themselves
    (`test_soft_attention_is_overtaken_where_both_forces_are_equal`).

    Args:
        segments: m.
        classes: C.
    """

    def behind(mu: Array) -> Array:
        nu = nu_of_mu("soft", mu, segments=segments, classes=classes)
        state = (mu, nu, segments, classes)
        return FIELDS["hard"](*state)[1] - FIELDS["soft"](*state)[1]

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = jnp.sqrt(low * high)
        late = behind(middle) > 0.0
        return jnp.where(late, low, middle), jnp.where(late, middle, high)

    size = jnp.multiply(segments, classes)
    first = jnp.full_like(size, _FIRST_MU, dtype=float)
    _, mu = jax.lax.fori_loop(0, _HALVINGS, halve, (first, jnp.full_like(first, _LAST_MU)))
    time = time_of_mu("soft", mu, segments=segments, classes=classes)
    return jnp.where(behind(first) > 0.0, 0.0, time)
