"""Static axes of a comparison: settings, and arguments of factories, that make other programs."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from jaxattn.core.contracts import InputError, Model, Problem, Task
from jaxattn.core.lookup import nearest
from jaxattn.problems.fresh import Fresh
from jaxattn.problems.tracing import in_one_line
from jaxattn.study.checks import exactly_held, in_order, shown, unwrapped
from jaxattn.study.settings import STATIC, Settings
from jaxattn.study.subject import name_of

__all__ = ["Point", "static_axes_of", "static_points"]

_SETTINGS = ("task", "model", *STATIC)
_FACTORIES = ("problems", "data", "model", "task")
"""Settings that may be functions of what varies."""


class Point(NamedTuple):
    """One combination of the values on static axes."""

    labels: dict[str, Any]
    """By axis, as the result has them."""
    settings: Settings
    """Of the runs there."""


def static_axes_of(settings: Settings) -> dict[str, tuple[Any, ...]]:
    """The values of each axis, in order.

    Raises:
        InputError: no table, an axis without values or with the same label twice, or of none.
    """
    given = settings.static or {}
    if not isinstance(given, Mapping):
        raise InputError(
            f"static: got {shown(given)}, expected lists of values by name; write "
            "static={'width': [16, 64]}."
        )
    axes = {str(name): tuple(in_order(f"static {name}", at)) for name, at in given.items()}
    for name, values in axes.items():
        if not name.isidentifier():
            raise InputError(
                f"static: got the name {shown(name)}, expected letters, digits and underscores."
            )
        labels = [_label(name, value) for value in values]
        if not labels or len(set(labels)) < len(labels):
            got = ", ".join(map(str, labels)) or "no values"
            raise InputError(f"static {name}: got {got}, expected each value once; change them.")
    return axes


def static_points(settings: Settings) -> list[Point]:
    """The settings at every combination of the values on static axes.

    Args:
        settings: `Settings.static` names settings, or arguments of functions that stand for
            problems, data, model or task.

    Raises:
        InputError: a name that is neither, or what a function of them raises.
    """
    axes = static_axes_of(settings)
    takers = {name: _taken(settings, name) for name in axes if name not in _SETTINGS}
    bare = replace(settings, static=None)
    points = []
    for values in product(*axes.values()):
        at = dict(zip(axes, values, strict=True))
        changed = {name: value for name, value in at.items() if name not in takers}
        for factory in _FACTORIES:
            given = {name: at[name] for name, where in takers.items() if factory in where}
            if given or _is_factory_alone(settings, factory):
                changed[factory] = _made(factory, getattr(settings, factory), given)
        labels = {name: _label(name, value) for name, value in at.items()}
        points.append(Point(labels, replace(bare, **changed)))
    return points


def _label(name: str, value: Any) -> Any:
    plain = unwrapped(value)
    if isinstance(plain, bool | int | float | str):
        exactly_held(f"static {name}", plain)
        return plain
    return name_of(value)


def _is_factory_alone(settings: Settings, factory: str) -> bool:
    """Whether problems are a function, also of nothing that varies."""
    return factory == "problems" and callable(settings.problems)


def _taken(settings: Settings, name: str) -> tuple[str, ...]:
    """The functions that take an argument of this name."""
    functions = {factory: getattr(settings, factory) for factory in _FACTORIES}
    functions = {factory: one for factory, one in functions.items() if _is_function(one)}
    takers = tuple(factory for factory, one in functions.items() if name in _arguments(one))
    if not takers:
        known = dict.fromkeys(
            [*_SETTINGS, *(a for one in functions.values() for a in _arguments(one))]
        )
        raise InputError(
            f"static: got {name!r}, expected a setting, or an argument of problems, data, model or "
            f"task where those are functions: {', '.join(known)}; "
            f"{nearest(name, known) or 'what is traced belongs in hypers.'}"
        )
    return takers


def _is_function(one: Any) -> bool:
    return callable(one) and not isinstance(one, Problem | Task | Model | Fresh)


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except ValueError:  # some of what is written in C has none
        return ()


def _made(factory: str, function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """What a function makes of some values: a model still takes the classes, data the seed."""
    rest = [name for name in _arguments(function) if name not in given]
    if factory == "model" or (factory == "data" and "seed" in rest[:1]):
        return partial(function, **given)
    said = ", ".join(f"{name} = {shown(value)}" for name, value in given.items())
    with in_one_line(f"{factory} at {said or 'no arguments'}", "one that can be made of these."):
        return function(**given)
