"""The two potentials of the reduced system, and what it conserves: ``A(nu) - R(mu)``.

``nu'/mu'`` is ``(1 - alpha)`` times a function ``R'`` of mu alone for each paradigm, so that the
variables separate: ``dnu / (1 - alpha) = R'(mu) dmu``. A is the integral of the left side, R that
of the right one. R rises from 0 like ``(C-1) mu^2 / (2C)`` under every paradigm, and what the
textbook writes for it cancels there; the forms here are sums of positive terms, or quadratures of
positive integrands, and keep their digits relative to themselves.

Every function is elementwise, traceable and differentiable in all its arguments.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.theory.equations import FLOW_OF, gain
from jaxattn.theory.special import exp_dilogarithm, exp_excess, gauss_legendre

__all__ = [
    "CLASS_BENDS",
    "CLASS_POTENTIALS",
    "CLASS_RISES",
    "CLASS_SLOPES",
    "attention_potential",
    "attention_potential_slope",
    "invariant",
]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]

# What is integrated for hard attention has its singularity nearest to the real line pi away from
# it: over a step of 1, eight points leave (pi 2 + sqrt(1 + (pi 2)^2))^-16 = 3e-18.
_NODES, _WEIGHTS = gauss_legendre(8)


def attention_potential(nu: Number, segments: Number) -> Result:
    """``A(nu) = nu + (e^nu - 1) / (m - 1)``, the integral of ``1 / (1 - alpha)`` from 0.

    Finite up to nu = 709 in float64.
    """
    return jnp.add(nu, jnp.expm1(nu) / jnp.subtract(segments, 1.0))


def attention_potential_slope(nu: Number, segments: Number) -> Result:
    """``A'(nu) = 1 + e^nu / (m - 1) = 1 / (1 - alpha)``."""
    return 1.0 + jnp.exp(jnp.subtract(nu, jnp.log(jnp.subtract(segments, 1.0))))


def _soft_slope(mu: Number, classes: Number) -> Result:
    """``R' = (C-1) mu / C``."""
    return jnp.subtract(classes, 1.0) / classes * mu


def _hard_slope(mu: Number, classes: Number) -> Result:
    """``R' = w g / C``, with ``w = e^mu + C - 1`` and ``g = log(C beta)``."""
    return (jnp.exp(mu) + jnp.subtract(classes, 1.0)) * gain(mu, classes) / classes


def _lvml_slope(mu: Number, classes: Number) -> Result:
    """``R' = (w - w^2 e^-mu / C) / C = ((C-1)/C^2) (e^mu - 1) (1 + (C-1) e^-mu)``."""
    # No expm1(-mu): where expm1 of both mu and -mu meet in one reduction over many rows, XLA's CPU
    # library (YNNPACK, seen in JAX 0.10.2 and 0.12.0) takes one for the other. So with log1p.
    others = jnp.subtract(classes, 1.0)
    return others / classes / classes * jnp.expm1(mu) * (1.0 + others * jnp.exp(jnp.negative(mu)))


CLASS_SLOPES: dict[str, Callable[[Number, Number], Result]] = {
    "soft": _soft_slope,
    "hard": _hard_slope,
    "lvml": _lvml_slope,
}
"""``R'(mu, classes) = nu' / (mu' (1 - alpha))`` by paradigm."""


def _soft_bend(mu: Number, classes: Number) -> Result:
    """``R'' = (C-1) / C``."""
    return jnp.broadcast_to(jnp.subtract(classes, 1.0) / classes, jnp.shape(mu))


def _hard_bend(mu: Number, classes: Number) -> Result:
    """``R'' = (e^mu g + C - 1) / C``, as ``w g' = C - 1``."""
    return (jnp.exp(mu) * gain(mu, classes) + jnp.subtract(classes, 1.0)) / classes


def _lvml_bend(mu: Number, classes: Number) -> Result:
    """``R'' = ((C-1)/C^2) (e^mu + (C-1) e^-mu)``."""
    others = jnp.subtract(classes, 1.0)
    return others / classes / classes * (jnp.exp(mu) + others * jnp.exp(jnp.negative(mu)))


CLASS_BENDS: dict[str, Callable[[Number, Number], Result]] = {
    "soft": _soft_bend,
    "hard": _hard_bend,
    "lvml": _lvml_bend,
}
"""``R''(mu, classes)`` by paradigm, positive everywhere."""


def _soft_rise(delta: Number, mu0: Number, classes: Number) -> Result:
    """``((C-1)/C) delta (mu0 + delta/2)``."""
    return jnp.subtract(classes, 1.0) / classes * delta * jnp.add(mu0, jnp.divide(delta, 2.0))


def _hard_rise(delta: Number, mu0: Number, classes: Number) -> Result:
    """Up to ``delta = 1`` by parts: ``C (R - R(mu0)) = W g - (C-1) int W / w``.

    For ``w g' = C - 1``, and ``W = e^mu0 (e^delta - 1) + (C-1) delta`` is the integral of w from
    mu0. Its quotient by w is smooth and takes no logarithm, and what is subtracted is about half.
    Beyond it by the difference of the primitive ``C R = w g + (C-1) (G - mu)``, where
    ``G = int_0^mu g = mu^2/2 + mu log(C/(C-1)) + Li2(-e^mu/(C-1)) - Li2(-1/(C-1))``: its slope is
    ``e^mu g + (C-1) + (C-1) (g - 1) = w g``.
    """
    delta, mu0 = jnp.asarray(delta), jnp.asarray(mu0)
    others, base = jnp.subtract(classes, 1.0), jnp.log(jnp.subtract(classes, 1.0))
    near = jnp.abs(delta) < 1.0
    step = jnp.where(near, delta, 0.0)
    start = jnp.exp(mu0)

    def weights_to(part: Array) -> tuple[Array, Array]:
        """W and w."""
        grown = start * jnp.expm1(part)
        return grown + others * part, start + grown + others

    mean = jnp.zeros_like(step)
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        above, below = weights_to(node * step)
        mean += weight * above / below
    better = gain(mu0 + delta, classes)
    small = (weights_to(step)[0] * better - others * step * mean) / classes

    def bent(mu: Array) -> Array:
        """``G - mu``."""
        area = jnp.square(mu) / 2.0 + mu * jnp.log1p(1.0 / others)
        return area + exp_dilogarithm(mu - base) - mu

    end = jnp.exp(mu0 + delta) + others
    large = end * better / classes - _hard_slope(mu0, classes)
    large += others / classes * (bent(mu0 + delta) - bent(mu0))
    return jnp.where(near, small, large)


def _lvml_rise(delta: Number, mu0: Number, classes: Number) -> Result:
    """``((C-1)/C^2) [e^mu0 E(d) + (C-1) e^-mu0 E(-d) + d (e^mu0 - 1) (1 + (C-1) e^-mu0)]``.

    With ``E(d) = e^d - 1 - d``: the integral of the slope, its terms all positive.
    """
    others, shrunk = jnp.subtract(classes, 1.0), jnp.exp(jnp.negative(mu0))
    bent = jnp.exp(mu0) * exp_excess(delta) + others * shrunk * exp_excess(jnp.negative(delta))
    return others / classes / classes * bent + delta * _lvml_slope(mu0, classes)


CLASS_RISES: dict[str, Callable[[Number, Number, Number], Result]] = {
    "soft": _soft_rise,
    "hard": _hard_rise,
    "lvml": _lvml_rise,
}
"""``(delta, mu0, classes) -> R(mu0 + delta) - R(mu0)`` by paradigm.

Domain: delta, mu0 >= 0, mu0 + delta up to 690, C >= 2. Error: 1e-14 relative to itself, however
small delta is (`test_the_rise_of_the_class_potential_keeps_its_digits`).
"""


def _from_zero(rise: Callable[[Number, Number, Number], Result]) -> Callable[..., Result]:
    def potential(mu: Number, classes: Number) -> Result:
        return rise(mu, jnp.zeros_like(mu, jnp.result_type(float, mu)), classes)

    return potential


CLASS_POTENTIALS: dict[str, Callable[[Number, Number], Result]] = {
    name: _from_zero(rise) for name, rise in CLASS_RISES.items()
}
"""``R(mu, classes)`` by paradigm: the integral from 0 of ``nu' / (mu' (1 - alpha))``.

Domain: mu in [0, 690], C >= 2. Error: as in `CLASS_RISES`.
"""


def invariant(paradigm: str, mu: Number, nu: Number, segments: Number, classes: Number) -> Result:
    """``A(nu) - R(mu)``, which gradient flow conserves; a hybrid each of its two, in its time.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"`` or ``"em"``.
        mu: as in `jaxattn.theory.right_class`.
        nu: as in `jaxattn.theory.attention`.
        segments: m >= 2.
        classes: C >= 2.
    """
    return attention_potential(nu, segments) - CLASS_POTENTIALS[FLOW_OF[paradigm]](mu, classes)
