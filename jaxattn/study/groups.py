"""The groups of a study: its rows sorted by what must be compiled apart."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod

import numpy as np

from jaxattn.core.contracts import Problem, Task
from jaxattn.study.axes import Axis, Value
from jaxattn.study.plan import make_plan
from jaxattn.study.spec import Spec
from jaxattn.study.study import Study, resolve_settings
from jaxattn.study.subject import AttentionNetwork
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.saves import AtTimes, OwnTimes

__all__ = [
    "THEORY",
    "Group",
    "groups_of",
    "make_groups",
    "setting_of",
    "static_axes",
    "traced_axes",
]

THEORY = "theory"
"""The dynamics of exact rows: nothing is run of them, they are solved."""


@dataclass(frozen=True, eq=False)
class Group:
    """All runs of one paradigm, dynamics and static setting."""

    number: int
    at: Mapping[str, int]
    """Its place on each static axis, ``paradigm`` among them."""
    paradigm: str
    dynamics: str
    study: Study
    axes: tuple[Axis, ...]
    """The traced axes that these runs read."""
    constants: Mapping[str, float]
    """Hyperparameters that they read and share."""
    seeds: tuple[int, ...]
    lengths: tuple[Task, ...] = ()
    """Tasks of the values on a padded ``segments`` axis; `study` has the longest."""

    @cached_property
    def problem(self) -> Problem:
        """What is learnt."""
        return self.study.problem(self.paradigm, self.dynamics)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is run of it: a theory says what it measures."""
        return self.dynamics == THEORY or self.dynamics in self.study.theories

    @cached_property
    def points(self) -> int:
        """Points of the traced axes."""
        return prod(len(axis) for axis in self.axes)

    @cached_property
    def hypers(self) -> dict[str, np.ndarray]:
        """Numbers on the axes at every point ``[point]``, constants broadcast."""
        points = make_plan(self.axes, (0,), self.constants, tile=1)
        return points.hypers_of(np.arange(points.size))


def groups_of(study: Study) -> tuple[Group, ...]:
    """The groups of one comparison: paradigms in training, in each limit beside it, and exact."""
    groups: list[Group] = []
    for dynamics in study.dynamics:
        for place, paradigm in enumerate(study.names):
            read = {spec.name for spec in study.problem(paradigm, dynamics).hypers}
            read |= {spec.name for spec in study.optimiser.hypers}
            traced = tuple(axis for axis in study.traced if axis.name in read)
            constants = {name: at for name, at in study.constants.items() if name in read}
            if dynamics == "flow" and _share_one_clock(study):
                # Gradient flow itself knows no rate: one solution serves them all.
                constants["learning_rate"] = max(study.axes["learning_rate"])
                traced = tuple(axis for axis in traced if axis.name != "learning_rate")
            seeds = study.seeds
            if dynamics == "flow" and study.settings.flow_seeds:
                seeds = seeds[: study.settings.flow_seeds]
            at = {"paradigm": place}
            groups.append(
                Group(len(groups), at, paradigm, dynamics, study, traced, constants, seeds)
            )
    whose = study.dynamics[0]
    for group in [g for g in groups if g.dynamics == whose and g.paradigm in study.exact]:
        groups.append(_exact(group, len(groups), study.traced, study.constants))
    first = {group.paradigm: group for group in reversed(groups) if not group.is_exact}
    for name, theories in study.theories.items():
        for paradigm in theories:
            group = replace(first[paradigm], number=len(groups), dynamics=name)
            groups.append(replace(group, axes=study.traced, constants=study.constants))
    return tuple(groups)


def _exact(
    group: Group, number: int, axes: tuple[Axis, ...], constants: Mapping[str, float]
) -> Group:
    """The exact rows beside those of a group; they know no seed."""
    exact = replace(group, number=number, dynamics=THEORY, axes=axes, constants=constants)
    return replace(exact, seeds=group.seeds[:1])


def _share_one_clock(study: Study) -> bool:
    """Whether all runs are measured at the same times, to rounding."""
    saves = study.saves
    if isinstance(saves, OwnTimes):
        return True
    if not isinstance(saves, AtTimes):
        return False
    # A clock adds up steps: each may round by half a unit in the last place.
    close = saves.most * np.finfo(float).eps
    return bool(np.allclose(study.clock(study.grid), saves.times, rtol=close, atol=0))


def static_axes(spec: Spec) -> tuple[Axis, ...]:
    """Axes along which something must be compiled anew, ``paradigm`` first."""
    return tuple(axis for axis in spec.axes if _is_static(spec, axis))


def setting_of(spec: Spec, group: Group) -> dict[str, Value]:
    """The values of a group on the static axes, but for the paradigm."""
    return {
        name: value
        for axis in static_axes(spec)
        for name, value in axis.at(group.at[axis.name]).items()
        if name != "paradigm"
    }


def traced_axes(spec: Spec) -> tuple[Axis, ...]:
    """Axes that one compiled program runs along, the seed's apart.

    Some axis always has the learning rate: if none was asked for, one of a single value.
    """
    traced = tuple(a for a in spec.axes if not _is_static(spec, a) and a.name != "seed")
    if any("learning_rate" in axis.names for axis in spec.axes):
        return traced
    default = {each.name: each.default for each in as_optimiser("sgd").hypers}["learning_rate"]
    rate = spec.settings.get("hypers", {}).get("learning_rate", default)
    return (Axis("learning_rate", (("learning_rate", (rate,)),)), *traced)


def _is_static(spec: Spec, axis: Axis) -> bool:
    padded = spec.layout.pad_segments and axis.names == ("segments",)
    return not padded and not {spec.roles[name] for name in axis.names} <= {"hyper", "seed"}


def make_groups(spec: Spec) -> tuple[Group, ...]:
    """Every static point of the sweep under each kind of dynamics, in the order of the axes."""
    static = static_axes(spec)
    groups: list[Group] = []
    for index in product(*(range(len(axis)) for axis in static)):
        at = {axis.name: place for axis, place in zip(static, index, strict=True)}
        point: dict[str, Value] = {}
        for axis, place in zip(static, index, strict=True):
            point |= axis.at(place)
        for dynamics in _dynamics_of(spec):
            groups.append(_group(spec, len(groups), at, point, dynamics))
        last = groups[-1]
        if last.study.exact and not last.lengths:
            groups.append(_exact(last, len(groups), last.axes, last.constants))
    return tuple(groups)


def _is_beside_some(dynamics: str, study: Study) -> bool:
    """Whether it is the flow beside the training of some seeds."""
    return dynamics == "flow" and not study.settings.against and study.settings.times is None


def _dynamics_of(spec: Spec) -> tuple[str, ...]:
    against = tuple(spec.settings.get("against", ()))
    if spec.settings.get("times") is not None:
        return against or ("flow",)
    return ("train", *against) if against else spec.dynamics


def _task_of(study: Study) -> Task:
    assert isinstance(study.subject, AttentionNetwork)
    return study.subject.task


def _group(
    spec: Spec, number: int, at: Mapping[str, int], point: Mapping[str, Value], dynamics: str
) -> Group:
    traced = traced_axes(spec)
    padded = [value for axis in traced for value in dict(axis.columns).get("segments", ())]
    points = [{**point, "segments": length} for length in padded] or [dict(point)]
    alike = [spec.request.study_at(each, (point["paradigm"],)) for each in points]
    lengths = tuple(map(_task_of, alike)) if padded else ()
    bare = max(alike, key=lambda each: _task_of(each).segments) if padded else alike[0]
    known = set(bare.hypers)
    axes = tuple(axis for axis in traced if (known | {"segments"}) & set(axis.names))
    hypers = {**spec.settings.get("hypers", {}), **point}
    # On an axis a value may come again with others beside it; here they are only checked.
    hypers |= {n: tuple(dict.fromkeys(values)) for axis in axes for n, values in axis.columns}
    seeds = next(axis for axis in spec.axes if axis.name == "seed").columns[0][1]
    study = resolve_settings(
        replace(
            bare.settings,
            hypers={name: value for name, value in hypers.items() if name in known},
            seeds=tuple(int(seed) for seed in seeds),
            flow_seeds=len(seeds) if _is_beside_some(dynamics, bare) else 0,
        ),
        whole=False,
    )
    # Values that move together stay together: the largest step is that of a run there is.
    study = replace(study, traced=axes)
    moving = {name for axis in axes for name in axis.names}
    constants = {name: value for name, value in study.constants.items() if name not in moving}
    return Group(number, at, study.names[0], dynamics, study, axes, constants, study.seeds, lengths)
