"""The reduced (mu, nu) systems of the solvable setting, their losses and their invariants.

Setting: a bag of m segments, one of them the foreground ``e_c`` of class c (C classes, equally
likely), the others 0; linear scores ``u . x``, linear logits ``W^T x``, zero start. By symmetry
``u = nu (1, ..., 1)`` and ``W_cc - W_cc' = mu`` stay true under gradient flow on the population
loss, which is therefore *exactly* a flow of two numbers. With u on the ray ``nu (1, ..., 1)`` and
W on its own symmetric ray, ``d nu/dt = -(1/C) dL/dnu`` (C coordinates move alike) and
``d mu/dt = -(1/(C-1)) dL/dmu``; the losses below give the fields. Source: sections 3 and 4 of the
paper that the README cites; the forms here are rewritten so that no exponential overflows.

Notation: ``alpha`` is the attention on the foreground, ``beta`` the probability of the right class
where the foreground is read, ``w = e^mu + C - 1``, ``g = log(C beta)`` the gain over guessing.
Every function is elementwise, traceable in all its arguments, and free of units.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import spence
from jaxtyping import Array, ArrayLike, Float, Real

__all__ = [
    "CLASS_POTENTIALS",
    "FIELDS",
    "LOSSES",
    "attention",
    "attention_potential",
    "attention_potential_slope",
    "invariant",
    "right_class",
]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]
Velocity = tuple[Result, Result]


def _others(count: Number) -> Result:
    return jnp.subtract(count, 1.0)


def _focus(nu: Number, segments: Number) -> Result:
    """The logit of alpha: ``alpha = e^nu / (e^nu + m - 1) = sigmoid(nu - log(m - 1))``."""
    return jnp.subtract(nu, jnp.log(_others(segments)))


def _skill(mu: Number, classes: Number) -> Result:
    """The logit of beta: ``beta = e^mu / (e^mu + C - 1) = sigmoid(mu - log(C - 1))``."""
    return jnp.subtract(mu, jnp.log(_others(classes)))


def _gain(mu: Number, classes: Number) -> Result:
    """``g = log(C beta)``, accurate relative to itself near ``mu = 0``, where it vanishes.

    ``1/(C beta) = 1 + ((C-1)/C) (e^-mu - 1)``; away from 0 that form would lose ``1/C``.
    """
    shrink = _others(classes) / classes
    near = jnp.abs(mu) < 1.0
    small = -jnp.log1p(shrink * jnp.expm1(-jnp.where(near, mu, 0.0)))
    large = jnp.log(classes) + jax.nn.log_sigmoid(_skill(mu, classes))
    return jnp.where(near, small, large)


def attention(nu: Number, segments: Number) -> Result:
    """``alpha = e^nu / (e^nu + m - 1)``: the attention on the foreground.

    Args:
        nu: score of the foreground above the background's.
        segments: m >= 2.
    """
    return jax.nn.sigmoid(_focus(nu, segments))


def right_class(mu: Number, classes: Number) -> Result:
    """``beta = e^mu / (e^mu + C - 1)``: the probability of the right class, read in full.

    Args:
        mu: logit of the right class above the others'.
        classes: C >= 2.
    """
    return jax.nn.sigmoid(_skill(mu, classes))


def _soft(mu: Number, nu: Number, segments: Number, classes: Number) -> Velocity:
    """Soft attention, ``L = log(1 + (C-1) e^(-alpha mu))``.

    ``mu' = alpha / (e^(alpha mu) + C - 1)``, ``nu' = alpha (1-alpha) (C-1) mu / (C (same))``, with
    ``(C-1) / (e^x + C - 1) = sigmoid(log(C-1) - x)``.
    """
    focus = _focus(nu, segments)
    alpha = jax.nn.sigmoid(focus)
    wrong = jax.nn.sigmoid(-_skill(alpha * mu, classes))
    fast = alpha * wrong / _others(classes)
    return fast, alpha * jax.nn.sigmoid(-focus) * mu * wrong / classes


def _hard(mu: Number, nu: Number, segments: Number, classes: Number) -> Velocity:
    """Hard attention in expectation, ``L = -alpha log(beta) + (1-alpha) log(C)``.

    ``mu' = alpha / w``, ``nu' = alpha (1-alpha) g / C``.
    """
    focus = _focus(nu, segments)
    alpha = jax.nn.sigmoid(focus)
    wrong = jax.nn.sigmoid(-_skill(mu, classes))
    fast = alpha * wrong / _others(classes)
    return fast, alpha * jax.nn.sigmoid(-focus) * _gain(mu, classes) / classes


def _lvml(mu: Number, nu: Number, segments: Number, classes: Number) -> Velocity:
    """Latent variable marginal likelihood, ``L = -log Z``, ``Z = alpha beta + (1-alpha)/C``.

    ``mu' = alpha beta / (Z w)``, ``nu' = alpha (1-alpha) (beta - 1/C) / (C Z)``. The posterior of
    the foreground is ``p = alpha beta / Z = sigmoid(logit(alpha) + g)``, so that ``mu' = p / w``
    and, as ``(1-alpha) / (C Z) = 1 - p`` and ``C beta - 1 = e^g - 1``,
    ``nu' = alpha (1-p) (e^g - 1) / C``, which is also ``(p - alpha) / C``.
    """
    focus = _focus(nu, segments)
    gain = _gain(mu, classes)
    wrong = jax.nn.sigmoid(-_skill(mu, classes))
    fast = jax.nn.sigmoid(focus + gain) * wrong / _others(classes)
    surprise = jax.nn.sigmoid(-focus - gain) * jnp.expm1(gain)
    return fast, jax.nn.sigmoid(focus) * surprise / classes


FIELDS: dict[str, Callable[[Number, Number, Number, Number], Velocity]] = {
    "soft": _soft,
    "hard": _hard,
    "lvml": _lvml,
}
"""``(mu, nu, segments, classes) -> (mu', nu')`` by paradigm; finite for all of them finite."""


def _soft_loss(mu: Number, nu: Number, segments: Number, classes: Number) -> Result:
    return jax.nn.softplus(-_skill(attention(nu, segments) * mu, classes))


def _hard_loss(mu: Number, nu: Number, segments: Number, classes: Number) -> Result:
    focus = _focus(nu, segments)
    guess = jnp.log(classes)
    read = jax.nn.softplus(-_skill(mu, classes))
    return jax.nn.sigmoid(focus) * read + jax.nn.sigmoid(-focus) * guess


def _lvml_loss(mu: Number, nu: Number, segments: Number, classes: Number) -> Result:
    focus = _focus(nu, segments)
    guess = jnp.log(classes)
    read = jax.nn.log_sigmoid(focus) + jax.nn.log_sigmoid(_skill(mu, classes))
    return -jnp.logaddexp(read, jax.nn.log_sigmoid(-focus) - guess)


LOSSES: dict[str, Callable[[Number, Number, Number, Number], Result]] = {
    "soft": _soft_loss,
    "hard": _hard_loss,
    "lvml": _lvml_loss,
}
"""``(mu, nu, segments, classes) -> population loss`` in nats, by paradigm."""


def attention_potential(nu: Number, segments: Number) -> Result:
    """``A(nu) = nu + (e^nu - 1) / (m - 1)``, the integral of ``1 / (1 - alpha)`` from 0.

    Finite up to nu = 709 in float64.
    """
    return jnp.add(nu, jnp.expm1(nu) / _others(segments))


def attention_potential_slope(nu: Number, segments: Number) -> Result:
    """``A'(nu) = 1 + e^nu / (m - 1) = 1 / (1 - alpha)``."""
    return 1.0 + jnp.exp(_focus(nu, segments))


def _soft_potential(mu: Number, classes: Number) -> Result:
    """``R = (C-1) mu^2 / (2 C)``: ``nu'/mu' = (1-alpha) (C-1) mu / C``."""
    return _others(classes) / classes * jnp.square(mu) / 2.0


def _hard_potential(mu: Number, classes: Number) -> Result:
    """``C R = mu e^mu + (C-1) (mu^2/2 + mu log(C/(C-1))) - w log(w/C) + (C-1) (D(mu) - D(0))``.

    ``D(mu) = Li2(-e^mu / (C-1))``, and ``Li2(x) = spence(1 - x)``. From ``nu'/mu' = (1-alpha)
    w g / C``: as ``D' = -log(w / (C-1))``, the right side above has the slope
    ``w (mu + log C - log w) = w g``, and it is 0 at 0.

    R starts as ``(C-1) mu^3 / (6 C^2)`` while its terms start lower and cancel: below mu about
    0.01 the absolute error, 1e-15, is what remains. Finite up to mu about 700.
    """
    mu, others = jnp.asarray(mu), _others(classes)
    grown = jnp.expm1(mu)
    dilog = spence(1.0 + jnp.exp(_skill(mu, classes))) - spence(1.0 + 1.0 / others)
    square = jnp.square(mu) / 2.0 - mu * jnp.log1p(-1.0 / classes)
    whole = (grown + classes) * jnp.log1p(grown / classes)
    return (mu * jnp.exp(mu) + others * (square + dilog) - whole) / classes


def _lvml_potential(mu: Number, classes: Number) -> Result:
    """``R = ((C-1)/C^2) [(e^mu - 1) + (C-2) mu + (C-1) (e^-mu - 1)]``.

    From ``nu'/mu' = (1-alpha) (w - w^2 e^-mu / C) / C``, with
    ``w^2 e^-mu = e^mu + 2 (C-1) + (C-1)^2 e^-mu``. The terms of first order in mu cancel.
    """
    # 1 - e^-mu is written by e^mu - 1: where expm1 of both mu and -mu meet in one reduction over
    # many rows, XLA's CPU library (YNNPACK, seen in JAX 0.10.2 and 0.12.0) takes one for the other.
    mu, others = jnp.asarray(mu), _others(classes)
    grown = jnp.expm1(mu)
    bracket = grown + (classes - 2.0) * mu - others * (grown * jnp.exp(-mu))
    return others / classes / classes * bracket


CLASS_POTENTIALS: dict[str, Callable[[Number, Number], Result]] = {
    "soft": _soft_potential,
    "hard": _hard_potential,
    "lvml": _lvml_potential,
}
"""``R(mu, classes)`` by paradigm: the integral from 0 of ``nu' / (mu' (1 - alpha))``."""


def invariant(paradigm: str, mu: Number, nu: Number, segments: Number, classes: Number) -> Result:
    """``A(nu) - R(mu)``, which gradient flow conserves.

    ``nu'/mu'`` is ``(1 - alpha)`` times a function of mu alone for each paradigm, so the variables
    separate: ``dnu / (1 - alpha) = R'(mu) dmu``. A hybrid conserves each of its two, in its time.

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        mu: as in `right_class`.
        nu: as in `attention`.
        segments: m >= 2.
        classes: C >= 2.
    """
    return attention_potential(nu, segments) - CLASS_POTENTIALS[paradigm](mu, classes)
