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

__all__ = ["MODELS", "WordPerceptron", "embedding_start", "text", "words_of"]


class WordPerceptron(nn.Module):
    """One hidden layer with ReLU; weights start as PyTorch's do."""

    width: int
    features: int

    @nn.compact
    def __call__(self, word: Array) -> Float[Array, " feature"]:
        """One number for each of `features`."""
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
    features: int | None = None,
    width: int = 200,
) -> Model:
    """Words embedded in `features` numbers; one perceptron scores them, another reads them.

    The embedding, the part ``shared``, starts from the standard normal law, or from the vectors of
    the task, and is 0 for what fills posts up; layers as PyTorch's do (PAPER 2). Attention averages
    embeddings.

    Args:
        classes: number of logits.
        vocabulary: the task's own.
        features: numbers of an embedding; None: as many as the task's vectors have, else 100.
        width: units of the hidden layer of each perceptron.

    Raises:
        InputError: a task without words, or a size below 1.
    """
    words, features = words_of("text", vocabulary, features)
    if width < 1:
        raise InputError(f"size of text: got width {width}, expected 1 or more.")
    return _text(classes, words, features, width)


def words_of(
    model: str, vocabulary: Vocabulary | None, features: int | None
) -> tuple[Vocabulary, int]:
    """The words of a task, and how many numbers each is embedded in.

    Raises:
        InputError: a task without words, no numbers, or others than its vectors have.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise InputError(
            f"{model}: got a task whose segments are no words, expected one with a vocabulary, "
            "such as rationales; take another model."
        )
    known = None if vocabulary.vectors is None else vocabulary.vectors.shape[1]
    features = features if features is not None else known or 100
    if features < 1 or known not in (None, features):
        expected = "1 or more" if known is None else f"the {known} of the task's vectors"
        raise InputError(f"{model}: got {features} features, expected {expected}; leave them out.")
    return vocabulary, features


def embedding_start(
    key: Array, vocabulary: Vocabulary, features: int
) -> Float[Array, "word feature"]:
    """Vectors where they are known, else draws of the standard normal law; 0 at `PAD`."""
    drawn = jax.random.normal(key, (vocabulary.size, features))
    if vocabulary.vectors is not None:
        given = jnp.asarray(vocabulary.vectors, drawn.dtype)
        drawn = jnp.where(jnp.isnan(given), drawn, given)
    return drawn.at[PAD].set(0.0)


@kept
def _text(classes: int, vocabulary: Vocabulary, features: int, width: int) -> Model:
    focus, classifier = WordPerceptron(width, 1), WordPerceptron(width, classes)

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del example, hyper
        of_words, of_focus, of_classifier = jax.random.split(key, 3)
        words = embedding_start(of_words, vocabulary, features)
        return {
            "shared": {"embedding": words},
            "focus": focus.init(of_focus, words[0])["params"],
            "classify": classifier.init(of_classifier, words[0])["params"],
        }

    def represent(params: Params, example: Example, key: Array | None) -> Any:
        del key
        # Backwards this adds by an index: a GPU has to be told to do it in one order, as it is
        # (`jaxattn.run.compiler`). On a CPU nothing is faster, one row after another.
        return jnp.take(params["shared"]["embedding"], example.segments, axis=0, mode="clip")

    def score(params: Params, example: Example, values: PyTree) -> Float[Array, " segment"]:
        del example
        return jax.vmap(lambda word: focus.apply({"params": params["focus"]}, word)[0])(values)

    def classify(params: Params, value: PyTree) -> Any:
        return classifier.apply({"params": params["classify"]}, value)

    return Model(init, represent, score, classify, tile=1, smooth=False, many=read_dense_pair)


MODELS = {"text": text}
