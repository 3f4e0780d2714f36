"""Attention maps: from scores of segments to log attention, for one example."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import AttentionMap, Example, Hyper, HyperSpec
from jaxattn.core.protocols import Attend, DrawAttention
from jaxattn.problems.declared import declared_hypers
from jaxattn.problems.sparse_maps import entmax, sparsemax, spherical

__all__ = [
    "ATTENTION_MAPS",
    "as_attention_map",
    "average",
    "entropy",
    "imposed",
    "name_of",
    "softmax",
    "with_entropy_penalty",
]


def _softmax(
    scores: Float[Array, " segment"], example: Example, hyper: Hyper
) -> Float[Array, " segment"]:
    return jax.nn.log_softmax(jnp.where(example.mask, scores / hyper["temperature"], -jnp.inf))


softmax = AttentionMap(
    _softmax,
    (HyperSpec("temperature", 1.0, low=0.0, open_low=True, doc="scores are divided by it"),),
)
"""Softmax of the scores over the real segments, at a traced temperature."""


def _imposed(
    scores: Float[Array, " segment"], example: Example, hyper: Hyper
) -> Float[Array, " segment"]:
    foreground = example.foreground & example.mask
    background = ~example.foreground & example.mask
    dtype = scores.dtype
    # maximum(1): a bag without background has no share to divide, and its entry is not read.
    on_each = hyper["alpha"] / jnp.maximum(jnp.sum(foreground, dtype=dtype), 1)
    off_each = (1 - hyper["alpha"]) / jnp.maximum(jnp.sum(background, dtype=dtype), 1)
    return jnp.log(jnp.where(foreground, on_each, jnp.where(background, off_each, 0.0)))


imposed = AttentionMap(
    _imposed,
    (HyperSpec("alpha", 0.5, low=0.0, high=1.0, doc="attention put on the foreground"),),
)
"""Fixed focus (PAPER 3.1): `alpha` on the foreground, the rest shared equally by the background.

Scores are ignored, so only the classification model learns. Needs a known foreground.
"""


def as_attention_map(function: AttentionMap | Attend | DrawAttention) -> AttentionMap:
    """An `AttentionMap` from a plain ``(scores, example, hyper) -> log attention``.

    One with a fourth argument, ``key``, draws. What it reads of `hyper` it declares as an
    attribute, ``function.hypers = {name: default}``.

    Raises:
        InputError: hypers that are none.
    """
    if isinstance(function, AttentionMap):
        return function
    owner = f"attention map {getattr(function, '__name__', 'custom')!r}"
    return AttentionMap(function, declared_hypers(owner, getattr(function, "hypers", ())))


def _with_entropy(
    loss: Float[Array, ""], log_attention: Float[Array, " segment"], hyper: Hyper
) -> Float[Array, ""]:
    weight = hyper["entropy_weight"]
    return (1 - weight) * loss + weight * entropy(log_attention)


def with_entropy_penalty(attention: AttentionMap | Attend | DrawAttention) -> AttentionMap:
    """The same map, whose entropy is learnt to be small, as part of every paradigm's loss.

    The loss of an example is ``(1 - entropy_weight) loss + entropy_weight H``, of its entropy H in
    nats (PAPER 6.5).
    """
    bare = as_attention_map(attention)
    weight = HyperSpec(
        "entropy_weight",
        0.01,
        low=0.0,
        high=1.0,
        doc="of the entropy of attention in the loss; the loss itself has the rest",
    )
    return bare._replace(hypers=(*bare.hypers, weight), penalise=_with_entropy)


_LEARNT: Mapping[str, AttentionMap] = {
    "softmax": softmax,
    "entmax": entmax,
    "sparsemax": sparsemax,
    "spherical": spherical,
}

ATTENTION_MAPS: Mapping[str, AttentionMap] = {
    **_LEARNT,
    "imposed": imposed,
    **{f"{name}+entropy": with_entropy_penalty(one) for name, one in _LEARNT.items()},
}
"""By name; what ends in ``+entropy`` has the `with_entropy_penalty`."""


def name_of(attention: AttentionMap) -> str:
    """What to call a map: its name among `ATTENTION_MAPS`, else that of its function."""
    known = (name for name, one in ATTENTION_MAPS.items() if one == attention)
    return next(known, getattr(attention.apply, "__name__", "custom"))


def average(log_attention: Float[Array, " segment"], values: PyTree) -> PyTree:
    """The attention-weighted mean over the leading segment axis of every leaf of `values`."""
    weights = jnp.exp(log_attention)
    return jax.tree.map(lambda leaf: jnp.tensordot(weights, leaf, axes=1), values)


def entropy(log_attention: Float[Array, " segment"]) -> Float[Array, ""]:
    """Entropy of the attention in nats; segments without attention contribute 0."""
    weights = jnp.exp(log_attention)
    # The inner where keeps the gradient of 0 * log 0 finite.
    finite = jnp.where(weights > 0, log_attention, 0.0)
    return -jnp.sum(weights * finite)
