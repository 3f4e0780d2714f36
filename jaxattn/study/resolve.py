"""What the names of a sweep mean: which part of a run each axis and each table speaks of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from jaxattn.core.contracts import HyperSpec, InputError
from jaxattn.core.lookup import nearest
from jaxattn.problems.result_measures import RESULT_MEASURES
from jaxattn.study.axes import Axis, Value, refuse_clashes, refuse_taken
from jaxattn.study.components import KINDS, arguments, component, make_model, make_task
from jaxattn.study.fields import shown
from jaxattn.study.hypers import RESERVED, refuse_out_of_range
from jaxattn.study.settings import FIXED, STATIC, Settings
from jaxattn.study.study import Study, resolve_settings
from jaxattn.study.values import SEEDS, whole_number
from jaxattn.tasks import TASKS

__all__ = ["Meaning", "Role", "understand"]

Role: TypeAlias = Literal[
    "paradigm", "seed", "task", "model", "task argument", "model argument", "setting", "hyper"
]
"""What a name on an axis is. Only a seed and a hyper are traced; the others are static."""

_NAMED: Mapping[str, Role] = {
    "paradigm": "paradigm",
    "seed": "seed",
    "task": "task",
    "model": "model",
}
"""Names that say their role themselves."""

_ALWAYS = (*(spec.name for spec in RESULT_MEASURES), "status")
"""Variables of every result, beside what the problem measures."""


@dataclass(frozen=True)
class Meaning:
    """What was found out about a sweep."""

    roles: Mapping[str, Role]
    """Of every name on an axis."""
    hypers: Mapping[str, HyperSpec]
    """Every hyperparameter that some run reads."""
    measures: tuple[str, ...]
    """Every variable that some run measures."""
    tables: "_Tables"
    """What it was found out from."""

    def study_at(self, point: Mapping[str, Value], paradigms: tuple[Value, ...]) -> Study:
        """What runs at a static point have in common, hyperparameters and seeds apart."""
        return _study_at(self.tables, self.roles, point, paradigms)


@dataclass(frozen=True)
class _Tables:
    """What is understood: the tables of a spec and its axes."""

    task: Mapping[str, Any]
    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    axes: tuple[Axis, ...]

    @property
    def columns(self) -> dict[str, tuple[Value, ...]]:
        """Values by what varies."""
        return {name: values for axis in self.axes for name, values in axis.columns}

    @property
    def start(self) -> dict[str, Value]:
        """The first value of everything."""
        return {name: values[0] for name, values in self.columns.items()}

    @property
    def hypers(self) -> Mapping[str, float]:
        """Those that do not vary."""
        return self.settings.get("hypers", {})

    def places(self) -> dict[str, str]:
        """In which table each name is that does not vary."""
        found: dict[str, str] = {}
        for kind, table in (("task", self.task), ("model", self.model)):
            found |= {kind if key == "name" else key: f"[{kind}]" for key in table}
        found |= {key: "[settings]" for key in self.settings if key != "hypers"}
        return found | dict.fromkeys(self.hypers, "[settings.hypers]")

    def named(self, kind: str) -> tuple[Any, ...]:
        """Names of the components of a kind: those on an axis, or the one in a table, or none."""
        fixed = {"task": self.task.get("name"), "model": self.model.get("name")}
        one = fixed.get(kind, self.settings.get(kind))
        return self.columns.get(kind, () if one is None else (one,))

    def described(self, kind: str, roles: Mapping[str, Role], point: Mapping[str, Value]) -> dict:
        """The table of the task or model at a point of the axes."""
        own: dict[str, Any] = dict(self.task if kind == "task" else self.model)
        own |= {"name": point[kind]} if kind in point else {}
        return own | {key: at for key, at in point.items() if roles.get(key) == f"{kind} argument"}


def understand(
    task: Mapping[str, Any],
    model: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    axes: tuple[Axis, ...],
) -> Meaning:
    """Find what every name means, and refuse what cannot be run.

    Static points are tried one axis at a time, the other axes at their first value.

    Raises:
        InputError: an unknown name, a name with two meanings, or a value that cannot be.
    """
    tables = _Tables(task, model or {}, settings, axes)
    refuse_clashes(axes, tables.places())
    _check_needed(tables)
    roles = _roles(tables)
    found: dict[str, HyperSpec] = {}
    measures: dict[str, None] = dict.fromkeys(_ALWAYS)
    dims = set(RESERVED)
    for point in _static_points(tables, roles):
        made = _study_at(tables, roles, point, tables.columns["paradigm"])
        found |= made.hypers
        for paradigm in made.names:
            labels = made.problem(paradigm).measures
            measures |= dict.fromkeys(label.name for label in labels)
            dims |= {dim for label in labels for dim in label.dims}
    refuse_taken(axes, {*dims, *measures})
    _check_hypers(tables, roles, found)
    return Meaning(roles, found, tuple(measures), tables)


def _check_needed(tables: _Tables) -> None:
    """What every sweep has is there, and every component is one."""
    for name, example in (("paradigm", '["soft", "hard"]'), ("seed", "{ count = 8 }")):
        if name not in (axis.name for axis in tables.axes):
            raise InputError(
                f"axes: got no {name}, expected an axis of its own; add {name} = {example}."
            )
    if not tables.named("task"):
        raise InputError(
            f"task: got no name, expected one of {', '.join(sorted(TASKS))}; add name to [task]."
        )
    for kind in KINDS:
        for name in tables.named(kind):
            component(kind, name)
    for seed in tables.columns["seed"]:
        whole_number("seed", seed, 0, SEEDS - 1)


def _roles(tables: _Tables) -> dict[str, Role]:
    """What each name on an axis is."""
    roles: dict[str, Role] = {}
    for name, values in tables.columns.items():
        if name in _NAMED:
            roles[name] = _NAMED[name]
        elif name in STATIC:
            roles[name] = "setting"
            for value in values:
                _check_setting(name, value)
        elif name in FIXED:
            raise InputError(
                f"axes: got {name!r}, which holds for all runs; move it to [settings]."
            )
    _give_arguments("task", tables.named("task"), tables, roles)
    models = tables.named("model")
    if not models:
        along = [axis for axis in tables.axes if "task" in axis.names]
        points = [tables.start | axis.at(n) for axis in along for n in range(len(axis))]
        made = [
            make_task(tables.described("task", roles, point)) for point in points or [tables.start]
        ]
        models = tuple(dict.fromkeys(task.default_model for task in made))
    _give_arguments("model", models, tables, roles)
    return {name: roles.get(name, "hyper") for name in tables.columns}


def _check_setting(name: str, value: Value) -> None:
    if name == "batch_size":
        whole_number("axis batch_size", value, 1, 2**31 - 1)
    elif not isinstance(value, str):
        raise InputError(f"axis {name}: got {shown(value)}, expected a name in quotes.")


def _give_arguments(
    kind: Literal["task", "model"], names: tuple[Any, ...], tables: _Tables, roles: dict[str, Role]
) -> None:
    """The names on axes that are arguments of these components; all of them must take each."""
    accepted = {name: arguments(kind, name) for name in names}
    known = {argument for some, _ in accepted.values() for argument in some}
    swept = [name for name in tables.columns if name in known and name not in (*STATIC, *KINDS)]
    for name in swept:
        if name in roles:
            raise InputError(
                f"axes: got {name!r}, which is an argument of the task and of the model, expected "
                "a name with one meaning; rename the argument of your own one."
            )
        roles[name] = "task argument" if kind == "task" else "model argument"
    fixed = tables.task if kind == "task" else tables.model
    for name in (*(key for key in fixed if key != "name"), *swept):
        for owner, (some, any_name) in accepted.items():
            if name not in some and not any_name:
                raise InputError(
                    f"{kind}: got {name!r}, expected an argument of {owner}: "
                    f"{', '.join(some) or 'it has none'}; {nearest(name, some) or 'drop it.'}"
                )


def _static_points(tables: _Tables, roles: Mapping[str, Role]) -> Iterator[dict[str, Value]]:
    yield tables.start
    for axis in tables.axes:
        if {roles[name] for name in axis.names} - {"paradigm", "seed", "hyper"}:
            yield from (tables.start | axis.at(index) for index in range(1, len(axis)))


def _study_at(
    tables: _Tables,
    roles: Mapping[str, Role],
    point: Mapping[str, Value],
    paradigms: tuple[Value, ...],
) -> Study:
    """See `Meaning.study_at`."""
    task = make_task(tables.described("task", roles, point))
    fixed = {key: value for key, value in tables.settings.items() if key != "hypers"}
    fixed |= {key: at for key, at in point.items() if roles[key] == "setting"}
    fixed |= {k: tuple(value) for k, value in fixed.items() if isinstance(value, list)}
    return resolve_settings(
        Settings(
            task=task,
            model=make_model(tables.described("model", roles, point), task),
            paradigms=paradigms,
            seeds=(0,),
            **fixed,
        )
    )


def _check_hypers(
    tables: _Tables, roles: Mapping[str, Role], found: Mapping[str, HyperSpec]
) -> None:
    """Names are known, values in range."""
    takes = [arguments(kind, name)[0] for kind in ("task", "model") for name in tables.named(kind)]
    known = dict.fromkeys((*found, *(name for some in takes for name in some), *STATIC))
    for name, role in roles.items():
        if role == "hyper" and name not in found:
            raise InputError(
                f"axes: got {name!r}, expected one of {', '.join(known)}; "
                f"{nearest(name, known) or 'drop it.'}"
            )
    for name in tables.hypers:
        if name not in found:
            raise InputError(
                f"settings.hypers: got {name!r}, expected one of {', '.join(found)}; "
                f"{nearest(name, found) or 'drop it.'}"
            )
    given: dict[str, tuple[Any, ...]] = {name: (value,) for name, value in tables.hypers.items()}
    given |= {name: at for name, at in tables.columns.items() if roles[name] == "hyper"}
    for name, values in given.items():
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{name}: got {shown(value)}, expected a number.")
        for precision in tables.named("precision"):
            for end in (min(values), max(values)):
                refuse_out_of_range(found[name], end, str(precision))
