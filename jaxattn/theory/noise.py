"""What isotropic noise on the background adds to the population losses, to order sigma^2.

Setting: that of `jaxattn.theory.equations`, but each background segment is drawn from
``N(0, sigma^2 I)`` on the foregrounds' own coordinates instead of being 0. The noise does not care
which class is which, so gradient flow from zero keeps ``u_c = nu`` and ``W_cc - W_cc' = mu``: it
stays a flow of two numbers, of the loss ``L + sigma^2 L_1 + O(sigma^4)``. Both speeds follow from
a loss as in `equations`: ``mu' = -(1/(C-1)) dL/dmu``, ``nu' = -(1/C) dL/dnu``.

Derivation: a background segment ``x`` has score ``s = u.x`` and logits ``l = W^T x`` with
``E s^2 = sigma^2 |u|^2 = sigma^2 C nu^2``, ``E l l^T = sigma^2 W^T W = sigma^2 mu^2 (I - 11^T/C)``
and ``E s l = 0``, as the columns of W sum to 0. With b the attention on one background segment,
its score moves the attention on the foreground to second order by
``E delta alpha = -alpha (1-alpha) (1/2 - b) sigma^2 C nu^2``: noisy scores draw attention away.
``L_1`` collects this and the second-order terms in ``l``, segment by segment.

Foregrounds that are equally correlated (Gram matrix ``(1 - rho) I + rho 11^T``) give the same
losses with ``|u|^2 = C nu^2 / (1 + (C-1) rho)`` and ``W^T W = mu^2 (I - 11^T/C) / (1 - rho)``.

Error: rounding. Tests: against the Laplacian of each paradigm's loss by automatic
differentiation, and against the flow of all parameters on quasi-random bags
(`tests/theory/test_noise.py`, `tests/experiments/departures/test_limits.py`).
"""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.theory.equations import attention, gain, right_class

__all__ = ["NOISE_LOSSES"]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]


def _sizes(mu: Number, nu: Number, classes: Number, rho: Number) -> tuple[Result, Result]:
    """``|u|^2`` and the square of mu that the noise sees."""
    together = 1 + jnp.subtract(classes, 1) * rho
    return jnp.square(nu) * classes / together, jnp.square(mu) / (1 - jnp.asarray(rho))


def _soft(mu: Number, nu: Number, segments: Number, classes: Number, rho: Number = 0.0) -> Result:
    """``(1-alpha) [alpha (1/2 - b) |u|^2 mu (1-v) + (b/2) V]``, with v right where read softly.

    ``V = alpha^2 mu^2 v (1-v) |u|^2 + mu^2 (1-v) (C-2 + C v)/(C-1)`` is the variance of the logits
    under the answer: of the attention that moves, and of the background that is averaged in.
    """
    alpha = attention(nu, segments)
    right = right_class(alpha * mu, classes)
    wrong, others = 1 - right, jnp.subtract(classes, 1)
    each = (1 - alpha) / jnp.subtract(segments, 1)
    score, logit = _sizes(mu, nu, classes, rho)
    spread = jnp.square(alpha * mu) * right * wrong * score
    spread += logit * wrong * (others - 1 + classes * right) / others
    lost = alpha * (0.5 - each) * score * mu * wrong
    return (1 - alpha) * (lost + 0.5 * each * spread)


def _hard(mu: Number, nu: Number, segments: Number, classes: Number, rho: Number = 0.0) -> Result:
    """``(1-alpha) [alpha (1/2 - b) |u|^2 g + (C-1) mu^2 / (2C)]``."""
    alpha = attention(nu, segments)
    each = (1 - alpha) / jnp.subtract(segments, 1)
    score, logit = _sizes(mu, nu, classes, rho)
    lost = alpha * (0.5 - each) * score * gain(mu, classes)
    return (1 - alpha) * (lost + 0.5 * jnp.subtract(classes, 1) / classes * logit)


def _lvml(mu: Number, nu: Number, segments: Number, classes: Number, rho: Number = 0.0) -> Result:
    """``(1-alpha) [alpha (1/2 - b) |u|^2 r + (b/2) (alpha^2 r^2 |u|^2 + q^2 mu^2 (C-1)/C)]``.

    ``r = (beta - 1/C) / Z`` and ``q = 1 / (C Z)``. What a noisy background answers is right as
    often as before, on average: only the variance of Z counts.
    """
    alpha = attention(nu, segments)
    each = (1 - alpha) / jnp.subtract(segments, 1)
    score, logit = _sizes(mu, nu, classes, rho)
    more = jnp.expm1(gain(mu, classes))
    guess = 1 / (1 + alpha * more)
    better = more * guess
    lost = alpha * (0.5 - each) * score * better
    spread = jnp.square(alpha * better) * score
    spread += jnp.square(guess) * logit * jnp.subtract(classes, 1) / classes
    return (1 - alpha) * (lost + 0.5 * each * spread)


NOISE_LOSSES: Mapping[str, Callable[..., Result]] = {"soft": _soft, "hard": _hard, "lvml": _lvml}
"""``(mu, nu, segments, classes, rho=0) -> L_1``, the loss per sigma^2, by paradigm."""
