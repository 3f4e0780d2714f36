"""Fixed focus: how the classification model learns while the attention alpha is held constant.

The setting of `jaxattn.theory.equations` with the focus taken out: ``alpha`` is imposed on the
foreground and only mu, the logit gap of the right class, moves. Two things are asked of it: the
loss ``L(alpha)``, and the gap ``L(alpha) - L(alpha + 0.01)`` at the same mu, which is what a little
more attention would gain: the force on a focus that were free to move (PAPER 3.1; THEORY 4).

Notation: ``beta = e^mu / (e^mu + C - 1)``, ``Z = alpha beta + (1 - alpha) / C``. Every function is
elementwise, traceable in all its arguments, and in log space: no exponential overflows. Alpha may
be anything in (0, 1], its ends included where a limit exists.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

__all__ = ["AHEAD", "LIMITS", "LOSSES", "SPEEDS", "ahead_of", "gap", "gap_limit"]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]
Formula = Callable[[Number, Number, Number], Result]

AHEAD = 0.01
"""The little more attention whose gain is asked for (PAPER 3.1)."""


def _wrong(margin: Number, classes: Number) -> Result:
    """Logit of the probability of a wrong class at this logit gap: ``log((C-1) e^-margin)``."""
    return jnp.subtract(jnp.log(jnp.subtract(classes, 1.0)), margin)


def _soft_loss(mu: Number, alpha: Number, classes: Number) -> Result:
    """``log(1 + (C-1) e^(-alpha mu))``: what is read is the average, alpha times the foreground."""
    return jax.nn.softplus(_wrong(jnp.multiply(alpha, mu), classes))


def _hard_loss(mu: Number, alpha: Number, classes: Number) -> Result:
    """``-alpha log(beta) + (1-alpha) log(C)``: background is answered by guessing, always."""
    read = jax.nn.softplus(_wrong(mu, classes))
    return jnp.multiply(alpha, read) + jnp.subtract(1.0, alpha) * jnp.log(classes)


def _lvml_loss(mu: Number, alpha: Number, classes: Number) -> Result:
    """``-log(Z)``."""
    read, guess = -jax.nn.softplus(_wrong(mu, classes)), -jnp.log(classes)
    read, guess, alpha = jnp.broadcast_arrays(read, guess, alpha)
    # Shares as weights and not as logarithms, whose slope is infinite at alpha = 0 and 1.
    terms, shares = jnp.stack([read, guess]), jnp.stack([alpha, 1.0 - alpha])
    return -jax.nn.logsumexp(terms, axis=0, b=shares)


LOSSES: dict[str, Formula] = {"soft": _soft_loss, "hard": _hard_loss, "lvml": _lvml_loss}
"""``(mu, alpha, classes) -> L(alpha)``, the population loss in nats, by paradigm."""


def _speed(margin: Number, classes: Number) -> Result:
    """``1 / (e^margin + C - 1)``."""
    return jax.nn.sigmoid(_wrong(margin, classes)) / jnp.subtract(classes, 1.0)


def _soft_speed(mu: Number, alpha: Number, classes: Number) -> Result:
    """``alpha / (e^(alpha mu) + C - 1)``."""
    return jnp.multiply(alpha, _speed(jnp.multiply(alpha, mu), classes))


def _hard_speed(mu: Number, alpha: Number, classes: Number) -> Result:
    """``alpha / (e^mu + C - 1)``."""
    return jnp.multiply(alpha, _speed(mu, classes))


def _lvml_speed(mu: Number, alpha: Number, classes: Number) -> Result:
    """``(alpha beta / Z) / (e^mu + C - 1)``; ``beta / Z`` is at most C where beta is above 1/C."""
    surprise = jnp.exp(_lvml_loss(mu, alpha, classes) - jax.nn.softplus(_wrong(mu, classes)))
    return jnp.multiply(alpha, surprise) * _speed(mu, classes)


SPEEDS: dict[str, Formula] = {"soft": _soft_speed, "hard": _hard_speed, "lvml": _lvml_speed}
"""``(mu, alpha, classes) -> mu'`` under gradient flow, by paradigm: ``-L'(mu) / (C - 1)``."""


def _soft_limit(alpha: Number, classes: Number) -> Result:
    """0: a large mu makes up for any attention above 0."""
    return jnp.zeros(jnp.broadcast_shapes(jnp.shape(alpha), jnp.shape(classes)))


def _hard_limit(alpha: Number, classes: Number) -> Result:
    """``(1-alpha) log(C)``: the share that is read from the background stays a guess."""
    return jnp.subtract(1.0, alpha) * jnp.log(classes)


def _lvml_limit(alpha: Number, classes: Number) -> Result:
    """``-log(alpha + (1-alpha) / C)``."""
    return jnp.log(1.0 / (alpha + jnp.subtract(1.0, alpha) / classes))


LIMITS: dict[str, Callable[[Number, Number], Result]] = {
    "soft": _soft_limit,
    "hard": _hard_limit,
    "lvml": _lvml_limit,
}
"""``(alpha, classes) -> L(alpha)`` as time goes to infinity: a classification model that is perfect
on the foreground and uniform on the background has this loss, and no training gets below it."""


def ahead_of(alpha: Number, ahead: Number = AHEAD) -> Result:
    """``min(alpha + ahead, 1)``."""
    return jnp.minimum(jnp.add(alpha, ahead), 1.0)


def gap(paradigm: str, mu: Number, alpha: Number, classes: Number, ahead: Number = AHEAD) -> Result:
    """``L(alpha) - L(min(alpha + ahead, 1))`` at the same mu.

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        mu: logit of the right class above the others', the foreground read alone.
        alpha: attention on the foreground.
        classes: C >= 2.
        ahead: how much more attention.
    """
    loss = LOSSES[paradigm]
    return loss(mu, alpha, classes) - loss(mu, ahead_of(alpha, ahead), classes)


def gap_limit(paradigm: str, alpha: Number, classes: Number, ahead: Number = AHEAD) -> Result:
    """`gap` as time goes to infinity.

    Soft 0; hard ``ahead log(C)`` at every alpha; LVML the logarithm of the ratio
    ``(alpha' + (1-alpha')/C) / (alpha + (1-alpha)/C)`` with ``alpha' = alpha + ahead``.
    """
    limit = LIMITS[paradigm]
    return limit(alpha, classes) - limit(ahead_of(alpha, ahead), classes)
