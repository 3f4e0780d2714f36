"""What a person hands in as a model, checked before it is compiled, by shapes and dtypes alone."""

from functools import partial
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from jaxattn.core.contracts import Example, HyperSpec, InputError, Model, Task
from jaxattn.core.kept import kept
from jaxattn.problems.attention import average
from jaxattn.problems.check_params import check_params, refuse_rounding
from jaxattn.problems.slow_convolution import warn_of_slow_convolution
from jaxattn.problems.tracing import described, expect, shaped, shapes_of
from jaxattn.problems.undeclared import (
    draws,
    hint_at_key,
    hyper_shapes,
    key_shape,
    shapes_with_hyper,
    undeclared_key,
)

__all__ = ["Sights", "check_classes", "check_model", "lengths_of", "tell_of_speed"]


class Sights(NamedTuple):
    """Shapes of what an example looks like to a model."""

    params: PyTree
    drawn: PyTree
    """The parameters as training sees them."""
    example: Example
    values: PyTree
    scores: Any


@kept
def check_model(task: Task, model: Model, hypers: tuple[HyperSpec, ...], precision: str) -> Sights:
    """What an example of the task looks like to a model, logits apart; see `check_components`.

    Raises:
        InputError: what does not fit, is not pure, or draws on a key undeclared.
    """
    length = task.segments
    example = jax.tree.map(lambda leaf: shaped(leaf, precision), task.template)
    # As a problem does: what a model starts from is there, not traced.
    template = jax.tree.map(lambda leaf: leaf.astype(shaped(leaf, precision).dtype), task.template)
    params = shapes_with_hyper(
        "model.init",
        "a pytree of float arrays; make it of the key and of shapes of the example.",
        lambda hyper, key: model.init(key, template, hyper),
        hyper_shapes(hypers, precision),
        key_shape(),
    )
    check_params("model.init", params, precision)
    params = jax.tree.map(lambda leaf: shaped(leaf, precision), params)
    drawn = params
    if model.stochastic:
        hint = "what represent, score and classify see in training; give params with noise or keys."
        drawn = shapes_of("model.draw", hint, model.draw, params, key_shape())
        hint = f"leaves ({length}, ...), one row a segment; vmap it over the segments."
        shapes_of("model.represent", hint, model.represent, drawn, example, key_shape())
    values = _check_values(model, params, example, length)
    for known in (params, drawn) if model.stochastic else (params,):
        hint = f"scores {(length,)}."
        scores = shapes_of("model.score", hint, model.score, known, example, values)
        fix = "return one float a segment; reshape(-1) drops axes of length 1."
        expect("model.score", "scores", scores, (length,), fix)
        refuse_rounding("model.score", scores, precision)
    sights = Sights(params, drawn, example, values, scores)
    if not model.stochastic:
        _refuse_drawing(model, sights)
    return sights


@kept
def lengths_of(
    task: Task, model: Model, hypers: tuple[HyperSpec, ...], precision: str
) -> tuple[int, ...]:
    """Lengths of a task's buckets, `Problem.lengths`; none where a model reads but one length."""
    lengths = () if task.buckets is None else task.buckets.few
    if len(lengths) < 2:
        return ()
    seen, shortest = check_model(task, model, hypers, precision), lengths[0]

    def shorter(leaf: Any) -> Any:
        return jax.ShapeDtypeStruct((shortest, *leaf.shape[1:]), leaf.dtype)

    example = seen.example._replace(
        segments=jax.tree.map(shorter, seen.example.segments),
        mask=shorter(seen.example.mask),
        foreground=shorter(seen.example.foreground),
    )
    try:
        jax.eval_shape(partial(_look, model), seen.params, example)
    except (TypeError, ValueError):  # what JAX says of shapes that do not fit each other
        return ()
    return lengths


@kept
def tell_of_speed(task: Task, model: Model, hypers: tuple[HyperSpec, ...], precision: str) -> None:
    """Warn, once a model, of what is slow where it runs; of a model that has been checked."""
    seen = check_model(task, model, hypers, precision)
    warn_of_slow_convolution("model", partial(_look, model), seen.drawn, seen.example)


def _check_speed(model: Model, task: Task, seen: Sights, precision: str) -> None:
    """Refuse what is there for speed alone: a bad `Model.in_cache`, and a bad `Model.many`.

    The latter is asked of two examples, and has to be float arrays of its shapes.
    """
    most = model.in_cache
    if most is not None and not (isinstance(most, int) and most >= 1):
        raise InputError(
            f"model.in_cache: got {most!r}, expected a number of segments, at least 1; leave it "
            "out to take the gradient of a minibatch at once."
        )
    if model.many is None:
        return
    count, length, classes = 2, task.segments, task.classes
    examples, values = jax.tree.map(
        lambda leaf: shaped(leaf, precision, count), (seen.example, seen.values)
    )
    hint = f"(scores {(count, length)}, logits {(classes, count, length)}) of {count} examples."
    read = shapes_of("model.many", hint, model.many, seen.params, examples, values)
    if not (isinstance(read, tuple) and len(read) == 2):
        raise InputError(f"model.many: got {described(read)}, expected a pair {hint}")
    fix = "examples are in front of segments, classes in front of examples."
    expect("model.many", "scores", read[0], (count, length), fix)
    expect("model.many", "logits", read[1], (classes, count, length), fix)
    for part in read:
        refuse_rounding("model.many", part, precision)


def _refuse_drawing(model: Model, seen: Sights) -> None:
    """Refuse a model that would draw if it had a key: without one it is trained as another."""

    def look(key: Any, params: PyTree, example: Example) -> Any:
        return _look(model, model.draw(params, key), example, key)

    if draws(look, seen.params, seen.example):
        raise InputError(undeclared_key("model"))


def _look(model: Model, params: PyTree, example: Example, key: Any = None) -> Any:
    """All that a model makes of an example."""
    values = model.represent(params, example, key)
    logits = jax.vmap(model.classify, in_axes=(None, 0))(params, values)
    return values, model.score(params, example, values), logits


def _check_values(model: Model, params: PyTree, example: Example, length: int) -> PyTree:
    hint = f"leaves ({length}, ...), one row a segment; vmap it over the segments."
    values: PyTree = None
    if model.stochastic:
        without = f"{hint[:-1]}; without a key too, as when it is measured."
        values = shapes_of("model.represent", without, model.represent, params, example, None)
    else:
        with hint_at_key("model.represent", None, model.represent, params, example, key_shape()):
            values = shapes_of("model.represent", hint, model.represent, params, example, None)
    leaves = jax.tree.leaves(values)
    wrong = [leaf for leaf in leaves if leaf.shape[:1] != (length,)]
    if wrong or not leaves:
        got = described(wrong[0]) if wrong else f"{described(values)} without arrays"
        raise InputError(f"model.represent: got {got}, expected {hint}")
    return values


def check_classes(
    task: Task, model: Model, seen: Sights, log_attention: Any, precision: str
) -> None:
    """Refuse logits that are not one for each class of the task, and what is not read of many.

    Raises:
        InputError: with what they are.
    """
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), seen.values)
    hint = "numbers, as attention averages them."
    mean = shapes_of("model.represent", hint, average, log_attention, seen.values)
    looked_at = [(seen.params, one), *([(seen.params, mean)] if one != mean else [])]
    looked_at += [(seen.drawn, mean)] if model.stochastic else []
    for params, value in looked_at:
        hint = f"logits {(task.classes,)} of one value, without an axis of segments."
        logits = shapes_of("model.classify", hint, model.classify, params, value)
        fix = f"return one for each of the {task.classes} classes of the task."
        expect("model.classify", "logits", logits, (task.classes,), fix)
        refuse_rounding("model.classify", logits, precision)
    _check_speed(model, task, seen, precision)
