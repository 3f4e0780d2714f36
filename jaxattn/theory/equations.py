"""The reduced (mu, nu) systems of the solvable setting, and their losses.

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
from jaxtyping import Array, ArrayLike, Float, Real

__all__ = [
    "FIELDS",
    "FLOW_OF",
    "LOSSES",
    "attention",
    "gain",
    "right_class",
]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]
Velocity = tuple[Result, Result]

_LARGEST = 80.0
"""Beyond it ``C beta`` is C to the last bit, while ``e^mu`` is finite, in float32 too."""


def _others(count: Number) -> Result:
    return jnp.subtract(count, 1.0)


def _focus(nu: Number, segments: Number) -> Result:
    """The logit of alpha: ``alpha = e^nu / (e^nu + m - 1) = sigmoid(nu - log(m - 1))``."""
    return jnp.subtract(nu, jnp.log(_others(segments)))


def _skill(mu: Number, classes: Number) -> Result:
    """The logit of beta: ``beta = e^mu / (e^mu + C - 1) = sigmoid(mu - log(C - 1))``."""
    return jnp.subtract(mu, jnp.log(_others(classes)))


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


def gain(mu: Number, classes: Number) -> Result:
    """``g = log(C beta)``, the gain over guessing: it vanishes at 0 and keeps its digits there.

    Domain: mu >= 0, C in [2, 1e15]. Error: 4e-16 relative to itself
    (`test_the_gain_over_guessing_keeps_its_digits`).

    Args:
        mu: as in `right_class`.
        classes: C >= 2.
    """
    # C beta = 1 + (C-1) (e^mu - 1) / w. The other way round, 1/(C beta) = 1 - ..., log1p would
    # have a negative argument, where XLA's on a CPU is wrong by 3e-14 (at -0.414, JAX 0.10.2).
    grown = jnp.expm1(jnp.minimum(mu, _LARGEST))
    return jnp.log1p(_others(classes) * (grown / (grown + classes)))


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
    return fast, alpha * jax.nn.sigmoid(-focus) * gain(mu, classes) / classes


def _lvml(mu: Number, nu: Number, segments: Number, classes: Number) -> Velocity:
    """Latent variable marginal likelihood, ``L = -log Z``, ``Z = alpha beta + (1-alpha)/C``.

    ``mu' = alpha beta / (Z w)``, ``nu' = alpha (1-alpha) (beta - 1/C) / (C Z)``. The posterior of
    the foreground is ``p = alpha beta / Z = sigmoid(logit(alpha) + g)``, so that ``mu' = p / w``
    and, as ``(1-alpha) / (C Z) = 1 - p`` and ``C beta - 1 = e^g - 1``,
    ``nu' = alpha (1-p) (e^g - 1) / C``, which is also ``(p - alpha) / C``.
    """
    focus = _focus(nu, segments)
    better = gain(mu, classes)
    wrong = jax.nn.sigmoid(-_skill(mu, classes))
    fast = jax.nn.sigmoid(focus + better) * wrong / _others(classes)
    surprise = jax.nn.sigmoid(-focus - better) * jnp.expm1(better)
    return fast, jax.nn.sigmoid(focus) * surprise / classes


FIELDS: dict[str, Callable[[Number, Number, Number, Number], Velocity]] = {
    "soft": _soft,
    "hard": _hard,
    "lvml": _lvml,
}
"""``(mu, nu, segments, classes) -> (mu', nu')`` by paradigm; finite for all of them finite."""

FLOW_OF: dict[str, str] = {**{name: name for name in FIELDS}, "em": "lvml"}
"""By paradigm, whose field its flow follows: the gradient of EM's loss is that of LVML."""


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


def _em_loss(mu: Number, nu: Number, segments: Number, classes: Number) -> Result:
    """``-p log(alpha beta) - (1-p) log((1-alpha) / ((m-1) C))``, p the posterior as in LVML."""
    focus, skill = _focus(nu, segments), _skill(mu, classes)
    surer = focus + gain(mu, classes)
    read = jax.nn.softplus(-focus) + jax.nn.softplus(-skill)
    guess = jax.nn.softplus(focus) + jnp.log(_others(segments)) + jnp.log(classes)
    return jax.nn.sigmoid(surer) * read + jax.nn.sigmoid(-surer) * guess


LOSSES: dict[str, Callable[[Number, Number, Number, Number], Result]] = {
    "soft": _soft_loss,
    "hard": _hard_loss,
    "lvml": _lvml_loss,
    "em": _em_loss,
}
"""``(mu, nu, segments, classes) -> population loss`` in nats, by paradigm.

EM's, responsibilities held constant, is not what its flow descends: that is LVML's."""
