"""A captioner: perceptrons over the segments, and an LSTM over the words (PAPER 3.8, in small).

The state is that of an LSTM which has read the words so far and, with each, the attention-weighted
mean of the segments that it was read off. Focus and classification see its output beside a value.
"""

from functools import lru_cache

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxattn.core.contracts import Example, Hyper, InputError, Params, SequenceModel
from jaxattn.core.words import SOS

__all__ = ["SEQUENCE_MODELS", "captioner"]

State = tuple[Array, Array]
"""Of an LSTM: cell and output, ``[width]`` each."""


class _Segments(nn.Module):
    """A segment as features, and where it is: a row of its own for each place."""

    width: int

    @nn.compact
    def __call__(self, segments: Array) -> Float[Array, "segment feature"]:
        flat, dtype = segments.reshape(segments.shape[0], -1), segments.dtype
        hidden = nn.tanh(nn.Dense(self.width, param_dtype=dtype)(flat))
        features = nn.tanh(nn.Dense(self.width, param_dtype=dtype)(hidden))
        shape = (flat.shape[0], self.width)
        return features + self.param("place", nn.initializers.normal(1.0), shape, dtype)


class _Given(nn.Module):
    """What is made of a value, given the words so far."""

    width: int
    features: int

    @nn.compact
    def __call__(self, output: Array, value: Array) -> Float[Array, " feature"]:
        of_words = nn.Dense(self.width, use_bias=False, param_dtype=value.dtype)(output)
        of_value = nn.Dense(self.width, param_dtype=value.dtype)(value)
        return nn.Dense(self.features, param_dtype=value.dtype)(nn.tanh(of_words + of_value))


class _Words(nn.Module):
    """An LSTM that reads a word and a value."""

    words: int
    width: int

    @nn.compact
    def __call__(self, state: State, word: Int[Array, ""], value: Array) -> State:
        # A product, as the gradient of a row taken from a table is a scatter: slow in the rows of
        # a tile, and of many examples a GPU adds those in any order.
        chosen = jax.nn.one_hot(word, self.words, dtype=value.dtype)
        embedded = nn.Dense(self.width, use_bias=False, param_dtype=value.dtype)(chosen)
        cell = nn.OptimizedLSTMCell(
            self.width,
            # Flax's own, orthogonal, would have a start depend on its place in a tile.
            recurrent_kernel_init=nn.initializers.lecun_normal(),
            param_dtype=value.dtype,
        )
        after, _ = cell(state, jnp.concatenate([embedded, value]))
        return after


@lru_cache(maxsize=64)
def captioner(words: int, width: int = 32) -> SequenceModel:
    """Words one after the other, each with attention of its own.

    Segments become `width` features by two layers with tanh, to which a row learnt for each place
    is added. Scores and logits are perceptrons of such a value and of the output of an LSTM, each
    with one hidden layer. The LSTM starts from zeros and reads the start of a caption and no value;
    then each word with the mean of the segments that the attention for this word gives.

    Args:
        words: of the vocabulary.
        width: features, units of each hidden layer, and of the LSTM.

    Raises:
        InputError: width below 1.
    """
    if width < 1:
        raise InputError(f"size of captioner: got width {width}, expected at least 1; use 32.")
    segments, lstm = _Segments(width), _Words(words, width)
    focus, classifier = _Given(width, 1), _Given(width, words)

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del hyper
        keys = jax.random.split(key, 4)
        pixels = jnp.asarray(example.segments)
        of_segments = segments.init(keys[0], pixels)["params"]
        value = segments.apply({"params": of_segments}, pixels)[0]
        state = (jnp.zeros_like(value), jnp.zeros_like(value))
        of_words = lstm.init(keys[1], state, jnp.asarray(SOS), value)["params"]
        return {
            "shared": {"segments": of_segments, "words": of_words},
            "focus": focus.init(keys[2], value, value)["params"],
            "classify": classifier.init(keys[3], value, value)["params"],
        }

    def represent(params: Params, example: Example, key: Array | None) -> Array:
        del key
        return segments.apply({"params": params["shared"]["segments"]}, example.segments)

    def advance(params: Params, state: State, word: Int[Array, ""], value: Array) -> State:
        return lstm.apply({"params": params["shared"]["words"]}, state, word, value)

    def start(params: Params, example: Example, values: Array) -> State:
        del example
        nothing = jnp.zeros_like(values[0])
        return advance(params, (nothing, nothing), jnp.asarray(SOS), nothing)

    def score(params: Params, state: State, values: Array) -> Float[Array, " segment"]:
        def of_one(value: Array) -> Array:
            return focus.apply({"params": params["focus"]}, state[1], value)

        return jax.vmap(of_one)(values)[:, 0]

    def classify(params: Params, state: State, value: Array) -> Float[Array, " class"]:
        return classifier.apply({"params": params["classify"]}, state[1], value)

    return SequenceModel(init, represent, start, score, classify, advance)


SEQUENCE_MODELS = {"captioner": captioner}
