"""An orbit cut into panels along mu, on each of which time is a polynomial.

Time along an orbit is ``T(mu) = int ds / mu'(s, nu(s))``, and the integrand is positive and smooth.
Its singularities nearest to the real line are where ``1 - alpha`` has a pole, at
``nu = log(m-1) + i pi``; seen from mu they come near, where nu takes off, as ``d nu/d mu`` is large
there. Panels therefore move on by a fixed distance in ``mu + nu``. On each, Gauss's 20 points give
``R'`` and so ``R`` and so nu, at these points, and from nu the integrand; the polynomial through
it is integrated exactly. What is left is below 1e-15 of the panel.

Panels are places in ``mu - mu0`` and not in mu, from which nu cannot be resolved right after a late
switch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxattn.theory.potentials import CLASS_BENDS, CLASS_SLOPES
from jaxattn.theory.special import exp_climb, gauss_legendre

__all__ = ["Panels", "cut", "series"]

Scalar = Float[Array, ""]
Point = Float[Array, "point"]

PANELS = 48
_POINTS = 20
_STRIDE = 1.2
"""Width in nu at the take-off, where singularities are pi away, and in mu everywhere."""
_LONGEST = 2.5
"""Width in nu, far from the take-off."""
_LAST_MU = 80.0


class _Rule(NamedTuple):
    """What turns values at Gauss's points of [0, 1] into integrals and Chebyshev coefficients."""

    nodes: np.ndarray
    weights: np.ndarray
    integral: np.ndarray  # values -> integral from 0 to each point
    slope: np.ndarray  # values -> coefficients of the polynomial through them
    mean: np.ndarray  # values -> coefficients of its mean over [0, x]
    bend: np.ndarray  # values of f'' -> coefficients of (f(x) - f(0) - x f'(0)) / x^2


def _rule(points: int) -> _Rule:
    nodes, weights = gauss_legendre(points)
    chebyshev = np.polynomial.chebyshev
    slope = np.linalg.inv(chebyshev.chebvander(2.0 * nodes - 1.0, points - 1))
    # The integral over [0, x] of the polynomial is x times one of the same degree, its mean; and
    # the integral of that is x^2 times one, the mean weighed by 1 - s.
    inner = nodes[:, None] * nodes  # Gauss's rule on [0, node], exact for this degree
    weigh = chebyshev.chebvander(2.0 * inner - 1.0, points - 1) @ slope
    mean = np.einsum("k,ikj->ij", weights, weigh)
    bend = np.einsum("k,ikj->ij", weights * (1.0 - nodes), weigh)
    return _Rule(nodes, weights, nodes[:, None] * mean, slope, slope @ mean, slope @ bend)


_RULE = _rule(_POINTS)


class Panels(NamedTuple):
    """One orbit from (mu0, nu0): panel k spans ``delta = mu - mu0`` from `edge` by `width`.

    Within it, at ``delta = edge + x width`` with x in [0, 1], the time since the start is
    ``time + width x mean(x)`` and its slope in delta is ``slope(x)``; R has risen since the edge by
    ``width x (climb + width x bend(x))``. All three are Chebyshev series in ``2 x - 1``. `end` is
    the time at the end of each panel. At the edge nu is `eta` above nu0, and `odds` is
    ``alpha / (1 - alpha)``.
    """

    edge: Float[Array, "panel"]
    width: Float[Array, "panel"]
    time: Float[Array, "panel"]
    end: Float[Array, "panel"]
    eta: Float[Array, "panel"]
    odds: Float[Array, "panel"]
    climb: Float[Array, "panel"]
    mean: Float[Array, "panel term"]
    slope: Float[Array, "panel term"]
    bend: Float[Array, "panel term"]


def series(coefficients: Float[Array, "... term"], x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The sum of ``coefficients[..., k] T_k(2 x - 1)``, by Clenshaw's recurrence.

    Even and odd terms apart, as two recurrences half as long fill a processor better than one:
    with ``t = 2 x - 1`` and ``u = T_2(t)``, ``T_2k(t) = T_k(u)`` and ``T_2k+1(t) = t W_k(u)``,
    where W obeys the recurrence of T from ``W_0 = 1`` and ``W_1 = 2 u - 1``.
    """
    t = 2.0 * x - 1.0
    twice = 4.0 * t * t - 2.0  # 2 u
    zero = jnp.zeros_like(x)
    even, later_even, odd, later_odd = zero, zero, zero, zero
    terms = coefficients.shape[-1]
    for k in range((terms - 1) // 2, 0, -1):
        even, later_even = coefficients[..., 2 * k] + twice * even - later_even, even
        if 2 * k + 1 < terms:
            odd, later_odd = coefficients[..., 2 * k + 1] + twice * odd - later_odd, odd
    even = coefficients[..., 0] + 0.5 * twice * even - later_even
    odd = coefficients[..., 1] + (twice - 1.0) * odd - later_odd
    return even + t * odd


def _soft_pace(mu: Point, odds: Point, classes: Scalar) -> Point:
    """``(e^(alpha mu) + C - 1) / alpha``, with ``alpha = odds / (1 + odds)``."""
    return (jnp.exp(mu * odds / (1.0 + odds)) + classes - 1.0) * (1.0 + 1.0 / odds)


def _hard_pace(mu: Point, odds: Point, classes: Scalar) -> Point:
    """``w / alpha``."""
    return (jnp.exp(mu) + classes - 1.0) * (1.0 + 1.0 / odds)


def _lvml_pace(mu: Point, odds: Point, classes: Scalar) -> Point:
    """``w / p``, with ``p = odds e^g / (1 + odds e^g)`` and ``e^-g = w e^-mu / C``."""
    grown, others = jnp.exp(mu), classes - 1.0
    return (grown + others) * (1.0 + (1.0 + others / grown) / (classes * odds))


PACES = {"soft": _soft_pace, "hard": _hard_pace, "lvml": _lvml_pace}
"""``(mu, odds, classes) -> dt/dmu``, where ``odds = alpha / (1 - alpha) = e^nu / (m-1)``."""


@jax.custom_batching.custom_vmap
def _anywhere(flag: Bool[Array, ""]) -> Bool[Array, ""]:
    """`flag` itself, and under ``vmap`` whether it is true of any row: a ``cond`` stays one.

    So panels that no row asks for cost nothing; the bits of a row do not depend on its neighbours.
    """
    return flag


@_anywhere.def_vmap
def _anywhere_of_rows(
    axis_size: int, in_batched: list[bool], flags: Bool[Array, "row"]
) -> tuple[Bool[Array, ""], bool]:
    del axis_size, in_batched
    return _anywhere(jnp.any(flags, axis=0)), False


def cut(
    paradigm: str,
    segments: Scalar,
    classes: Scalar,
    mu0: Scalar,
    nu0: Scalar,
    last_time: Scalar | float = np.inf,
    last_delta: Scalar | float = np.inf,
) -> Panels:
    """The panels of the orbit from (mu0, nu0), as far as `last_time` and `last_delta` ask for.

    They reach to mu = 80, or to where 48 of them end: from every start in [0, 40] beyond
    t = 1e15. Those that begin later than asked for are empty, and end at infinity. Differentiable
    in sizes and start; the edges are held fixed.
    """
    base = nu0 - jnp.log(segments - 1.0)
    share = jnp.exp(base)
    rise_slope, rise_bend, pace = CLASS_SLOPES[paradigm], CLASS_BENDS[paradigm], PACES[paradigm]
    nodes, weights = jnp.asarray(_RULE.nodes, base.dtype), jnp.asarray(_RULE.weights, base.dtype)
    integral = jnp.asarray(_RULE.integral, base.dtype)
    last_time, last_delta = jax.lax.stop_gradient(
        (jnp.asarray(last_time, base.dtype), jnp.asarray(last_delta, base.dtype))
    )
    State = tuple[Scalar, Scalar, Scalar]
    Row = tuple[tuple[Scalar, ...], Point, Point]

    def panel(state: State) -> tuple[State, Row]:
        edge, height, time = state
        eta = exp_climb(height, share)
        begin = share * jnp.exp(eta)
        depth, flat = base + eta, 1.0 + begin
        stride = jnp.minimum(_STRIDE * jnp.hypot(1.0, depth / jnp.pi), _LONGEST)
        fast = rise_slope(mu0 + edge, classes) / flat  # d nu / d mu
        if paradigm == "soft":  # whose exponent alpha mu moves as well
            fast *= 1.0 + (mu0 + edge) * begin / jnp.square(flat)
        width = stride / (1.0 + fast)
        width = jnp.minimum(jnp.minimum(width, _STRIDE), jnp.maximum(_LAST_MU - mu0 - edge, 0.0))
        width = jax.lax.stop_gradient(width)
        mu = mu0 + (edge + width * nodes)
        slopes = rise_slope(mu, classes)
        odds = begin * jnp.exp(exp_climb(width * (integral @ slopes), begin))
        rate = pace(mu, odds, classes)
        end = time + width * jnp.dot(weights, rate)
        after = (edge + width, height + width * jnp.dot(weights, slopes), end)
        climb = rise_slope(mu0 + edge, classes)
        return after, ((edge, width, time, end, eta, begin, climb), rate, rise_bend(mu, classes))

    def none(state: State) -> tuple[State, Row]:
        edge, _, time = state
        one, many = jnp.ones_like(edge), jnp.ones_like(nodes)
        return state, ((edge, one, time, jnp.full_like(time, jnp.inf), one, one, one), many, many)

    def step(state: State, _: None) -> tuple[State, Row]:
        # Written so that NaN is asked for.
        done = (state[0] > last_delta) | (state[2] > last_time)
        return jax.lax.cond(_anywhere(~done), panel, none, state)

    zero = jnp.zeros_like(base)
    start = (jax.lax.stop_gradient(zero), zero, zero)
    _, (edges, rate, bends) = jax.lax.scan(step, start, length=PANELS)
    turns = (_RULE.mean, _RULE.slope)
    mean, slope = (rate @ jnp.asarray(turn.T, base.dtype) for turn in turns)
    bend = bends @ jnp.asarray(_RULE.bend.T, base.dtype)
    edge, width, time, end, eta, odds, climb = edges
    return Panels(edge, width, time, end, eta, odds, climb, mean, slope, bend)
