"""Attention maps with exact zeros, and the spherical one: alternatives to softmax.

Sources: Martins and Astudillo (ICML 2016), sparsemax; Peters, Niculae and Martins (ACL 2019),
entmax; Correia, Niculae and Martins (EMNLP 2019), its derivative by alpha; de Brebisson and
Vincent (ICLR 2016), spherical softmax.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import AttentionMap, Example, Hyper, HyperSpec
from jaxattn.problems.log_attention import log_of

__all__ = ["entmax", "entmax_of", "sparsemax", "spherical"]


@jax.custom_jvp
def entmax_of(
    scores: Float[Array, " segment"], alpha: Float[Array, ""]
) -> Float[Array, " segment"]:
    """Entmax of all scores: ``a_j = [1 + (alpha - 1)(s_j - c)]_+ ^ (1 / (alpha - 1))``.

    Of all attention it has the largest ``s . a`` plus Tsallis entropy of order `alpha`, and c is
    what makes it sum to 1. It tends to softmax as `alpha` falls to 1, and is the Euclidean
    projection of the scores on the simplex (sparsemax) at 2.

    Args:
        scores: -inf where there is to be no attention; at least one is finite.
        alpha: above 1, at most 2.
    """
    below = scores - jnp.max(scores)

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        c, _ = state
        attention, slope = _at(below, c, alpha)
        return c + (jnp.sum(attention) - 1) / jnp.sum(slope), c

    # The sum falls in c and is convex. So Newton's method from the left rises to its root and never
    # passes it: it has arrived once it no longer rises.
    start = (jnp.zeros((), below.dtype), -jnp.ones((), below.dtype))
    c, _ = jax.lax.while_loop(lambda state: state[0] > state[1], step, start)
    return _at(below, c, alpha)[0]


def _at(below: Array, c: Array, alpha: Array) -> tuple[Array, Array]:
    """Attention at a threshold c, and how fast it falls with c: its power ``2 - alpha``."""
    # As a logarithm of 1 + x, which keeps its digits as alpha falls to 1. It is NaN of NaN.
    x = (alpha - 1) * (below - c)
    none = x <= -1
    log_attention = jnp.log1p(jnp.where(none, 0, x)) / (alpha - 1)
    attention = jnp.where(none, 0, jnp.exp(log_attention))
    return attention, jnp.where(none, 0, jnp.exp((2 - alpha) * log_attention))


@entmax_of.defjvp
def _entmax_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # By the implicit function theorem, and of the attention itself, which is differentiated by this
    # rule again: so derivatives of every order are right, forwards and backwards.
    scores, alpha = primals
    by_score, by_alpha = tangents
    attention = entmax_of(scores, alpha)
    none = attention == 0
    log_attention = jnp.log(jnp.where(none, 1, attention))
    slope = jnp.where(none, 0, jnp.exp((2 - alpha) * log_attention))
    share = slope / jnp.sum(slope)
    spread = -attention * log_attention
    of_alpha = (attention - share) / (alpha - 1) ** 2
    of_alpha += (spread - share * jnp.sum(spread)) / (alpha - 1)
    moved = slope * by_score
    return attention, moved - share * jnp.sum(moved) + of_alpha * by_alpha


def _real(scores: Float[Array, " segment"], example: Example) -> Float[Array, " segment"]:
    return jnp.where(example.mask, scores, -jnp.inf)


def _entmax(
    scores: Float[Array, " segment"], example: Example, hyper: Hyper
) -> Float[Array, " segment"]:
    return log_of(entmax_of(_real(scores, example), hyper["entmax_alpha"]))


def _sparsemax(
    scores: Float[Array, " segment"], example: Example, hyper: Hyper
) -> Float[Array, " segment"]:
    del hyper
    return log_of(entmax_of(_real(scores, example), jnp.asarray(2, scores.dtype)))


def _spherical(
    scores: Float[Array, " segment"], example: Example, hyper: Hyper
) -> Float[Array, " segment"]:
    del hyper
    real = jnp.where(example.mask, scores, 0)
    # By the largest first, so that no square is too large for the precision.
    squares = (real / jax.lax.stop_gradient(jnp.max(jnp.abs(real)))) ** 2
    return log_of(squares / jnp.sum(squares))


entmax = AttentionMap(
    _entmax,
    (
        HyperSpec(
            "entmax_alpha",
            1.5,
            low=1.0,
            high=2.0,
            open_low=True,
            doc="near 1 attention is softmax's, at 2 sparsemax's",
        ),
    ),
)
"""Entmax over the real segments: between softmax and sparsemax, with exact zeros."""

sparsemax = AttentionMap(_sparsemax)
"""The Euclidean projection of the scores on the simplex: attention is linear where it is at all."""

spherical = AttentionMap(_spherical)
"""Squares of the scores, divided by their sum: it knows neither their size nor their sign.

Where all scores are zero it is 0 / 0, so a model cannot start there.
"""
