"""The groups of a sweep: its rows sorted by what must be compiled apart."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod

from jaxattn.core.contracts import Task
from jaxattn.study.axes import Axis, Value
from jaxattn.study.settings import Settings
from jaxattn.study.spec import Spec
from jaxattn.training.optimisers import as_optimiser

__all__ = ["Group", "make_groups", "static_axes", "traced_axes"]


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
        return prod(len(axis) for axis in self.axes)


def static_axes(spec: Spec) -> tuple[Axis, ...]:
    """Axes along which something must be compiled anew, ``paradigm`` first."""
    return tuple(axis for axis in spec.axes if _is_static(spec, axis))


def traced_axes(spec: Spec) -> tuple[Axis, ...]:
    """Axes that one compiled program runs along, the seed's apart.

    Some axis always has the learning rate: if none was asked for, one of a single value.
    """
    found = tuple(a for a in spec.axes if not _is_static(spec, a) and a.name != "seed")
    if any("learning_rate" in axis.names for axis in spec.axes):
        return found
    default = {one.name: one.default for one in as_optimiser("sgd").hypers}["learning_rate"]
    rate = spec.settings.get("hypers", {}).get("learning_rate", default)
    return (Axis("learning_rate", (("learning_rate", (rate,)),)), *found)


def _is_static(spec: Spec, axis: Axis) -> bool:
    padded = spec.layout.pad_segments and axis.names == ("segments",)
    return not padded and not {spec.roles[name] for name in axis.names} <= {"hyper", "seed"}


def make_groups(spec: Spec) -> tuple[Group, ...]:
    """Every static point of the sweep under each process, in the order of the axes."""
    static = static_axes(spec)
    groups: list[Group] = []
    for index in product(*(range(len(axis)) for axis in static)):
        at = {axis.name: place for axis, place in zip(static, index, strict=True)}
        point = {
            name: value
            for axis, place in zip(static, index, strict=True)
            for name, value in axis.at(place).items()
        }
        for process in spec.processes:
            groups.append(_group(spec, len(groups), at, point, process))
    return tuple(groups)


def _group(
    spec: Spec, number: int, at: Mapping[str, int], point: Mapping[str, Value], process: str
) -> Group:
    traced = traced_axes(spec)
    lengths: tuple[Task, ...] = ()
    paradigms = (point["paradigm"],)
    padded = [value for axis in traced for value in dict(axis.columns).get("segments", ())]
    if padded:
        alike = [spec.meaning.settings_at({**point, "segments": n}, paradigms) for n in padded]
        lengths = tuple(one.made_task() for one in alike)
        bare = max(alike, key=lambda one: one.made_task().segments)
    else:
        bare = spec.meaning.settings_at(point, paradigms)
    known = set(bare.specs())
    axes = tuple(axis for axis in traced if (known | {"segments"}) & set(axis.names))
    hypers = {**spec.settings.get("hypers", {}), **point}
    # On an axis a value may come again with others beside it; here they are only checked.
    hypers |= {n: tuple(dict.fromkeys(values)) for axis in axes for n, values in axis.columns}
    seeds = next(axis for axis in spec.axes if axis.name == "seed").columns[0][1]
    settings = replace(
        bare,
        hypers={name: value for name, value in hypers.items() if name in known},
        seeds=tuple(int(seed) for seed in seeds),
        flow_seeds=len(seeds) if process == "flow" else 0,
    )
    return Group(number, at, process, settings, axes, lengths)
