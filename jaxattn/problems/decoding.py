"""Captions written word by word by a trained model, up to their end: the best of a beam of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.contracts import AttentionMap, Example, Hyper, InputError, Params, SequenceModel
from jaxattn.core.words import EOS, PAD, SOS
from jaxattn.problems.attention import average
from jaxattn.problems.attention_problem import blanked
from jaxattn.problems.inference import INFERENCE_RULES, infer
from jaxattn.problems.teacher_forcing import view_of

__all__ = ["Written", "decode"]


class Written(NamedTuple):
    """A caption that was written."""

    words: Int[Array, " word"]
    """Up to the end, which is the last, and nothing after it."""
    log_probability: Float[Array, ""]
    """Of all of it."""
    attention: Float[Array, "word segment"]
    """By word; NaN after the end."""
    probabilities: Float[Array, "word class"]
    """Of every word at each step; NaN after the end."""


class _Beam(NamedTuple):
    """Captions so far, the most probable one first; each leaf has them in front."""

    state: PyTree
    written: Written


def decode(
    model: SequenceModel,
    attention: AttentionMap,
    params: Params,
    example: Example,
    hyper: Hyper,
    rule: str = "average-input",
    length: int = 15,
    width: int = 1,
) -> Written:
    """The most probable caption of one example that a beam finds; pure, to be jitted and vmapped.

    A beam of 1 is greedy decoding. A caption that has ended stays as it is, at the probability that
    it has; longer ones compete with it by theirs, which nothing divides by their length. The
    recurrence goes on with the expected context, as in training.

    Args:
        model: that writes.
        attention: from its scores.
        params: of the model.
        example: its label and foreground are not read.
        hyper: of the attention map.
        rule: of inference: how a word is read off the segments.
        length: most words, the end among them.
        width: captions in the beam.

    Raises:
        InputError: an unknown rule, or a length or width below 1.
    """
    if rule not in INFERENCE_RULES or length < 1 or width < 1:
        raise InputError(
            f"decode: got rule {rule!r}, length {length}, width {width}, expected one of "
            f"{', '.join(INFERENCE_RULES)}, and at least 1 of both; change them."
        )
    example = blanked(example)
    values = model.represent(params, example, None)

    def look(state: PyTree) -> tuple[Array, Array]:
        """Log attention, and log probability of every word."""
        view = view_of(model, attention, params, example, hyper, values, state)
        each = jax.vmap(view.read)(values)
        answers = infer(view.log_attention, values, each, view.read)
        return view.log_attention, answers[INFERENCE_RULES.index(rule)]

    def advance(state: PyTree, word: Array, log_attention: Array) -> PyTree:
        return model.advance(params, state, word, average(log_attention, values))

    def step(beam: _Beam, place: Array) -> tuple[_Beam, None]:
        log_attention, answers = jax.vmap(look)(beam.state)
        ended = jnp.any(beam.written.words == EOS, axis=1)
        parent, word, total = _best(beam.written.log_probability, answers, ended)
        over, log_attention = ended[parent], log_attention[parent]
        so_far: Written = jax.tree.map(lambda leaf: leaf[parent], beam.written)
        state = jax.tree.map(lambda leaf: leaf[parent], beam.state)

        def put(leaf: Array, row: Array) -> Array:
            return leaf.at[:, place].set(jnp.where(over[:, None], jnp.nan, row))

        written = Written(
            so_far.words.at[:, place].set(word),
            total,
            put(so_far.attention, jnp.exp(log_attention)),
            put(so_far.probabilities, jnp.exp(answers[parent])),
        )
        return _Beam(jax.vmap(advance)(state, word, log_attention), written), None

    start = _start(model.start(params, example, values), look, length, width)
    beam, _ = jax.lax.scan(step, start, jnp.arange(length, dtype=jnp.int32))
    return jax.tree.map(lambda leaf: leaf[0], beam.written)


def _best(
    total: Float[Array, " beam"], answers: Float[Array, "beam class"], ended: Array
) -> tuple[Array, Array, Array]:
    """From which caption the best ones go on, with which word, and how probable they are then."""
    words = jnp.arange(answers.shape[1])
    allowed = jnp.where((words == PAD) | (words == SOS), -jnp.inf, answers)
    after = jnp.where(words == PAD, 0, -jnp.inf)
    ahead = total[:, None] + jnp.where(ended[:, None], after, allowed)
    best, place = jax.lax.top_k(ahead.reshape(-1), total.shape[0])
    return place // answers.shape[1], (place % answers.shape[1]).astype(jnp.int32), best


def _start(state: PyTree, look: object, length: int, width: int) -> _Beam:
    """One caption of no words; the others have no probability yet."""
    assert callable(look)
    log_attention, answers = jax.eval_shape(look, state)
    total = jnp.full((width,), -jnp.inf, answers.dtype).at[0].set(0)

    def empty(row: jax.ShapeDtypeStruct) -> Array:
        return jnp.full((width, length, *row.shape), jnp.nan, row.dtype)

    words = jnp.full((width, length), PAD, jnp.int32)
    states = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (width, *leaf.shape)), state)
    return _Beam(states, Written(words, total, empty(log_attention), empty(answers)))
