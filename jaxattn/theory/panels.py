"""An orbit cut into panels along mu, on each of which time is a polynomial.

Time along an orbit is ``T(mu) = int ds / mu'(s, nu(s))``, and the integrand is positive and smooth.
Its singularities nearest to the real line are where ``1 - alpha`` has a pole, at
``nu = log(m-1) + i pi``; seen from mu they come near, where nu takes off, as ``d nu/d mu`` is large
there. Panels therefore move on by a fixed distance in ``mu + nu``. On each, Gauss's 20 points give
``R'`` and so ``R`` and so nu, at these points, and from nu the integrand; the polynomial through
it is integrated exactly. What is left is below 1e-15 of the panel.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxattn.theory.equations import gain
from jaxattn.theory.potentials import CLASS_SLOPES
from jaxattn.theory.special import gauss_legendre, wright_omega

__all__ = ["Panels", "cut", "series"]

Scalar = Float[Array, ""]
Point = Float[Array, "point"]

PANELS = 48
_POINTS = 20
_STRIDE = 1.2
"""In nu at the take-off, where singularities are pi away, and in mu everywhere."""
_LONGEST = 2.5
"""In nu, far from the take-off."""
_LAST_MU = 80.0


class _Rule(NamedTuple):
    """What turns values at Gauss's points of [0, 1] into integrals and Chebyshev coefficients."""

    nodes: np.ndarray
    weights: np.ndarray
    integral: np.ndarray  # values -> integral from 0 to each point
    slope: np.ndarray  # values -> coefficients of the polynomial through them
    mean: np.ndarray  # values -> coefficients of its mean over [0, x]


def _rule(points: int) -> _Rule:
    nodes, weights = gauss_legendre(points)
    chebyshev = np.polynomial.chebyshev
    slope = np.linalg.inv(chebyshev.chebvander(2.0 * nodes - 1.0, points - 1))
    # The integral over [0, x] of the polynomial is x times one of the same degree, its mean.
    inner = nodes[:, None] * nodes  # Gauss's rule on [0, node], exact for this degree
    weigh = chebyshev.chebvander(2.0 * inner - 1.0, points - 1) @ slope
    mean = np.einsum("k,ikj->ij", weights, weigh)
    return _Rule(nodes, weights, nodes[:, None] * mean, slope, slope @ mean)


_RULE = _rule(_POINTS)


class Panels(NamedTuple):
    """One orbit from (mu0, nu0): panel k spans ``delta = mu - mu0`` from `edge` by `width`.

    Within it, at ``delta = edge + x width`` with x in [0, 1], the time since the start is
    ``time + width x mean(x)`` and its slope in delta is ``slope(x)``; both are Chebyshev series in
    ``2 x - 1``. `end` is the time at the end of each panel.
    """

    edge: Float[Array, "panel"]
    width: Float[Array, "panel"]
    time: Float[Array, "panel"]
    end: Float[Array, "panel"]
    mean: Float[Array, "panel term"]
    slope: Float[Array, "panel term"]


def series(coefficients: Float[Array, "... term"], x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The sum of ``coefficients[..., k] T_k(2 x - 1)``, by Clenshaw's recurrence."""
    turn = 2.0 * x - 1.0
    later, latest = jnp.zeros_like(x), jnp.zeros_like(x)
    for k in range(coefficients.shape[-1] - 1, 0, -1):
        later, latest = coefficients[..., k] + 2.0 * turn * later - latest, later
    return coefficients[..., 0] + turn * later - latest


def _soft_pace(mu: Point, odds: Point, classes: Scalar) -> Point:
    """``(e^(alpha mu) + C - 1) / alpha``, with ``alpha = odds / (1 + odds)``."""
    return (jnp.exp(mu * odds / (1.0 + odds)) + classes - 1.0) * (1.0 + 1.0 / odds)


def _hard_pace(mu: Point, odds: Point, classes: Scalar) -> Point:
    """``w / alpha``."""
    return (jnp.exp(mu) + classes - 1.0) * (1.0 + 1.0 / odds)


def _lvml_pace(mu: Point, odds: Point, classes: Scalar) -> Point:
    """``w / p``, with ``p = odds e^g / (1 + odds e^g)``."""
    return (jnp.exp(mu) + classes - 1.0) * (1.0 + jnp.exp(-gain(mu, classes)) / odds)


PACES = {"soft": _soft_pace, "hard": _hard_pace, "lvml": _lvml_pace}
"""``(mu, odds, classes) -> dt/dmu``, where ``odds = alpha / (1 - alpha) = e^nu / (m-1)``."""


def cut(paradigm: str, segments: Scalar, classes: Scalar, mu0: Scalar, nu0: Scalar) -> Panels:
    """The panels of the orbit from (mu0, nu0).

    They reach to mu = 80, or to where 48 of them end: from every start in [0, 40] beyond
    t = 1e15. Differentiable in every argument but the paradigm; the edges are held fixed.
    """
    base = nu0 - jnp.log(segments - 1.0)
    share = jnp.exp(base)
    rise_slope, pace = CLASS_SLOPES[paradigm], PACES[paradigm]
    nodes, weights = jnp.asarray(_RULE.nodes, base.dtype), jnp.asarray(_RULE.weights, base.dtype)
    integral = jnp.asarray(_RULE.integral, base.dtype)

    def log_odds(height: Array) -> Array:
        """``nu - log(m-1)``, where A has risen by `height`."""
        return jnp.log(wright_omega(height + share + base))

    def panel(
        state: tuple[Scalar, Scalar, Scalar], _: None
    ) -> tuple[tuple[Scalar, Scalar, Scalar], tuple[Array, ...]]:
        edge, height, time = state
        depth = log_odds(height)
        flat = 1.0 + jnp.exp(depth)
        stride = jnp.minimum(_STRIDE * jnp.hypot(1.0, depth / jnp.pi), _LONGEST)
        fast = rise_slope(mu0 + edge, classes) / flat  # d nu / d mu
        if paradigm == "soft":  # whose exponent alpha mu moves as well
            fast *= 1.0 + (mu0 + edge) * (flat - 1.0) / jnp.square(flat)
        width = stride / (1.0 + fast)
        width = jnp.minimum(jnp.minimum(width, _STRIDE), jnp.maximum(_LAST_MU - mu0 - edge, 0.0))
        width = jax.lax.stop_gradient(width)
        mu = mu0 + (edge + width * nodes)
        climb = rise_slope(mu, classes)
        odds = jnp.exp(log_odds(height + width * (integral @ climb)))
        rate = pace(mu, odds, classes)
        end = time + width * jnp.dot(weights, rate)
        after = (edge + width, height + width * jnp.dot(weights, climb), end)
        return after, (edge, width, time, end, rate)

    zero = jnp.zeros_like(base)
    start = (jax.lax.stop_gradient(zero), zero, zero)
    _, (edge, width, time, end, rate) = jax.lax.scan(panel, start, length=PANELS)
    mean, slope = (rate @ jnp.asarray(turn.T, base.dtype) for turn in (_RULE.mean, _RULE.slope))
    return Panels(edge, width, time, end, mean, slope)
