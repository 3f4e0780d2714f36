"""The components that a sweep names, each with its arguments: looked up, imported, made."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import Any

from jaxattn.core.contracts import (
    AttentionMap,
    InputError,
    Model,
    Paradigm,
    Problem,
    SequenceModel,
    Task,
)
from jaxattn.core.errors import in_a_line
from jaxattn.core.lookup import resolve
from jaxattn.models import MODELS, SEQUENCE_MODELS
from jaxattn.problems.attention import ATTENTION_MAPS
from jaxattn.problems.components import WORDS, given_to
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.study.checks import shown
from jaxattn.tasks import TASKS
from jaxattn.training.optimisers import OPTIMISERS, Optimiser
from jaxattn.training.schedules import SCHEDULES

__all__ = [
    "KINDS",
    "NAMED_BY",
    "arguments",
    "component",
    "make_data",
    "make_model",
    "make_problems",
    "make_task",
]

KINDS: dict[str, tuple[str, Mapping[str, Any], tuple[type, ...]]] = {
    "task": ("task", TASKS, (Task,)),
    "model": ("model", {**MODELS, **SEQUENCE_MODELS}, (Model, SequenceModel)),
    "paradigm": ("paradigm", PARADIGMS, (Paradigm,)),
    "optimiser": ("optimiser", OPTIMISERS, (Optimiser,)),
    "schedule": ("schedule", SCHEDULES, ()),
    "attention": ("attention map", ATTENTION_MAPS, (AttentionMap,)),
}
"""What is named: in words, the names there are, and the types that need no making."""

OWN_KINDS: dict[str, tuple[str, Mapping[str, Any], tuple[type, ...]]] = {
    "problem": ("problem", {}, (Problem, dict)),
    "data": ("data", {}, (object,)),
    "measure": ("measure", {}, (tuple,)),
}
"""The same of what only has import paths."""

NAMED_BY: Mapping[str, str] = {"problem": "from", "data": "from"}
"""The key of a table that names its component, where that is not ``name``."""


def component(kind: str, name: Any) -> Any:
    """The component of this name or import path: ready, or a function.

    Raises:
        InputError: no name, an unknown one, nothing to import there, or something of no use.
    """
    words, table, ready = (KINDS | OWN_KINDS)[kind]
    if not isinstance(name, str):
        raise InputError(f"{kind}: got {shown(name)}, expected a name in quotes.")
    resolved = resolve(words, table, name)
    if not callable(resolved) and not isinstance(resolved, ready):
        raise InputError(
            f"{kind}: got {name!r}, which is {type(resolved).__name__}, expected a function."
        )
    return resolved


def arguments(kind: str, name: Any) -> tuple[tuple[str, ...], bool]:
    """What a task or model can be given by name, and whether it takes any name.

    A model's first argument, the number of classes, is the task's to give; so are its words.
    """
    factory = component(kind, name)
    if not callable(factory):
        return (), False
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except ValueError:  # some of what is written in C has none
        return (), True
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [parameter.name for parameter in parameters if parameter.kind in named]
    any_name = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    if kind == "data":
        names = [name for name in names if name != "seed"]
    own = names[1:] if kind == "model" else names
    return tuple(name for name in own if (kind, name) != ("model", WORDS)), any_name


def make_task(described: Mapping[str, Any]) -> Task:
    """The task of a table with its name and arguments.

    Raises:
        InputError: it cannot be made of them.
    """
    factory = component("task", described["name"])
    return factory if isinstance(factory, Task) else _made("task", factory, described)


def make_model(described: Mapping[str, Any] | None, task: Task) -> Model | SequenceModel:
    """The model of a table with its name, the task's own if it has none, and arguments.

    Raises:
        InputError: it cannot be made of them.
    """
    described = {"name": task.default_model, **(described or {})}
    factory = component("model", described["name"])
    if isinstance(factory, Model | SequenceModel):
        return factory
    return _made("model", given_to(factory, task.classes, task.vocabulary), described)


def make_problems(described: Mapping[str, Any]) -> dict[str, Problem]:
    """The problems of a table with the import path of a factory, and its arguments.

    Raises:
        InputError: it cannot be made of them, or gives no problem and no table of problems.
    """
    made = _made_or_ready("problem", described)
    problems = {made.name: made} if isinstance(made, Problem) else made
    wrong = [one for one in problems.values() if not isinstance(one, Problem)]
    if wrong or not problems:
        got = type(wrong[0]).__name__ if wrong else "an empty table"
        raise InputError(
            f"problem: got {described['from']!r}, which makes {got}, expected what "
            "jaxattn.problem(init, loss) gives, or a table of them by name."
        )
    return dict(problems)


def make_data(described: Mapping[str, Any]) -> Any:
    """The data of a table with the import path of what gives them, and its arguments.

    A function that takes a ``seed`` gives those of each; another one gives what
    `jaxattn.problems.own_data.own_data` takes.

    Raises:
        InputError: it cannot be made of them.
    """
    function = component("data", described["from"])
    if callable(function) and "seed" in inspect.signature(function).parameters:
        given = {key: _hashable(value) for key, value in described.items() if key != "from"}
        return update_wrapper(partial(_of_seed, function, given), function)
    return _made_or_ready("data", described)


def _of_seed(function: Callable[..., Any], given: Mapping[str, Any], seed: int) -> Any:
    return function(seed=seed, **given)


def _made_or_ready(kind: str, described: Mapping[str, Any]) -> Any:
    factory = component(kind, described["from"])
    if not callable(factory):
        return factory
    return _made(kind, factory, described)


def _made(kind: str, factory: Callable[..., Any], described: Mapping[str, Any]) -> Any:
    key_of_name = NAMED_BY.get(kind, "name")
    name = described[key_of_name]
    given = {key: _hashable(value) for key, value in described.items() if key != key_of_name}
    try:
        component = factory(**given)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        got = ", ".join(f"{key} = {shown(value)}" for key, value in given.items())
        said = in_a_line(error) or type(error).__name__
        raise InputError(
            f"{kind} {name}: got {got or 'no arguments'}, which it refuses ({said}); change them."
        ) from error
    if kind != "data" and not isinstance(component, (KINDS | OWN_KINDS)[kind][2]):
        got = type(component).__name__
        raise InputError(f"{kind}: got {name!r}, which makes {got}, expected a jaxattn {kind}.")
    return component


def _hashable(value: Any) -> Any:
    """Lists as tuples: factories are cached."""
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value
