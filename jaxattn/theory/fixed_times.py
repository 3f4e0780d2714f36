"""Fixed focus in time: mu(t) in closed form, and with it the loss, the force and the gap.

At constant alpha the equations of `jaxattn.theory.fixed_focus` separate, and ``int dmu / mu' = t``
is, with ``E = e^mu - 1``,

- hard: ``E + (C-1) mu = alpha t``
- soft: the same for ``v = alpha mu``, ``e^v - 1 + (C-1) v = alpha^2 t``
- LVML: ``alpha [E + (C-1) mu] + (1-alpha)/C [E (1 + (C-1)^2 e^-mu) + 2 (C-1) mu] = alpha t``

The first two have the left side of the orbits' ``A(nu) - A(0) = height`` with C in place of m, and
so their answer, Wright's omega with the digits kept near 0 (`jaxattn.theory.orbits.focus_rise`).
The third is increasing in mu, its root found in the logarithms of both sides: it lies between
hard attention's mu at alpha and at 1, as ``alpha <= alpha beta / Z <= 1``.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.core.lookup import resolve
from jaxattn.theory.checks import LARGEST_SIZE, LARGEST_TIME, checked, checked_times
from jaxattn.theory.fixed_focus import AHEAD, FORCES, LOSSES, gap
from jaxattn.theory.orbits import focus_rise
from jaxattn.theory.roots import increasing_root

__all__ = ["FixedFocus", "fixed_focus_time", "fixed_focus_trajectory"]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]

_NAMES = {name: name for name in LOSSES}
_LINEAR = 1e-18
"""Below it mu is its first term to the last bit, in float64 and in float32."""
_LARGEST_MU = 1e6


class FixedFocus(NamedTuple):
    """At each time: mu, the loss in nats, the force ``-dL/dalpha``, the gap to more attention."""

    mu: Result
    loss: Result
    force: Result
    gap: Result


def _hard_rise(height: Result, classes: Result) -> Result:
    """The x with ``e^x - 1 + (C-1) x = height``."""
    height, classes = jnp.broadcast_arrays(height, classes)
    return focus_rise(height / (classes - 1.0), jnp.zeros_like(height), classes)


def _height(x: Result, classes: Result) -> Result:
    """The left side of `_hard_rise`."""
    return jnp.expm1(x) + (classes - 1.0) * x


def _lvml_height(mu: Result, alpha: Result, classes: Result) -> tuple[Result, Result]:
    """``alpha t`` as a function of mu, and its slope ``Z w / beta``: all terms positive."""
    grown, others, back = jnp.expm1(mu), classes - 1.0, jnp.exp(-mu)
    rest = (1.0 - alpha) / classes
    # 1 - e^-mu is written (e^mu - 1) e^-mu: see potentials._lvml_slope on expm1 of mu and -mu.
    spread = grown * (1.0 + jnp.square(others) * back) + 2.0 * others * mu
    height = alpha * (grown + others * mu) + rest * spread
    weight = grown + classes
    return height, weight * (alpha + rest * weight * back)


def _lvml_mu(height: Result, alpha: Result, classes: Result) -> Result:
    """The mu of LVML, from ``height = alpha t > 0``."""
    slowest = _hard_rise(height, classes)
    fastest = jax.lax.stop_gradient(_hard_rise(height / alpha, classes))

    def miss(
        x: Result, fastest: Result, height: Result, alpha: Result, classes: Result
    ) -> tuple[Result, Result]:
        mu = fastest * jnp.exp(x)
        reached, slope = _lvml_height(mu, alpha, classes)
        return jnp.log(reached / height), mu * slope / reached

    zero = jnp.zeros_like(fastest)
    low = jax.lax.stop_gradient(jnp.log(slowest / fastest))
    args = (fastest, height, alpha, classes)
    # The step that a root takes at its end squares what the loose floor leaves; a tight one would
    # ask for more digits of x than the height gives, as mu answers to it by up to kappa.
    return fastest * jnp.exp(increasing_root(miss, args, low, zero, low, floor=100.0))


@partial(jax.jit, static_argnames="paradigm")
def _mu_at(paradigm: str, time: Result, alpha: Result, classes: Result) -> Result:
    time, alpha, classes = jnp.broadcast_arrays(time, alpha, classes)
    first = alpha * time / classes
    inner = alpha * first if paradigm == "soft" else first
    linear = inner < _LINEAR  # also at t = 0 and at alpha = 0, where there is nothing to divide by
    alpha = jnp.where(linear, 1.0, alpha)
    height = jnp.where(linear, 1.0, alpha * time)
    if paradigm == "soft":
        mu = _hard_rise(alpha * height, classes) / alpha
    elif paradigm == "hard":
        mu = _hard_rise(height, classes)
    else:
        mu = _lvml_mu(height, alpha, classes)
    return jnp.where(linear, first, mu)


def _checked(alpha: Number, classes: Number) -> tuple[Result, Result]:
    return (
        checked("alpha", alpha, 0.0, 1.0),
        checked("classes", classes, 2.0, LARGEST_SIZE),
    )


def fixed_focus_trajectory(
    paradigm: str,
    times: Number,
    *,
    alpha: Number,
    classes: Number,
    ahead: Number = AHEAD,
) -> FixedFocus:
    """What is learnt at a fixed attention: mu, loss, force and gap at these times, from mu = 0.

    The equations are at the head of this module; the loss ends at `fixed_focus.LIMITS`, hard
    attention and LVML like ``L - limit = (C-1) / t``, soft attention like ``(C-1) / (alpha^2 t)``.
    The force, and with it the gap, rises to its limit under hard attention and LVML; under soft
    attention it rises and then fades. Every argument but the paradigm is traced and they are
    broadcast together; differentiate once, forward or reverse.

    Domain: times in [0, 1e15], alpha in [0, 1] (at 0 nothing is learnt: mu stays 0), C in [2, 1e9].
    Error: 1e-14 max(1, kappa) relative, where ``kappa = |d ln mu/d ln t|`` (up to 1/alpha where
    LVML takes off, at most 1 under the others), of each quantity, for C up to 1e6, alpha from 0.01
    and t in [1e-6, 1e12] (`test_mu_at_a_fixed_focus_is_that_of_fifty_digits`; the largest is 1e-15
    of mu, 6e-15 of the rest). In float32, with x64 off, it is 2e-6 max(1, kappa)
    (`test_in_float32_a_fixed_focus_loses_digits_and_nothing_else`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        times: not decreasing along the last axis.
        alpha: the attention on the foreground.
        classes: C.
        ahead: how much more attention the gap is for, in [0, 1].

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm = resolve("paradigm", _NAMES, paradigm)
    alpha, classes = _checked(alpha, classes)
    ahead = checked("ahead", ahead, 0.0, 1.0)
    mu = _mu_at(paradigm, checked_times(times), alpha, classes)
    alpha, classes, ahead = (jnp.broadcast_to(x, mu.shape) for x in (alpha, classes, ahead))
    size = (mu, alpha, classes)
    loss, force = LOSSES[paradigm](*size), FORCES[paradigm](*size)
    return FixedFocus(mu, loss, force, gap(paradigm, *size, ahead))


def fixed_focus_time(paradigm: str, mu: Number, *, alpha: Number, classes: Number) -> Result:
    """The time at which mu is reached at a fixed attention: the inverse, in elementary functions.

    Domain: mu in [0, 1e6], of which NaN comes back where it lies beyond t = 1e15 (at alpha = 0 all
    but mu = 0); alpha and C as in `fixed_focus_trajectory`. Error: 3e-15 relative
    (`test_mu_at_a_fixed_focus_is_that_of_fifty_digits`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        mu: logit of the right class above the others'.
        alpha: the attention on the foreground.
        classes: C.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm = resolve("paradigm", _NAMES, paradigm)
    alpha, classes = _checked(alpha, classes)
    mu, alpha, classes = jnp.broadcast_arrays(checked("mu", mu, 0.0, _LARGEST_MU), alpha, classes)
    share = jnp.where(mu > 0.0, alpha, 1.0)  # at mu = 0 no time has passed, whatever alpha
    if paradigm == "lvml":
        time = _lvml_height(mu, alpha, classes)[0] / share
    elif paradigm == "hard":
        time = _height(mu, classes) / share
    else:
        time = _height(alpha * mu, classes) / share / share
    return jnp.where(time <= LARGEST_TIME, time, jnp.nan)
