"""Posts whose words see each other before they are scored and read: one block of self-attention."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from jaxattn.core.contracts import Example, Hyper, InputError, Model, Params, Vocabulary
from jaxattn.core.kept import kept
from jaxattn.models.features_first import read_dense_pair
from jaxattn.models.linear import STARTS
from jaxattn.models.text import WordPerceptron, embedding_start, words_of

__all__ = ["MODELS", "text_attention"]


class _Block(nn.Module):
    """Words as they are plus what each takes from all real ones of its post."""

    heads: int

    @nn.compact
    def __call__(
        self, words: Float[Array, "word feature"], mask: Bool[Array, " word"]
    ) -> Float[Array, "word feature"]:
        features = words.shape[-1]
        weights, bias = STARTS["uniform"](features)
        layer = partial(nn.DenseGeneral, kernel_init=weights, param_dtype=words.dtype)
        shape = (self.heads, features // self.heads)
        parts = (layer(shape, use_bias=False, name=n)(words) for n in ("query", "key", "value"))
        # Divides by the root of a head's width; a masked key is finite and has no weight.
        mixed = nn.dot_product_attention(*parts, mask=mask[None, None, :])
        return words + layer(features, bias_init=bias, name="unify")(mixed.reshape(words.shape))


def text_attention(
    classes: int,
    vocabulary: Vocabulary | None = None,
    features: int | None = None,
    width: int = 200,
    focus_width: int = 50,
    heads: int = 2,
    dropout: float = 0.1,
) -> Model:
    """Embeddings with positions, one block of self-attention, two perceptrons (PAPER 3.7).

    As meant, not as published: sinusoidal positions run along the words of a post; what fills it
    up is masked as a key of every head; scores are divided by the root of a head's width; dropout,
    of embeddings with positions, is of training alone. There is no layer norm and no feed-forward
    layer.

    Args:
        classes: number of logits.
        vocabulary: the task's own.
        features: numbers of an embedding, even and divided by `heads`; None: as for `text`.
        width: units of the hidden layer of the classifier.
        focus_width: of the focus.
        heads: of self-attention.
        dropout: share that training leaves out; 0: it draws nothing.

    Raises:
        InputError: a task without words, or impossible sizes.
    """
    words, features = words_of("text-attention", vocabulary, features)
    sizes = (features, width, focus_width, heads)
    if min(sizes) < 1 or features % 2 or features % heads or not 0 <= dropout < 1:
        raise InputError(
            f"size of text-attention: got {features} features, widths {width} and {focus_width}, "
            f"{heads} heads, dropout {dropout}; expected 1 or more of each, features that 2 and "
            "the heads divide, and a dropout from 0 to below 1."
        )
    return _text_attention(classes, words, *sizes, float(dropout))


@kept
def _text_attention(
    classes: int,
    vocabulary: Vocabulary,
    features: int,
    width: int,
    focus_width: int,
    heads: int,
    dropout: float,
) -> Model:
    focus, classifier = WordPerceptron(focus_width, 1), WordPerceptron(width, classes)
    block = _Block(heads)

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del example, hyper
        of_words, of_block, of_focus, of_classifier = jax.random.split(key, 4)
        words = embedding_start(of_words, vocabulary, features)
        started = block.init(of_block, words[:1], jnp.ones(1, bool))["params"]
        return {
            "shared": {"embedding": words, "block": started},
            "focus": focus.init(of_focus, words[0])["params"],
            "classify": classifier.init(of_classifier, words[0])["params"],
        }

    def represent(params: Params, example: Example, key: Array | None) -> Any:
        shared = params["shared"]
        words = jnp.take(shared["embedding"], example.segments, axis=0, mode="clip")
        words = words + jnp.asarray(_positions(*words.shape), words.dtype)
        if key is not None and dropout:
            left = jax.random.bernoulli(key, 1 - dropout, words.shape)
            words = jnp.where(left, words / (1 - dropout), 0)
        return block.apply({"params": shared["block"]}, words, example.mask)

    def score(params: Params, example: Example, values: PyTree) -> Float[Array, " segment"]:
        del example
        return jax.vmap(lambda word: focus.apply({"params": params["focus"]}, word)[0])(values)

    def classify(params: Params, value: PyTree) -> Any:
        return classifier.apply({"params": params["classify"]}, value)

    return Model(
        init,
        represent,
        score,
        classify,
        stochastic=dropout > 0,
        tile=1,
        smooth=False,
        many=read_dense_pair,
    )


def _positions(words: int, features: int) -> Float[np.ndarray, "word feature"]:
    """Sines and cosines of the place of a word, of wave lengths from 2 pi to 10,000 times that."""
    rates = 10000.0 ** (-np.arange(0, features, 2) / features)
    angles = np.arange(words)[:, None] * rates[None, :]
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(words, features)


MODELS = {"text-attention": text_attention}
