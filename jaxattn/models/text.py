"""Embedded words for posts: two perceptrons over one embedding (PAPER 3.6)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Example, Hyper, InputError, Model, Params, Vocabulary
from jaxattn.core.kept import kept
from jaxattn.core.vocabulary import PAD
from jaxattn.models.features_first import read_dense_pair
from jaxattn.models.linear import STARTS

__all__ = ["MODELS", "text"]


class _Perceptron(nn.Module):
    width: int
    features: int

    @nn.compact
    def __call__(self, word: Array) -> Float[Array, " feature"]:
        for features in (self.width, self.features):
            weights, bias = STARTS["uniform"](word.size)
            hidden = nn.Dense(
                features, kernel_init=weights, bias_init=bias, param_dtype=word.dtype
            )(word)
            word = nn.relu(hidden)
        return hidden


def text(
    classes: int,
    vocabulary: Vocabulary | None = None,
    features: int = 100,
    width: int = 200,
) -> Model:
    """Words embedded in `features` numbers; one perceptron scores them, another reads them.

    The embedding, the part ``shared``, starts from the standard normal law and is 0 for what fills
    posts up, layers as PyTorch's do (PAPER 2). Attention averages embeddings.

    Args:
        classes: number of logits.
        vocabulary: the task's own.
        features: numbers of an embedding.
        width: units of the hidden layer of each perceptron.

    Raises:
        InputError: a task without words, or a size below 1.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise InputError(
            "text: got a task whose segments are no words, expected one with a vocabulary, such as "
            "rationales; take another model."
        )
    if features < 1 or width < 1:
        raise InputError(
            f"size of text: got {features} features, width {width}; expected 1 or more of each."
        )
    return _text(classes, vocabulary, features, width)


@kept
def _text(classes: int, vocabulary: Vocabulary, features: int, width: int) -> Model:
    focus, classifier = _Perceptron(width, 1), _Perceptron(width, classes)
    size = vocabulary.size

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del example, hyper
        of_words, of_focus, of_classifier = jax.random.split(key, 3)
        words = jax.random.normal(of_words, (size, features)).at[PAD].set(0.0)
        return {
            "shared": {"embedding": words},
            "focus": focus.init(of_focus, words[0])["params"],
            "classify": classifier.init(of_classifier, words[0])["params"],
        }

    def represent(params: Params, example: Example, key: Array | None) -> Any:
        del key
        return jnp.take(params["shared"]["embedding"], example.segments, axis=0, mode="clip")

    def score(params: Params, example: Example, values: PyTree) -> Float[Array, " segment"]:
        del example
        return jax.vmap(lambda word: focus.apply({"params": params["focus"]}, word)[0])(values)

    def classify(params: Params, value: PyTree) -> Any:
        return classifier.apply({"params": params["classify"]}, value)

    return Model(init, represent, score, classify, tile=1, smooth=False, many=read_dense_pair)


MODELS = {"text": text}
