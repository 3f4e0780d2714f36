"""Early and late time in the solvable setting: series, laws, and what delays the late ones.

All from zero, ``mu = nu = 0`` at t = 0, in the notation of `jaxattn.theory.equations`; R is the
class potential of `jaxattn.theory.potentials`, and "odds" are ``alpha / (1-alpha) = e^nu / (m-1)``.

**Early.** The fields are expanded at zero, in ``s = t/(m C)``: there ``mu' = 1/(m C)``, and nu
follows like ``s^2``. **Late.** The conserved quantity makes ``1/(1-alpha) = 1 + R + 1/(m-1) - nu``
exact, and time is ``t = int w/alpha ds`` (LVML: ``int w/p ds``), in which ``w = e^s + C - 1``
integrates to ``e^mu - 1 + (C-1) mu`` and the rest is ``w/odds`` (LVML: ``w e^-g/odds``). Where R
goes like ``e^mu`` that rest goes to a constant b, and up to what vanishes
``t = t_d + e^mu + (C-1+b) mu``: the delay is the integral of the rest less b, and -1. Under soft
attention R goes like ``mu^2`` only, and no constant is left over.

In float32, with x64 off, each function here gives its own value in float64 to 3e-6
(`test_in_float32_the_laws_lose_digits_and_nothing_else`).
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.theory.checks import (
    LARGEST_SIZE,
    LARGEST_TIME,
    checked,
    checked_between,
    checked_times,
)
from jaxattn.theory.equations import gain
from jaxattn.theory.orbits import focus_rise, nu_of_mu
from jaxattn.theory.panels import cut
from jaxattn.theory.potentials import CLASS_POTENTIALS
from jaxattn.theory.special import gauss_legendre, wright_omega
from jaxattn.theory.times import State

__all__ = [
    "background_of_mu",
    "delay",
    "early_state",
    "late_background",
    "leading_background",
]

Scalar = Real[ArrayLike, ""]
Times = Real[ArrayLike, "*save"]
Values = Float[Array, "*save"]

_NAMES = {name: name for name in CLASS_POTENTIALS}
_NODES, _WEIGHTS = gauss_legendre(20)


def _checked_sizes(segments: Scalar, classes: Scalar) -> tuple[Array, Array]:
    return (
        checked("segments", segments, 2.0, LARGEST_SIZE),
        checked("classes", classes, 2.0, LARGEST_SIZE),
    )


def background_of_mu(paradigm: str, mu: Times, *, segments: Scalar, classes: Scalar) -> Values:
    """``1 - alpha`` where the orbit from zero passes mu: ``1 / (1 + R(mu) + 1/(m-1) - nu(mu))``.

    Exact for all paradigms, and without the loss of digits of ``1 - alpha`` where alpha is near 1.
    Domain: mu in [0, 80], m and C in [2, 1e9]. Error: 1e-14 relative for m and C up to 1e6
    (`test_the_background_on_the_orbit_is_that_of_fifty_digits`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        mu: points on the orbit.
        segments: m.
        classes: C.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    nu = nu_of_mu(paradigm, mu, segments=segments, classes=classes)
    segments, classes = _checked_sizes(segments, classes)
    height = CLASS_POTENTIALS[paradigm](jnp.asarray(mu, nu.dtype), classes)
    return 1.0 / (1.0 + 1.0 / (segments - 1.0) + (height - nu))


def early_state(paradigm: str, times: Times, *, segments: Scalar, classes: Scalar) -> State:
    """The first terms of mu and nu in ``s = t/(m C)``, with ``P = (C-1)(m-1)/(2 C m)``.

    ``mu = s + k s^2/(2 C) + O(s^3)`` and ``nu = P s^2 [1 + 2 K s/(3 C)] + O(s^4)``, where

    - hard: ``k = K = -1``
    - soft: ``k = -1 + (1 - 1/m)``, ``K = -1 + (1 - 3/(2 m))``
    - LVML: ``k = -1 + (C-1)(1 - 1/m)``, ``K = -1 + (C-1)(1 - 3/(2 m))``

    LVML leads and hard attention lags: ``g = log(C beta)``, which drives hard attention's nu, is
    concave, while LVML's posterior is above alpha and multiplies both rates.

    Domain: times in [0, m C], m and C in [2, 1e9]. Error, relative: mu 0.25 s^2 and nu 0.4 s^2 for
    hard and soft attention, ``s^2`` both for LVML, for m and C up to 1e6
    (`test_the_early_series_is_right_to_the_order_it_is_said_to_be`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        times: not decreasing.
        segments: m.
        classes: C.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm = resolve("paradigm", _NAMES, paradigm)
    m, c = _checked_sizes(segments, classes)
    times = checked_between("times", checked_times(times), 0.0, m * c)
    weight = c - 1.0 if paradigm == "lvml" else jnp.full_like(c, float(paradigm == "soft"))
    k, big_k = weight * (1.0 - 1.0 / m) - 1.0, weight * (1.0 - 1.5 / m) - 1.0
    s = times / (m * c)
    start = (c - 1.0) * (m - 1.0) / (2.0 * c * m)
    return State(
        s * (1.0 + k * s / (2.0 * c)),
        start * jnp.square(s) * (1.0 + 2.0 * big_k * s / (3.0 * c)),
    )


def leading_background(paradigm: str, times: Times, *, segments: Scalar, classes: Scalar) -> Values:
    """The leading late law of ``1 - alpha``, which knows nothing of what came before.

    - soft: ``2 C / ((C-1) log(t)^2)``
    - hard: ``C / (t log C)``
    - LVML: ``C^2 / ((C-1) t)``

    "Soft splutters later on, hard does the opposite", as rates. Domain: times from where the law
    is 1 to 1e15, m and C in [2, 1e9]. Error, relative, from ``t = 100 m C`` on, for m and C up to
    1e6: soft ``log(1 + (m-1) q) / q`` with ``q = (C-1) log(t)^2/(2 C)``, the others
    ``2 (m C/t) log t``
    (`test_the_late_laws_are_approached_as_they_are_said_to_be`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        times: not decreasing.
        segments: m, on which the law does not depend.
        classes: C.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm = resolve("paradigm", _NAMES, paradigm)
    segments, classes = _checked_sizes(segments, classes)
    times = checked_times(times)
    if paradigm == "soft":
        scale = 2.0 * classes / (classes - 1.0)
        times = checked_between("times", times, jnp.exp(jnp.sqrt(scale)), LARGEST_TIME)
        return scale / jnp.square(jnp.log(times)) + 0.0 * segments
    scale, _ = _constants(paradigm, classes)
    return scale / checked_between("times", times, scale, LARGEST_TIME) + 0.0 * segments


def _constants(paradigm: str, classes: Array) -> tuple[Array, Array]:
    """The c and b of hard attention and LVML: ``1 - alpha -> c e^-mu``, and the rest ``-> b``."""
    if paradigm == "hard":
        return classes / jnp.log(classes), classes / jnp.log(classes)
    return jnp.square(classes) / (classes - 1.0), classes / (classes - 1.0)


def delay(paradigm: str, *, segments: Scalar, classes: Scalar) -> Float[Array, ""]:
    """The delay t_d at which hard attention and LVML begin their late law, by quadrature.

    - hard: ``t_d = -1 + int_0^inf [(e^s + C-1) (m-1) e^-nu(s) - C/log C] ds``
    - LVML: ``t_d = -1 + int_0^inf [(m-1) e^-nu(s) (e^s + C-1)^2 e^-s / C - C/(C-1)] ds``

    along the orbit ``nu(s)`` from zero: between ``m C/3`` and ``3 m C``. Soft attention has no such
    constant: its apparent delay, t less ``e^v + (C-1) v - 1`` with ``v = alpha mu``, stays near
    1.25 m C for a while where m and C are large, and then falls without end.

    Domain: m and C in [2, 1e9]. Error: 1e-13 relative, at six sizes up to 1e6
    (`test_the_delay_is_that_of_the_oracle`). Differentiable; ``vmap`` it over sizes.

    Args:
        paradigm: ``"hard"`` or ``"lvml"``.
        segments: m.
        classes: C.

    Raises:
        InputError: an argument outside its domain, an unknown paradigm, or soft attention; NaN
            where an argument is traced.
    """
    paradigm = resolve("paradigm", _NAMES, paradigm)
    if paradigm == "soft":
        raise InputError("bad paradigm: got soft, which has no delay, expected hard or lvml.")
    return _delay(paradigm, *_checked_sizes(segments, classes))


@partial(jax.jit, static_argnames="paradigm")
def _delay(paradigm: str, segments: Array, classes: Array) -> Array:
    zero = jnp.zeros_like(segments)
    # They are cut where the integrand bends, and end where what is left of it is e^-45.
    panels = cut(paradigm, segments, classes, zero, zero)
    nodes, weights = jnp.asarray(_NODES, zero.dtype), jnp.asarray(_WEIGHTS, zero.dtype)
    s = panels.edge[:, None] + panels.width[:, None] * nodes[None, :]
    base = 1.0 / (segments - 1.0) - jnp.log(segments - 1.0)
    odds = wright_omega(CLASS_POTENTIALS[paradigm](s, classes) + base)
    rest = (jnp.exp(s) + classes - 1.0) / odds
    if paradigm == "lvml":
        rest *= jnp.exp(-gain(s, classes))
    _, limit = _constants(paradigm, classes)
    return jnp.sum(panels.width * ((rest - limit) @ weights)) - 1.0


def late_background(
    paradigm: str,
    times: Times,
    *,
    segments: Scalar,
    classes: Scalar,
    delay_time: Scalar | None = None,
) -> Values:
    """The refined late law of ``1 - alpha``, which starts after the delay t_d.

    - hard: ``(C/log C) e^-x``, where ``e^x + (C-1+b) x = t - t_d`` and ``b = C/log C``
    - LVML: ``(C^2/(C-1)) e^-x``, the same with ``b = C/(C-1)``
    - soft: ``1 / {q + 3 + 1/(m-1) - log[(m-1) q]}``, where ``q = (C-1) v^2/(2 C)`` and
      ``e^v + (C-1) v = 1 + t - t_d``

    The first two are ``c / (t - t_d - (C-1+b) log t)`` to the same order. Domain: times from where
    the law is 1 to 1e15, m and C in [2, 1e9]. Error, relative, for m and C up to 1e6: soft
    ``0.6 [log(1 + (m-1) q) / q]^2`` from ``t = 1000 m C`` on, q as in `leading_background`, the
    others ``0.1 (m C/t) log(t)^2`` from ``100 m C`` on, at most (1e-7 of that for m = 1e6, C = 2)
    (`test_the_late_laws_are_approached_as_they_are_said_to_be`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        times: not decreasing.
        segments: m.
        classes: C.
        delay_time: t_d. By default `delay`; for soft attention, which has none that lasts, 0.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm = resolve("paradigm", _NAMES, paradigm)
    m, c = _checked_sizes(segments, classes)
    times = checked_times(times)
    if delay_time is not None:
        late = checked("delay_time", delay_time, -LARGEST_TIME, LARGEST_TIME)
    else:
        late = jnp.zeros_like(m) if paradigm == "soft" else _delay(paradigm, m, c)
    if paradigm == "soft":
        return _late_soft(times, m, c, late)
    scale, limit = _constants(paradigm, c)
    slow = c - 1.0 + limit
    low = late + scale + slow * jnp.log(scale)  # where e^x is the scale
    times = checked_between("times", times, low, LARGEST_TIME)
    return scale * jnp.exp(-_risen(times - late, slow))


def _risen(height: Values, slow: Array) -> Values:
    """The x with ``e^x + slow x = height``."""
    height, slow = jnp.broadcast_arrays(height, slow)
    return focus_rise((height - 1.0) / slow, jnp.zeros_like(height), slow + 1.0)


def _late_soft(times: Values, m: Array, c: Array, late: Array) -> Values:
    shape = (c - 1.0) / (2.0 * c)
    # The law is 1 at the larger q with q - log q = 1 + u, which is below 1 + sqrt(2 u) + u; below
    # q = 1 it turns back.
    u = jnp.maximum(jnp.log(m - 1.0) - 3.0 - 1.0 / (m - 1.0), 0.0)
    v_low = jnp.sqrt((1.0 + jnp.sqrt(2.0 * u) + u) / shape)
    low = late - 1.0 + jnp.exp(v_low) + (c - 1.0) * v_low
    v = _risen(1.0 + checked_between("times", times, low, LARGEST_TIME) - late, c - 1.0)
    q = shape * jnp.square(v)
    return 1.0 / (q + 3.0 + 1.0 / (m - 1.0) - jnp.log((m - 1.0) * q))
