"""What the names of a sweep mean: which part of a run each axis and each table speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError, Problem, Task
from jaxattn.core.lookup import nearest
from jaxattn.study.axes import Axis, Value
from jaxattn.study.checks import shown, whole_number
from jaxattn.study.components import (
    KINDS,
    NAMED_BY,
    arguments,
    component,
    make_data,
    make_model,
    make_problems,
    make_task,
)
from jaxattn.study.settings import FIXED, STATIC, Settings
from jaxattn.study.study import Study, resolve_settings

__all__ = ["CONTENT", "Request", "Role"]

CONTENT = "sha256"
"""Argument of a task that says which data on disk it is to be made of."""

Role: TypeAlias = Literal[
    "paradigm",
    "seed",
    "task",
    "model",
    "problem",
    "data",
    "task argument",
    "model argument",
    "problem argument",
    "data argument",
    "setting",
    "hyper",
]
"""What a name on an axis is. Only a seed and a hyper are traced; the others are static."""

_NAMED: tuple[Role, ...] = ("paradigm", "seed", "task", "model", "problem", "data")
"""Names that say their role themselves."""

_ARGUMENTS: Mapping[str, Role] = {
    "task": "task argument",
    "model": "model argument",
    "problem": "problem argument",
    "data": "data argument",
}


@dataclass(frozen=True)
class Request:
    """What is run: the tables of a spec and its axes."""

    tables: Mapping[str, Mapping[str, Any]]
    """What is learnt, and from what: ``task`` and ``model``, or ``problem`` and ``data``."""
    settings: Mapping[str, Any]
    axes: tuple[Axis, ...]
    own_measures: Mapping[str, str]
    """Import paths by name."""

    @cached_property
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

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """What each name on an axis is.

        Raises:
            InputError: a setting that may not vary, or an argument that a component does not take.
        """
        return _roles(self)

    @property
    def is_own(self) -> bool:
        """Whether problems of one's own are learnt, and no attention network."""
        return "problem" in self.tables

    def components(self, kind: str) -> tuple[Any, ...]:
        """Names of the components of a kind: those on an axis, or the one in a table, or none."""
        table = self.tables.get(kind, {})
        name = table.get(NAMED_BY.get(kind, "name"), self.settings.get(kind))
        return self.columns.get(kind, () if name is None else (name,))

    def task_at(self, point: Mapping[str, Value], roles: Mapping[str, Role]) -> Task:
        """The task at a point of the axes."""
        return make_task(_described("task", self.tables["task"], point, roles))

    def task_of_its_content(self) -> dict[str, Any]:
        """The table of the task, with the SHA-256 of its data on disk where it is one of such."""
        table = dict(self.tables["task"])
        if CONTENT in table or "task" in self.columns:
            return table
        names, _ = arguments("task", table["name"])
        content = self.task_at(self.start, self.roles).content if CONTENT in names else ""
        return {**table, CONTENT: content} if content else table

    def problems_at(
        self, point: Mapping[str, Value], roles: Mapping[str, Role]
    ) -> dict[str, Problem]:
        """The problems at a point of the axes, by name."""
        described = _described("problem", self.tables["problem"], point, roles)
        key = canonical_json(described)
        if key not in self._made:
            self._made[key] = make_problems(described)
        return self._made[key]

    def data_at(self, point: Mapping[str, Value], roles: Mapping[str, Role]) -> Any:
        """The data at a point of the axes."""
        described = _described("data", self.tables["data"], point, roles)
        key = canonical_json(described)
        if key not in self._made:
            self._made[key] = make_data(described)
        return self._made[key]

    @cached_property
    def _made(self) -> dict[str, Any]:
        """Problems and data that were made, by what they were made of."""
        return {}

    def study_at(self, point: Mapping[str, Value], paradigms: tuple[Value, ...]) -> Study:
        """What runs at a static point have in common, hyperparameters and seeds apart."""
        settings = {key: value for key, value in self.settings.items() if key != "hypers"}
        settings |= {key: value for key, value in point.items() if self.roles[key] == "setting"}
        settings["measures"] = {
            name: component("measure", path) for name, path in self.own_measures.items()
        }
        whole = tuple(paradigms) == self.columns["paradigm"]
        # Of several seeds two are enough to see whether they differ.
        settings["seeds"] = tuple(range(min(2, len(self.columns["seed"]))))
        if self.is_own:
            problems = self.problems_at(point, self.roles)
            chosen = {str(name): _among(problems, name) for name in paradigms}
            data = self.data_at(point, self.roles)
            return resolve_settings(Settings(problems=chosen, data=data, **settings), whole=whole)
        task = self.task_at(point, self.roles)
        model = make_model(_described("model", self.tables["model"], point, self.roles), task)
        return resolve_settings(
            Settings(task=task, model=model, paradigms=paradigms, **settings), whole=whole
        )


def _among(problems: Mapping[str, Problem], name: Value) -> Problem:
    if name not in problems:
        raise InputError(
            f"paradigm: got {shown(name)}, expected a problem that is made: {', '.join(problems)}; "
            f"{nearest(str(name), problems) or 'pick one.'}"
        )
    return problems[str(name)]


def _described(
    kind: str, table: Mapping[str, Any], point: Mapping[str, Value], roles: Mapping[str, Role]
) -> dict[str, Any]:
    """The table of a component at a point of the axes."""
    name = {NAMED_BY.get(kind, "name"): point[kind]} if kind in point else {}
    swept = {key: value for key, value in point.items() if roles.get(key) == f"{kind} argument"}
    # What problems and data share by name they share by value.
    if kind == "data":
        accepted, _ = arguments(kind, {**table, **name}["from"])
        shared = {key: at for key, at in point.items() if roles.get(key) == "problem argument"}
        swept |= {key: value for key, value in shared.items() if key in accepted}
    return {**table, **name, **swept}


def _roles(request: Request) -> dict[str, Role]:
    """See `Request.roles`."""
    roles: dict[str, Role] = {role: role for role in _NAMED if role in request.columns}
    for name, values in request.columns.items():
        if name in STATIC:
            roles[name] = "setting"
            for value in values:
                _check_setting(name, value)
        elif name in FIXED:
            raise InputError(
                f"axes: got {name!r}, which holds for all runs; move it to [settings]."
            )
    if request.is_own:
        for kind in ("problem", "data"):
            _give_arguments(kind, request.components(kind), request, roles)
        return {name: roles.get(name, "hyper") for name in request.columns}
    _give_arguments("task", request.components("task"), request, roles)
    models = request.components("model")
    if not models:
        along = [axis for axis in request.axes if "task" in axis.names]
        points = [request.start | axis.at(n) for axis in along for n in range(len(axis))]
        tasks = [request.task_at(point, roles) for point in points or [request.start]]
        models = tuple(dict.fromkeys(task.default_model for task in tasks))
    _give_arguments("model", models, request, roles)
    return {name: roles.get(name, "hyper") for name in request.columns}


def _check_setting(name: str, value: Value) -> None:
    if name == "batch_size":
        whole_number("axis batch_size", value, 1, 2**31 - 1)
    elif not isinstance(value, str):
        raise InputError(f"axis {name}: got {shown(value)}, expected a name in quotes.")


def _give_arguments(
    kind: str,
    components: tuple[Any, ...],
    request: Request,
    roles: dict[str, Role],
) -> None:
    """The names on axes that are arguments of these components; all of them must take each."""
    accepted = {owner: arguments(kind, owner) for owner in components}
    known = {argument for names, _ in accepted.values() for argument in names}
    swept = [name for name in request.columns if name in known and name not in (*STATIC, *KINDS)]
    for name in swept:
        if request.is_own and name in roles:
            continue
        if name in roles:
            raise InputError(
                f"axes: got {name!r}, which is an argument of the task and of the model, expected "
                "a name with one meaning; rename the argument of your own one."
            )
        roles[name] = _ARGUMENTS[kind]
    table = request.tables[kind]
    for name in (*(key for key in table if key != NAMED_BY.get(kind, "name")), *swept):
        for owner, (names, any_name) in accepted.items():
            if name not in names and not any_name:
                raise InputError(
                    f"{kind}: got {name!r}, expected an argument of {owner}: "
                    f"{', '.join(names) or 'it has none'}; {nearest(name, names) or 'drop it.'}"
                )
