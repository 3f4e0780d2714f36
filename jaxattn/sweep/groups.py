"""The groups of a sweep: its rows sorted by what must be compiled apart."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np

from jaxattn.contracts import InputError, Task
from jaxattn.descent import OPTIMISERS
from jaxattn.models import MODELS
from jaxattn.names import resolve
from jaxattn.settings import Settings
from jaxattn.sweep.axes import Axis, Value
from jaxattn.sweep.spec import Spec
from jaxattn.tasks import TASKS

__all__ = ["Group", "make_groups", "place_of", "static_axes", "traced_axes"]

STATIC_SETTINGS = ("optimiser", "schedule", "batch_size", "order", "precision", "attention")
"""Fields of `Settings` that may be axes; each value is compiled apart."""


@dataclass(frozen=True, eq=False)
class Group:
    """All runs of one paradigm, process and static setting."""

    number: int
    at: Mapping[str, int]
    """Where on each static axis, ``paradigm`` among them."""
    process: str
    settings: Settings
    """Of this paradigm alone."""
    axes: tuple[Axis, ...]
    """The traced axes that these runs read."""
    lengths: tuple[Task, ...] = ()
    """Tasks of the values on a padded ``segments`` axis; `settings` has the longest."""

    @property
    def paradigm(self) -> str:
        """Its name."""
        return self.settings.names()[0]

    @cached_property
    def points(self) -> int:
        """Points of the traced axes."""
        return int(np.prod([len(axis) for axis in self.axes], dtype=int))


def place_of(spec: Spec, name: str) -> str:
    """Where a name on an axis belongs: paradigm, seed, task, model, settings or hypers."""
    if name in ("paradigm", "seed"):
        return name
    if name in STATIC_SETTINGS:
        return "settings"
    if name in _arguments(TASKS, "task", spec.task["name"]):
        return "task"
    if spec.model is not None and name in _arguments(MODELS, "model", spec.model["name"]):
        return "model"
    return "hypers"


def _arguments(registry: Mapping[str, Any], kind: str, name: Any) -> set[str]:
    found = resolve(kind, registry, name)
    return set() if isinstance(found, Task) else set(inspect.signature(found).parameters)


def static_axes(spec: Spec) -> tuple[Axis, ...]:
    """Axes along which something must be compiled anew."""
    return tuple(axis for axis in spec.axes if _is_static(spec, axis))


def _is_static(spec: Spec, axis: Axis) -> bool:
    padded = spec.layout.pad_segments and axis.names == ("segments",)
    places = {place_of(spec, name) for name in axis.names}
    return not padded and not places <= {"hypers", "seed"}


def traced_axes(spec: Spec) -> tuple[Axis, ...]:
    """Axes that one compiled program runs along, the seed's apart.

    Some axis always has the learning rate: if none was asked for, one of a single value.
    """
    found = tuple(a for a in spec.axes if not _is_static(spec, a) and a.name != "seed")
    if any("learning_rate" in axis.names for axis in spec.axes):
        return found
    rate = spec.settings.get("hypers", {}).get("learning_rate", OPTIMISERS["sgd"].hypers[0].default)
    return (Axis("learning_rate", (("learning_rate", (rate,)),)), *found)


def make_groups(spec: Spec) -> tuple[Group, ...]:
    """Every static point of the sweep under each process, in the order of the axes.

    Raises:
        InputError: what `Settings` refuses, or a name on an axis that no run reads.
    """
    static = static_axes(spec)
    indices = list(product(*(range(len(axis)) for axis in static)))
    groups: list[Group] = []
    read: set[str] = set()
    for index in indices:
        at = {axis.name: place for axis, place in zip(static, index, strict=True)}
        values = {
            name: value
            for axis, place in zip(static, index, strict=True)
            for name, value in axis.at(place).items()
        }
        for process in spec.processes:
            group = _group(spec, len(groups), at, values, process)
            read |= {name for axis in group.axes for name in axis.names}
            read |= set(group.settings.hypers)
            groups.append(group)
    for axis in spec.axes:
        for name in axis.names:
            if place_of(spec, name) == "hypers" and name not in read:
                raise InputError(
                    f"axis {axis.name}: got {name!r}, which no run of this sweep reads; drop it or "
                    "check its spelling."
                )
    return tuple(groups)


def _group(
    spec: Spec, number: int, at: Mapping[str, int], values: Mapping[str, Value], process: str
) -> Group:
    by_place: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        by_place.setdefault(place_of(spec, name), {})[name] = value
    task = _made("task", TASKS, {**spec.task, **by_place.get("task", {})})
    traced = traced_axes(spec)
    lengths: tuple[Task, ...] = ()
    if padded := [axis for axis in traced if "segments" in axis.names]:
        lengths = tuple(
            _made("task", TASKS, {**spec.task, **by_place.get("task", {}), "segments": length})
            for length in padded[0].columns[0][1]
        )
        task = max(lengths, key=lambda one: one.segments)
    model = spec.model and _model({**spec.model, **by_place.get("model", {})})
    plain = {**spec.settings, **by_place.get("settings", {})}
    hypers = {**plain.pop("hypers", {}), **by_place.get("hypers", {})}
    seeds = next(axis for axis in spec.axes if axis.name == "seed").columns[0][1]
    numbers = tuple(int(seed) for seed in seeds)
    bare = Settings(
        task=task,
        model=model,
        paradigms=(values["paradigm"],),
        seeds=numbers,
        flow_seeds=len(numbers) if process == "flow" else 0,
        **plain,
    )
    known = {*bare.specs(), "segments"}
    axes = tuple(axis for axis in traced if known & set(axis.names))
    for axis in axes:
        hypers |= {name: column for name, column in axis.columns if name != "segments"}
    # Each value once: here they are only checked.
    once = {
        name: tuple(dict.fromkeys(value)) if isinstance(value, Sequence) else value
        for name, value in hypers.items()
        if name in known
    }
    return Group(number, dict(at), process, replace(bare, hypers=once), axes, lengths)


def _made(kind: str, registry: Mapping[str, Any], described: Mapping[str, Any]) -> Any:
    described = dict(described)
    found = resolve(kind, registry, described.pop("name"))
    return found if isinstance(found, Task) else found(**described)


def _model(described: Mapping[str, Any]) -> Callable[[int], Any] | Any:
    described = dict(described)
    found = resolve("model", MODELS, described.pop("name"))
    return partial(found, **described) if described else found


assert {*STATIC_SETTINGS} <= {field.name for field in fields(Settings)}
