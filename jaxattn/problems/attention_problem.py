"""Attention as a `Problem`: a task, a model, a paradigm and an attention map put together."""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import (
    AttentionMap,
    Context,
    Data,
    Example,
    Hyper,
    InputError,
    MeasureSpec,
    Model,
    Paradigm,
    Params,
    Problem,
    Reader,
    Task,
)
from jaxattn.core.hypers import merged_hypers
from jaxattn.core.kept import kept
from jaxattn.core.protocols import Attend, DrawAttention, Measure, PlainLoss, StartParams
from jaxattn.problems.ahead import Ahead, read_ahead
from jaxattn.problems.attention import name_of
from jaxattn.problems.check_attention_map import check_attention_map
from jaxattn.problems.check_components import check_components
from jaxattn.problems.check_data import check_template
from jaxattn.problems.check_many import check_many
from jaxattn.problems.check_model import lengths_of
from jaxattn.problems.check_start import check_start
from jaxattn.problems.components import attention_map_from, model_from, paradigm_from
from jaxattn.problems.large_sets import of_each, unfilled
from jaxattn.problems.measures import (
    View,
    average_measures,
    mean_of_views,
    measure_examples,
    measure_one,
    task_measures,
)
from jaxattn.problems.microbatch import measured_at_once, piece_of
from jaxattn.problems.paradigms import reads_segments
from jaxattn.problems.rationale_measures import RATIONALE_MEASURES, average_of_posts, of_rationale

__all__ = ["as_precision", "attention_problem", "blanked", "no_jumps"]

# crc32 is fixed by its standard. Who draws beside another has a key of its own.
_MODEL, _PARAMS, _ATTENTION = (
    zlib.crc32(name) for name in (b"model beside paradigm", b"parameters drawn", b"attention drawn")
)


def no_jumps(hyper: Hyper) -> Float[Array, " jump"]:
    """The times at which a loss jumps that does not."""
    del hyper
    return jnp.zeros((0,))


def attention_problem(
    task: Task,
    model: "str | Model | Callable[[int], Model]",
    paradigm: str | Paradigm | PlainLoss,
    attention: str | AttentionMap | Attend | DrawAttention = "softmax",
    precision: str = "float32",
) -> Problem:
    """The learning problem of an attention network.

    Equal arguments return the same object, so what is compiled for it once stays compiled. What is
    one's own is checked here, by shapes and dtypes, and by `Problem.verify` before it is run.

    Args:
        task: gives shapes and the number of classes.
        model: a name, a factory taking the number of classes, or a `Model`.
        paradigm: a name, a `Paradigm`, or the plain loss of one example.
        attention: a name, an `AttentionMap`, or a plain ``(scores, example, hyper)`` function; one
            with a fourth argument, ``key``, draws.
        precision: dtype of parameters, data and hyperparameters.

    Raises:
        InputError: an unknown name; components that do not fit each other or the task, see
            `check_components`; two that declare one hyperparameter differently.
    """
    if not isinstance(task, Task):
        raise InputError(
            f"task: got {type(task).__name__}, expected a Task; call its factory, such as "
            "jaxattn.mosaic(X, y, foreground)."
        )
    return _attention_problem(
        task,
        model_from(model, task),
        paradigm_from(paradigm),
        attention_map_from(attention),
        precision,
    )


@kept
def _attention_problem(
    task: Task,
    model: Model,
    paradigm: Paradigm,
    attention: AttentionMap,
    precision: str,
) -> Problem:
    names = (f"attention map {name_of(attention)!r}", f"paradigm {paradigm.name!r}")
    declared = (model.hypers, attention.hypers, paradigm.hypers)
    hypers = merged_hypers(zip(("model", *names), declared, strict=True))
    check_template(task)
    check_components(task, model, attention, paradigm, names, hypers, precision)
    random = model.stochastic or paradigm.stochastic or attention.stochastic

    lengths = lengths_of(task, model, hypers, precision)
    network = _network(task, model, attention, precision, lengths)

    each = reads_segments(paradigm) and task.template.label.ndim == 0
    reads_ahead = each and model.many is not None and not model.stochastic

    def loss(
        params: Params, batch: Example, hyper: Hyper, time: Array, key: Array | None, state: PyTree
    ) -> tuple[Float[Array, ""], PyTree]:
        def of_one(
            example: Example, key: Array | None, ahead: Ahead | None
        ) -> tuple[Array, PyTree]:
            keys = _keys_of(model, paradigm, attention, key)
            view = network.see(params, example, hyper, keys, ahead)
            context = Context(hyper, time, keys.paradigm, state)
            given = (view.log_attention, view.values, view.read, example.label, context)
            found, aux = paradigm.loss(*given)
            if attention.penalise is not None:
                found = attention.penalise(found, view.log_attention, hyper)
            return found, aux

        keys = jax.random.split(key, batch.weight.shape[0]) if random and key is not None else None
        ahead = read_ahead(model, params, jax.vmap(blanked)(batch)) if reads_ahead else None
        losses, aux = jax.vmap(of_one, in_axes=(0, 0 if random else None, 0))(batch, keys, ahead)
        total = jnp.sum(batch.weight)
        # A minibatch in which nothing counts teaches nothing: 0, not 0 / 0.
        mean = jnp.sum(batch.weight * losses) / jnp.where(total > 0, total, 1)
        return mean, paradigm.update(state, aux, jnp.asarray(batch.weight))

    def verify() -> None:
        check_attention_map(attention, task, names[0], hypers, precision)
        check_start(attention, model, task, names[0], hypers, precision)
        check_many(model, task, hypers, precision)

    return Problem(
        init=network.init,
        loss=loss,
        measure=network.measure,
        discontinuities=paradigm.discontinuities or no_jumps,
        state=paradigm.init,
        hypers=hypers,
        measures=_measures(task),
        name=paradigm.name,
        natural_inference=paradigm.natural_inference,
        precision=precision,
        tile=model.tile,
        piece=None if random else piece_of(model, task.template.mask.shape[-1]),
        stochastic=random,
        verify=verify,
        reads=tuple(spec.name for spec in (*model.hypers, *attention.hypers)),
        mean_of=network.mean_of,
        lengths=lengths,
    )


def _measures(task: Task) -> tuple[MeasureSpec, ...]:
    usual = task_measures(task.template.mask.shape[-1], task.classes)
    return usual if task.vocabulary is None else (*usual, *RATIONALE_MEASURES)


class _Keys(NamedTuple):
    """Who draws has one of its own; None: it draws nothing, as where it is measured."""

    model: Array | None = None
    attention: Array | None = None
    paradigm: Array | None = None


class _Network(NamedTuple):
    """What does not depend on the paradigm."""

    init: StartParams
    see: Callable[[Params, Example, Hyper, _Keys, Ahead | None], View]
    measure: Measure
    mean_of: Callable[[Callable[..., Any]], Callable[..., Array]]


@kept
def _network(
    task: Task, model: Model, attention: AttentionMap, precision: str, lengths: tuple[int, ...]
) -> _Network:
    """The same functions for all paradigms, so that what is compiled of them is shared."""
    # The task itself is in none of them: JAX holds what it has traced, and a task holds its data.
    template = as_precision(task.template, precision)
    segments, of_words = task.segments, task.vocabulary is not None

    def see(
        params: Params, example: Example, hyper: Hyper, keys: _Keys, ahead: Ahead | None
    ) -> View:
        example = blanked(example)
        if keys.model is not None:
            params = model.draw(params, jax.random.fold_in(keys.model, _PARAMS))
        values = model.represent(params, example, keys.model)
        scores = model.score(params, example, values) if ahead is None else ahead.scores

        of_segments = None if ahead is None else ahead.of_segments
        read = Reader(lambda value: model.classify(params, value), of_segments)
        log_attention = attention.attend(scores, example, hyper, keys.attention)
        return View(scores, log_attention, values, read)

    def init(key: Array, hyper: Hyper) -> Params:
        # Of whatever type its own are: a flow of float32 would fail at its tolerance, after a
        # minute, and training in float64 would not be what a result in float32 says.
        return as_precision(model.init(key, template, hyper), precision)

    def seen(params: Params, hyper: Hyper) -> Callable[[Example], View]:
        return lambda example: see(params, example, hyper, _Keys(), None)

    def measure(params: Params, batch: Example | Data, hyper: Hyper) -> dict[str, Array]:
        # Asked when it is traced: a problem is checked without a device.
        at_once = measured_at_once(model, segments)
        if not of_words:
            return measure_examples(seen(params, hyper), batch, at_once, precision, lengths)

        def look(example: Example) -> tuple[dict[str, Array], dict[str, Array]]:
            view = see(params, example, hyper, _Keys(), None)
            return measure_one(view, example), of_rationale(view, example)

        usual, of_words_alone = of_each(look, batch, at_once, precision, lengths)
        posts = unfilled(batch, precision)
        return average_measures(usual, posts) | average_of_posts(of_words_alone, posts)

    def mean_of(look: Callable[..., Any]) -> Callable[..., Array]:
        def mean(params: Params, batch: Example | Data, hyper: Hyper) -> Array:
            at_once = measured_at_once(model, segments)
            return mean_of_views(look, seen(params, hyper), batch, at_once, precision)

        return mean

    return _Network(init, see, measure, mean_of)


def _keys_of(model: Model, paradigm: Paradigm, attention: AttentionMap, key: Array | None) -> _Keys:
    """The key of each that draws: two that share one would draw the same."""
    if key is None:
        return _Keys()
    of_attention = jax.random.fold_in(key, _ATTENTION) if attention.stochastic else None
    if not paradigm.stochastic:
        return _Keys(key if model.stochastic else None, of_attention, None)
    of_model = jax.random.fold_in(key, _MODEL) if model.stochastic else None
    return _Keys(of_model, of_attention, key)


def blanked(example: Example) -> Example:
    """Zeros at masked-out positions, so that no finite value there can overflow when read."""

    def blank(leaf: Array) -> Array:
        real = example.mask.reshape(example.mask.shape + (1,) * (leaf.ndim - 1))
        return jnp.where(real, leaf, 0)

    return example._replace(segments=jax.tree.map(blank, example.segments))


def as_precision(tree: PyTree, precision: str) -> PyTree:
    """The same arrays, those of floats in `precision`."""
    return jax.tree.map(
        lambda leaf: leaf.astype(precision) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        tree,
    )
