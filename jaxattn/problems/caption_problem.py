"""Captions as a `Problem`: a task, a model that writes, a paradigm and an attention map."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import (
    AttentionMap,
    Context,
    Data,
    Example,
    Hyper,
    Paradigm,
    Params,
    Problem,
    SequenceModel,
    Task,
)
from jaxattn.core.hypers import merged_hypers
from jaxattn.core.kept import kept
from jaxattn.core.protocols import Attend, Measure, PlainLoss, StartParams
from jaxattn.problems.attention import name_of
from jaxattn.problems.attention_problem import as_precision, blanked, no_jumps
from jaxattn.problems.caption_measures import caption_measures, measure_captions
from jaxattn.problems.check_attention_map import check_attention_map
from jaxattn.problems.check_captions import check_captions, one_word
from jaxattn.problems.check_data import check_template
from jaxattn.problems.components import attention_map_from, model_from, paradigm_from
from jaxattn.problems.measures import View, measure_one
from jaxattn.problems.paradigms import reads_segments
from jaxattn.problems.teacher_forcing import along_words, is_word

__all__ = ["caption_problem"]

_NUMBERS = 1 << 25
"""Logits that are in memory at once."""


def caption_problem(
    task: Task,
    model: "str | SequenceModel | Callable[[int], SequenceModel]",
    paradigm: str | Paradigm | PlainLoss,
    attention: str | AttentionMap | Attend = "softmax",
    precision: str = "float32",
) -> Problem:
    """The learning problem of a model that writes captions.

    Every word has attention of its own, and the paradigm's loss of one example given the words
    before it; the loss of an example is their sum, up to the end of its caption. The words before
    are the true ones, and the recurrence goes on with the expected context: see
    `jaxattn.problems.teacher_forcing`. Equal arguments return the same object.

    Args:
        task: with labels ``[word]`` and a vocabulary.
        model: a name, a factory taking the number of words, or a `SequenceModel`.
        paradigm: a name, a `Paradigm`, or the plain loss of one example; to its state a word is
            an example.
        attention: a name, an `AttentionMap`, or a plain ``(scores, example, hyper)`` function.
        precision: dtype of parameters, data and hyperparameters.

    Raises:
        InputError: an unknown name; components that do not fit each other or the task, see
            `jaxattn.problems.check_captions`.
    """
    return _caption_problem(
        task,
        model_from(model, task),
        paradigm_from(paradigm),
        attention_map_from(attention),
        precision,
    )


@kept
def _caption_problem(
    task: Task, model: SequenceModel, paradigm: Paradigm, attention: AttentionMap, precision: str
) -> Problem:
    names = (f"attention map {name_of(attention)!r}", f"paradigm {paradigm.name!r}")
    declared = (model.hypers, attention.hypers, paradigm.hypers)
    hypers = merged_hypers(zip(("model", *names), declared, strict=True))
    check_template(task)
    check_captions(task, model, attention, paradigm, names, hypers, precision)
    network = _network(task, model, attention, precision)
    words, segments = task.template.foreground.shape

    def loss(
        params: Params, batch: Example, hyper: Hyper, time: Array, key: Array | None, state: PyTree
    ) -> tuple[Float[Array, ""], PyTree]:
        def of_one(example: Example, key: Array | None) -> tuple[Array, PyTree]:
            def of_word(view: View, one: Example, key: Array | None) -> tuple[Array, PyTree]:
                context = Context(hyper, time, key, state)
                given = (view.log_attention, view.values, view.read, one.label, context)
                found, aux = paradigm.loss(*given)
                if attention.penalise is not None:
                    found = attention.penalise(found, view.log_attention, hyper)
                return found, aux

            keys = None if key is None else jax.random.split(key, words)
            losses, aux = network.along(params, example, hyper, of_word, keys)
            return jnp.sum(jnp.where(is_word(example.label), losses, 0)), aux

        keys = None
        if key is not None and paradigm.stochastic:
            keys = jax.random.split(key, batch.weight.shape[0])
        losses, aux = jax.vmap(of_one, in_axes=(0, None if keys is None else 0))(batch, keys)
        total = jnp.sum(batch.weight)
        mean = jnp.sum(batch.weight * losses) / jnp.where(total > 0, total, 1)
        # To a state every word is an example; what fills a caption up counts for nothing.
        counted = jnp.where(is_word(batch.label), batch.weight[:, None], 0).reshape(-1)
        each = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), aux)
        return mean, paradigm.update(state, each, counted)

    def verify() -> None:
        check_attention_map(attention, one_word(task), names[0], hypers, precision)

    many = segments if reads_segments(paradigm) else 1
    return Problem(
        init=network.init,
        loss=loss,
        measure=network.measure,
        discontinuities=paradigm.discontinuities or no_jumps,
        state=paradigm.init,
        hypers=hypers,
        measures=caption_measures(words, segments),
        name=paradigm.name,
        natural_inference=paradigm.natural_inference,
        precision=precision,
        tile=model.tile,
        piece=None if paradigm.stochastic else _at_once(words * many * task.classes),
        stochastic=paradigm.stochastic,
        verify=verify,
        smooth=model.smooth,
        reads=tuple(spec.name for spec in (*model.hypers, *attention.hypers)),
    )


def _at_once(logits: int) -> int:
    """Examples of so many logits that are seen at once: a power of two."""
    return 1 << (max(1, _NUMBERS // logits).bit_length() - 1)


class _Network(NamedTuple):
    """What does not depend on the paradigm."""

    init: StartParams
    along: Callable[..., Array]
    measure: Measure


@kept
def _network(task: Task, model: SequenceModel, attention: AttentionMap, precision: str) -> _Network:
    """The same functions for all paradigms, so that what is compiled of them is shared."""
    template = as_precision(task.template, precision)
    segments, classes = task.segments, task.classes

    def init(key: Array, hyper: Hyper) -> Params:
        return as_precision(model.init(key, template, hyper), precision)

    def along(
        params: Params, example: Example, hyper: Hyper, of_word: Callable, given: PyTree = None
    ) -> PyTree:
        return along_words(model, attention, params, blanked(example), hyper, of_word, given)

    def measure(params: Params, batch: Example | Data, hyper: Hyper) -> dict[str, Array]:
        def measured(example: Example) -> dict[str, Array]:
            return along(params, example, hyper, lambda view, one, _: measure_one(view, one))

        return measure_captions(measured, batch, _at_once(segments * classes), precision)

    return _Network(init, along, measure)
