"""What attention on words is, held against the words that people decide by, and against itself.

A word is *attended* where it has more attention than an even share, and the one that has most is
always; so no post of two words or more is attended whole.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxattn.core.contracts import Example, MeasureSpec
from jaxattn.problems.inference import INFERENCE_RULES, infer
from jaxattn.problems.measures import View

__all__ = ["RATIONALE_MEASURES", "average_of_posts", "of_rationale"]

_BY_RULE = (("inference",), (INFERENCE_RULES,))
_ROUNDING = 1e-4
"""An even share of the attention, computed, is no further above an even share than this part."""

RATIONALE_MEASURES = (
    MeasureSpec(
        "token_f1",
        long_name="attended words against the rationale, F1 of a post, mean",
        better="more",
        delta=0.01,
        whole=1.0,
        headline=True,
    ),
    MeasureSpec(
        "token_iou",
        long_name="attended words against the rationale, intersection over union, mean",
        better="more",
        delta=0.01,
        whole=1.0,
    ),
    MeasureSpec(
        "token_auprc",
        long_name="attention as a score of rationale words, average precision of a post, mean",
        better="more",
        delta=0.01,
        whole=1.0,
        headline=True,
    ),
    MeasureSpec(
        "comprehensiveness",
        *_BY_RULE,
        long_name="chance of the answer that is lost without the attended words, mean",
        better="more",
        delta=0.01,
        headline=True,
    ),
    MeasureSpec(
        "sufficiency",
        *_BY_RULE,
        long_name="chance of the answer that is lost with the attended words alone, mean",
        better="less",
        delta=0.01,
        headline=True,
    ),
)
"""Measures of a task whose segments are words, beside those of every attention network."""


def of_rationale(view: View, example: Example) -> dict[str, Array]:
    """The `RATIONALE_MEASURES` of one post; 0 / 0 where it has no rationale, or one word alone.

    Words are left out of attention, whose rest is scaled to 1; what a model made of the others by
    them stays. Where none of the rest has any attention, it has even shares.
    """
    attention, dtype = jnp.exp(view.log_attention), view.log_attention.dtype
    top = jnp.arange(attention.size) == jnp.argmax(view.log_attention)
    more = attention * jnp.sum(example.mask, dtype=dtype) > 1 + _ROUNDING
    attended, marked = example.mask & (more | top), example.mask & example.foreground
    hit, either = (jnp.sum(at, dtype=dtype) for at in (attended & marked, attended | marked))
    each = jax.vmap(view.read)(view.values)

    def chances(log_attention: Float[Array, " segment"]) -> Float[Array, "inference class"]:
        return jnp.exp(infer(log_attention, view.values, each, view.read))

    whole = chances(view.log_attention)
    told = jnp.argmax(whole, axis=-1, keepdims=True)

    def lost(kept: Bool[Array, " segment"]) -> Float[Array, " inference"]:
        left = chances(_of_these(view.log_attention, kept))
        return jnp.take_along_axis(whole - left, told, axis=-1)[:, 0]

    return {
        "token_f1": 2 * hit / (hit + either),
        "token_iou": hit / either,
        "token_auprc": _average_precision(attention, marked, example.mask),
        "comprehensiveness": lost(example.mask & ~attended),
        "sufficiency": lost(attended),
    }


def _of_these(
    log_attention: Float[Array, " segment"], kept: Bool[Array, " segment"]
) -> Float[Array, " segment"]:
    """Attention on some of the segments alone."""
    left = jnp.where(kept, log_attention, -jnp.inf)
    even = jnp.where(kept, jnp.zeros_like(left), -jnp.inf)
    return jax.nn.log_softmax(jnp.where(jnp.max(left) > -jnp.inf, left, even))


def _average_precision(
    score: Float[Array, " segment"], marked: Bool[Array, " segment"], mask: Bool[Array, " segment"]
) -> Float[Array, ""]:
    """Area under precision against recall, in steps; words of equal score come all at once."""
    above = (score[:, None] >= score[None, :]) & mask[:, None]
    found = jnp.sum(above & marked[:, None], axis=0, dtype=score.dtype)
    precision = found / jnp.sum(above, axis=0, dtype=score.dtype)
    return jnp.sum(jnp.where(marked, precision, 0)) / jnp.sum(marked, dtype=score.dtype)


def average_of_posts(each: dict[str, Array], posts: Example) -> dict[str, Array]:
    """The `RATIONALE_MEASURES` of posts of which everything is measured, as means by weight.

    Those of tokens are over the posts with a rationale, the others over those of several words.

    Args:
        each: of `of_rationale`, with a leading axis of posts.
        posts: these.
    """
    known = jnp.any(posts.foreground & posts.mask, axis=-1)
    several = jnp.sum(posts.mask, axis=-1) > 1

    def mean(name: str, values: Array) -> Array:
        weight = posts.weight * (known if name.startswith("token") else several)
        column = weight.reshape(weight.shape + (1,) * (values.ndim - 1))
        # What does not count may be 0 / 0: keep it out of the sum.
        return jnp.sum(jnp.where(column > 0, column * values, 0), axis=0) / jnp.sum(weight)

    return {name: mean(name, values) for name, values in each.items()}
