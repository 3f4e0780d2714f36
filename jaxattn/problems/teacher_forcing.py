"""A caption word by word: each seen with the true words before it, and the attention they had.

The recurrence goes on with the expected context: after a word, the model advances with the mean of
the segments by the attention for that word, whichever paradigm trains it. So the loss is the same
sum over words for all paradigms, differentiable, and no path of choices has to be drawn.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PyTree

from jaxattn.core.contracts import AttentionMap, Example, Hyper, Params, Reader, SequenceModel
from jaxattn.core.words import PAD
from jaxattn.problems.attention import average
from jaxattn.problems.measures import View

__all__ = ["along_words", "is_word", "view_of"]

R = TypeVar("R")


def is_word(label: Array | np.ndarray) -> Bool[Array, "..."]:
    """Whether it is a word of a caption, the end among them, and not what fills it up."""
    return jnp.asarray(label) != PAD


def view_of(
    model: SequenceModel,
    attention: AttentionMap,
    params: Params,
    example: Example,
    hyper: Hyper,
    values: PyTree,
    state: PyTree,
) -> View:
    """What an example looks like, given the words so far.

    Args:
        model: that writes.
        attention: from its scores.
        params: of the model.
        example: with one word as its label.
        hyper: of the map.
        values: what the model represents the segments by.
        state: before the word.
    """
    scores = model.score(params, state, values)
    read = Reader(lambda value: model.classify(params, state, value))
    return View(scores, attention.attend(scores, example, hyper, None), values, read)


def along_words(
    model: SequenceModel,
    attention: AttentionMap,
    params: Params,
    example: Example,
    hyper: Hyper,
    of_word: Callable[[View, Example, Any], R],
    given: PyTree = None,
) -> R:
    """What `of_word` gives for each word of one caption, all in one scan, stacked in front.

    Args:
        model: that writes.
        attention: from its scores.
        params: of the model.
        example: masked-out segments blanked; its label and foreground have an axis of words.
        hyper: of the map.
        of_word: of what a word looks like, the example with that word as its label and the tile of
            the word as its foreground, and what is given for it.
        given: leaves ``[word, ...]``.
    """
    values = model.represent(params, example, None)

    def step(state: PyTree, word: tuple[Array, Array, PyTree]) -> tuple[PyTree, R]:
        label, foreground, own = word
        one = example._replace(label=label, foreground=foreground)
        view = view_of(model, attention, params, one, hyper, values, state)
        found = of_word(view, one, own)
        context = average(view.log_attention, values)
        return model.advance(params, state, label, context), found

    words = (jnp.asarray(example.label), jnp.asarray(example.foreground), given)
    _, found = jax.lax.scan(step, model.start(params, example, values), words)
    return found
