"""The components of a problem, from names, factories or objects; what is none is refused."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from jaxattn.core.contracts import (
    AttentionMap,
    InputError,
    Model,
    Paradigm,
    SequenceModel,
    Task,
)
from jaxattn.core.lookup import resolve
from jaxattn.core.vocabulary import Vocabulary
from jaxattn.models import MODELS, SEQUENCE_MODELS
from jaxattn.problems.attention import ATTENTION_MAPS, as_attention_map
from jaxattn.problems.paradigms import PARADIGMS, as_paradigm
from jaxattn.problems.tracing import in_one_line
from jaxattn.tasks import TASKS

__all__ = ["WORDS", "attention_map_from", "given_to", "model_from", "paradigm_from", "task_from"]


WORDS = "vocabulary"
"""Argument of a model that the task gives where its segments are words."""


def task_from(given: Any, data: Any = None) -> Task:
    """A task from its name, a factory without arguments, or the `Task` itself.

    Args:
        given: any of these.
        data: where the factory finds its data on disk; None: where it looks itself.

    Raises:
        InputError: an unknown name, a factory that raises or that reads no data, or no `Task`.
    """
    task = resolve("task", TASKS, given)
    if data is not None:
        if isinstance(task, Task) or "data" not in inspect.signature(task).parameters:
            called = given if isinstance(given, str) else getattr(task, "name", "of your own")
            raise InputError(
                f"data: got {str(data)!r} beside the task {called!r}, which reads none, expected "
                "one that does, such as cifar10; leave data out."
            )
        task = partial(task, data=data)
    if callable(task) and not isinstance(task, Task):
        with in_one_line("task", "a Task, or a function that makes one without arguments."):
            task = task()
    _check_kind("task", task, Task)
    return task


def model_from(given: Any, task: Task) -> Any:
    """A model of a task from its name, a factory taking the classes, or the model itself.

    Of a task with a vocabulary it is a `SequenceModel`, else a `Model`.

    Raises:
        InputError: an unknown name, a factory that raises, or no such model.
    """
    table, kind = (SEQUENCE_MODELS, SequenceModel) if task.caption_words else (MODELS, Model)
    model = resolve("model", table, given)
    if callable(model) and not isinstance(model, kind):
        with in_one_line(
            "model", f"a {kind.__name__}, or a function from the number of classes to one."
        ):
            model = given_to(model, task.classes, task.vocabulary)()
    _check_kind("model", model, kind)
    return model


def given_to(
    factory: Callable[..., Any], classes: int, vocabulary: Vocabulary | None
) -> Callable[..., Any]:
    """The factory of a model, given what is a task's to give: classes, and words where asked."""
    words = {WORDS: vocabulary} if vocabulary is not None else {}
    try:
        asked = WORDS in inspect.signature(factory).parameters
    except ValueError:  # some of what is written in C has no signature
        asked = False
    return partial(factory, classes, **(words if asked else {}))


def paradigm_from(given: Any) -> Paradigm:
    """A paradigm from its name, the plain loss of one example, or the `Paradigm` itself.

    Raises:
        InputError: an unknown name, or neither a function nor a `Paradigm`.
    """
    paradigm = resolve("paradigm", PARADIGMS, given)
    _check_kind("paradigm", paradigm, Paradigm, or_function=True)
    return as_paradigm(paradigm)


def attention_map_from(given: Any) -> AttentionMap:
    """A map from its name, a plain ``(scores, example, hyper)``, or the `AttentionMap` itself.

    Raises:
        InputError: an unknown name, or neither a function nor an `AttentionMap`.
    """
    attention = resolve("attention map", ATTENTION_MAPS, given)
    _check_kind("attention map", attention, AttentionMap, or_function=True)
    return as_attention_map(attention)


def _check_kind(kind: str, component: Any, of: type, *, or_function: bool = False) -> None:
    """Refuse what is no component of this kind, or may change and so cannot be cached."""
    if not isinstance(component, of) and not (or_function and callable(component)):
        function = ", or a function" if or_function else ""
        where = "jaxattn.core.contracts" if of is SequenceModel else "jaxattn"
        raise InputError(
            f"{kind}: got {type(component).__name__}, expected {of.__name__}{function}; see "
            f"help({where}.{of.__name__})."
        )
    try:
        hash(component)
    except TypeError as error:
        raise InputError(
            f"{kind}: got one with a part that is {error}, expected parts that never change, as "
            "problems are cached; write hypers as a tuple."
        ) from error
