"""Fixed focus: the classification model's problem while the attention alpha is held constant.

The setting of `jaxattn.theory.equations` with the focus taken out: ``alpha`` is imposed on the
foreground and only mu, the logit gap of the right class, moves. Three things are asked of it: the
loss ``L(alpha)``; the force ``-dL/dalpha`` on a focus that were free to move, mu held fixed; and
its finite form, the gap ``L(alpha) - L(alpha + 0.01)``, which is what a little more attention would
gain (PAPER 3.1; THEORY 4). `jaxattn.theory.fixed_times` follows them in time.

Notation: ``beta = e^mu / (e^mu + C - 1)``, ``Z = alpha beta + (1 - alpha) / C``, and the gain over
guessing ``g = log(C beta)``, so that ``C Z = 1 + alpha (e^g - 1)``. Every function is elementwise,
traceable in all its arguments, and no exponential overflows. Alpha may be anything in [0, 1].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.theory.equations import gain

__all__ = ["AHEAD", "FORCES", "LIMITS", "LOSSES", "SPEEDS", "ahead_of", "gap", "gap_limit"]

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
    """``-log(Z)``, as ``log(1 + (1-Z)/Z)``: Z and ``1 - Z`` are sums of positive terms both.

    ``1 - Z = alpha (1-beta) + (1-alpha) (C-1)/C``. The loss so keeps its digits where it is small.
    """
    wrong, rest = _wrong(mu, classes), jnp.subtract(1.0, alpha)
    hit = jnp.multiply(alpha, jax.nn.sigmoid(-wrong)) + rest / classes
    guess = jnp.subtract(classes, 1.0) / classes
    return jnp.log1p((jnp.multiply(alpha, jax.nn.sigmoid(wrong)) + rest * guess) / hit)


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


def _soft_force(mu: Number, alpha: Number, classes: Number) -> Result:
    """``mu (C-1) / (e^(alpha mu) + C - 1)``: it fades as the model adapts to the focus it has."""
    return jnp.multiply(mu, jax.nn.sigmoid(_wrong(jnp.multiply(alpha, mu), classes)))


def _hard_force(mu: Number, alpha: Number, classes: Number) -> Result:
    """``g``, which does not depend on alpha, and grows to ``log(C)``."""
    return jnp.broadcast_to(
        gain(mu, classes), jnp.broadcast_shapes(*map(jnp.shape, (mu, alpha, classes)))
    )


def _lvml_force(mu: Number, alpha: Number, classes: Number) -> Result:
    """``(beta - 1/C) / Z = (e^g - 1) / (1 + alpha (e^g - 1))``."""
    better = jnp.expm1(gain(mu, classes))
    return better / (1.0 + jnp.multiply(alpha, better))


FORCES: dict[str, Formula] = {"soft": _soft_force, "hard": _hard_force, "lvml": _lvml_force}
"""``(mu, alpha, classes) -> -dL/dalpha`` at fixed mu, by paradigm.

Domain: mu >= 0, alpha in [0, 1], C in [2, 1e9]. As time goes to infinity: soft 0, hard ``log(C)``,
LVML ``(C-1) / (1 + alpha (C-1))``. Error: that of `jaxattn.theory.gain`, and for soft attention
that of ``alpha mu`` in an exponent (`test_the_force_is_minus_the_slope_of_the_loss_in_alpha`).
"""


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


def _soft_gap(mu: Number, alpha: Number, ahead: Number, classes: Number) -> Result:
    """``log1p((C-1) (e^(-alpha mu) - e^(-alpha' mu)) / (1 + (C-1) e^(-alpha' mu)))``."""
    now, later = jnp.multiply(alpha, mu), jnp.add(alpha, ahead) * mu
    share = jnp.exp(_wrong(now, classes) - jax.nn.softplus(_wrong(later, classes)))
    return jnp.log1p(share * -jnp.expm1(-jnp.multiply(ahead, mu)))


def _hard_gap(mu: Number, alpha: Number, ahead: Number, classes: Number) -> Result:
    """``(alpha' - alpha) g``."""
    return jnp.multiply(ahead, _hard_force(mu, alpha, classes))


def _lvml_gap(mu: Number, alpha: Number, ahead: Number, classes: Number) -> Result:
    """``log(Z' / Z)``, where ``(Z' - Z) / Z`` is ``alpha' - alpha`` times the force."""
    return jnp.log1p(ahead * _lvml_force(mu, alpha, classes))


_GAPS = {"soft": _soft_gap, "hard": _hard_gap, "lvml": _lvml_gap}


def gap(paradigm: str, mu: Number, alpha: Number, classes: Number, ahead: Number = AHEAD) -> Result:
    """``L(alpha) - L(min(alpha + ahead, 1))`` at the same mu; no difference of losses is taken.

    Domain: as `FORCES`. Error: that of `FORCES`, relative to the gap itself, however small
    (`test_the_gap_keeps_its_digits_where_the_losses_are_all_but_equal`).

    Args:
        paradigm: ``"soft"``, ``"hard"`` or ``"lvml"``.
        mu: logit of the right class above the others', the foreground read alone.
        alpha: attention on the foreground.
        classes: C >= 2.
        ahead: how much more attention.
    """
    # Not ahead_of(alpha) - alpha, which rounds to the digits of alpha.
    more = jnp.minimum(ahead, jnp.subtract(1.0, alpha))
    return _GAPS[paradigm](mu, alpha, more, classes)


def gap_limit(paradigm: str, alpha: Number, classes: Number, ahead: Number = AHEAD) -> Result:
    """`gap` as time goes to infinity.

    Soft 0; hard ``ahead log(C)`` at every alpha; LVML the logarithm of the ratio
    ``(alpha' + (1-alpha')/C) / (alpha + (1-alpha)/C)`` with ``alpha' = alpha + ahead``.
    """
    limit = LIMITS[paradigm]
    return limit(alpha, classes) - limit(ahead_of(alpha, ahead), classes)
