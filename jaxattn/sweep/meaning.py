"""What the names of a sweep mean: which part of a run each axis and each table speaks of."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal, TypeAlias

from jaxattn.attention import ATTENTION_MAPS
from jaxattn.contracts import AttentionMap, HyperSpec, InputError, Model, Paradigm, Task
from jaxattn.descent import OPTIMISERS, SCHEDULES, Optimiser
from jaxattn.models import MODELS
from jaxattn.names import nearest, resolve
from jaxattn.paradigms import PARADIGMS
from jaxattn.settings import Settings, refuse_out_of_range
from jaxattn.sweep.axes import Axis, Value, refuse_clashes
from jaxattn.sweep.values import SEEDS, whole_number
from jaxattn.tasks import TASKS

__all__ = ["FIXED", "STATIC", "Meaning", "Role", "settings_at", "understand"]

Role: TypeAlias = Literal[
    "paradigm", "seed", "task", "model", "task argument", "model argument", "setting", "hyper"
]
"""What a name on an axis is. Only a seed and a hyper are traced; the others are static."""

STATIC = ("optimiser", "schedule", "batch_size", "order", "precision", "attention")
"""Fields of `Settings` that may vary along an axis, at one compilation for each value."""

FIXED = (
    *("steps", "saves", "vary", "evaluate", "flow_examples", "flow_solver", "flow_rtol"),
    *("focus_level", "fit_level"),
)
"""Fields of `Settings` that hold for all runs: they shape the result."""

_COMPONENTS: Mapping[str, tuple[Mapping[str, Any], type]] = {
    "task": (TASKS, Task),
    "model": (MODELS, Model),
    "paradigm": (PARADIGMS, Paradigm),
    "optimiser": (OPTIMISERS, Optimiser),
    "schedule": (SCHEDULES, object),
    "attention": (ATTENTION_MAPS, AttentionMap),
}
_ALWAYS = (
    *("objective", "gradient_norm", "status", "time_reached", "evaluations", "steps", "rejected"),
    *("time_to_focus", "time_to_fit"),
)


@dataclass(frozen=True)
class Meaning:
    """What was found out about a sweep."""

    roles: Mapping[str, Role]
    """Of every name on an axis."""
    hypers: Mapping[str, HyperSpec]
    """Every hyperparameter that some run reads."""
    measures: tuple[str, ...]
    """Every variable that some run measures."""


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
    columns = {name: values for axis in axes for name, values in axis.columns}
    hypers = settings.get("hypers", {})
    refuse_clashes(
        axes,
        {
            **dict.fromkeys((k for k in task if k != "name"), "[task]"),
            **({"task": "[task]"} if "name" in task else {}),
            **dict.fromkeys((k for k in model or {} if k != "name"), "[model]"),
            **({"model": "[model]"} if "name" in (model or {}) else {}),
            **dict.fromkeys((k for k in settings if k != "hypers"), "[settings]"),
            **dict.fromkeys(hypers, "[settings.hypers]"),
        },
    )
    _check_components(task, model, settings, columns)
    roles: dict[str, Role] = {}
    factories = _factories("task", task, columns)
    _assign(roles, columns, "task argument", "[task]", task, factories, skip=0)
    start = {name: values[0] for name, values in columns.items()}
    factories = _factories("model", model or {}, columns)
    if not factories:
        points = [start | axis.at(n) for axis in axes for n in range(len(axis))]
        factories = _own_models(task, roles, [p for p in points if "task" in columns] or [start])
    _assign(roles, columns, "model argument", "[model]", model or {}, factories, skip=1)
    for name in columns:
        if name in ("paradigm", "seed", "task", "model"):
            roles[name] = name  # type: ignore[assignment]
        elif name in STATIC:
            roles[name] = "setting"
        elif name in FIXED:
            raise InputError(
                f"axes: got {name!r}, expected it in [settings], as it holds for all runs; move "
                "it there."
            )
        else:
            roles.setdefault(name, "hyper")
    found: dict[str, HyperSpec] = {}
    measures: dict[str, None] = dict.fromkeys(_ALWAYS)
    for point in _points(axes, roles, start):
        made = settings_at(task, model, settings, roles, point, columns.get("paradigm", ()))
        found |= made.specs()
        for paradigm in made.names():
            measures |= dict.fromkeys(spec.name for spec in made.problem(paradigm).measures)
    swept = [name for name, role in roles.items() if role == "hyper"]
    _check_hypers(swept, hypers, columns, found, roles, settings)
    return Meaning(roles, found, tuple(measures))


def settings_at(
    task: Mapping[str, Any],
    model: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    roles: Mapping[str, Role],
    point: Mapping[str, Value],
    paradigms: Iterable[Value],
) -> Settings:
    """The `Settings` of the runs at one static point, without hyperparameters, of seed 0.

    Raises:
        InputError: they cannot be.
    """
    made = _made_task(task, roles, point)
    given = {k: _tuples(v) for k, v in (model or {}).items() if k != "name"}
    given |= {name: at for name, at in point.items() if roles.get(name) == "model argument"}
    chosen: Any = point.get("model", (model or {}).get("name"))
    if given:
        factory = resolve("model", MODELS, chosen or made.default_model)
        chosen = _made("model", chosen or made.default_model, partial(factory, made.classes), given)
    fixed = {name: _tuples(value) for name, value in settings.items() if name != "hypers"}
    fixed |= {name: at for name, at in point.items() if roles.get(name) == "setting"}
    return Settings(task=made, model=chosen, paradigms=tuple(paradigms), seeds=(0,), **fixed)


def _made_task(
    task: Mapping[str, Any], roles: Mapping[str, Role], point: Mapping[str, Value]
) -> Task:
    name = point.get("task", task.get("name"))
    found = resolve("task", TASKS, name)
    given = {key: _tuples(value) for key, value in task.items() if key != "name"}
    given |= {key: at for key, at in point.items() if roles.get(key) == "task argument"}
    made = found if isinstance(found, Task) else _made("task", name, found, given)
    if not isinstance(made, Task):
        raise InputError(f"task: got {name!r}, which makes no jaxattn Task; return one.")
    return made


def _made(kind: str, name: Any, factory: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    try:
        return factory(**given)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        got = ", ".join(f"{key} = {value!r}" for key, value in given.items())
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{kind} {name}: got {got or 'no arguments'}, which it refuses ({said}); change them."
        ) from error


def _tuples(value: Any) -> Any:
    """Lists as tuples, which caches of factories can look up."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _check_components(
    task: Mapping[str, Any],
    model: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    columns: Mapping[str, tuple[Value, ...]],
) -> None:
    """Every name of a component is known or can be imported, and seeds are seeds."""
    for name in ("paradigm", "seed"):
        if name not in columns:
            example = '["soft", "hard"]' if name == "paradigm" else "{ count = 8 }"
            raise InputError(
                f"axes: got no {name}, expected an axis of that name; add {name} = {example}."
            )
    if "task" not in columns and "name" not in task:
        raise InputError(
            f"task: got no name, expected one of {', '.join(sorted(TASKS))}; add name to [task]."
        )
    named = {"task": task, "model": model or {}}
    for kind, (table, ready) in _COMPONENTS.items():
        fixed = (named[kind].get("name"),) if kind in named else (settings.get(kind),)
        for value in columns.get(kind, tuple(v for v in fixed if v is not None)):
            if not isinstance(value, str):
                raise InputError(f"{kind}: got {value!r}, expected a name in quotes.")
            found = resolve("attention map" if kind == "attention" else kind, table, value)
            if not callable(found) and not (ready is not object and isinstance(found, ready)):
                raise InputError(
                    f"{kind}: got {value!r}, which is {type(found).__name__}, expected a function."
                )
    for seed in columns["seed"]:
        whole_number("seed", seed, 0, SEEDS - 1)


def _factories(
    kind: str, given: Mapping[str, Any], columns: Mapping[str, tuple[Value, ...]]
) -> dict[str, Any]:
    table, _ = _COMPONENTS[kind]
    names = columns.get(kind, (given["name"],) if "name" in given else ())
    return {str(name): resolve(kind, table, name) for name in names}


def _own_models(
    task: Mapping[str, Any], roles: Mapping[str, Role], points: list[dict[str, Value]]
) -> dict[str, Any]:
    """The models that the tasks bring themselves."""
    names = dict.fromkeys(_made_task(task, roles, point).default_model for point in points)
    return {name: resolve("model", MODELS, name) for name in names}


def _assign(
    roles: dict[str, Role],
    columns: Mapping[str, tuple[Value, ...]],
    role: Role,
    table: str,
    given: Mapping[str, Any],
    factories: Mapping[str, Any],
    *,
    skip: int,
) -> None:
    """Give `role` to what the factories take as arguments; refuse what one does not take."""
    accepted = {name: _arguments(factory, skip) for name, factory in factories.items()}
    some = {argument for known, _ in accepted.values() for argument in known}
    swept = [name for name in columns if name in some and name not in (*STATIC, *_COMPONENTS)]
    for name in swept:
        if name in roles:
            raise InputError(
                f"axes: got {name!r}, which is an argument of the task and of the model; expected "
                "a name with one meaning; rename the argument of your own one."
            )
        roles[name] = role
    for name in (*(key for key in given if key != "name"), *swept):
        for factory, (known, any_name) in accepted.items():
            if name not in known and not any_name:
                raise InputError(
                    f"{table}: got {name!r}, expected an argument of {factory}: "
                    f"{', '.join(known) or 'it has none'}; {nearest(name, known) or 'drop it.'}"
                )


def _arguments(factory: Any, skip: int) -> tuple[tuple[str, ...], bool]:
    """Names that a factory takes after the first `skip`, and whether it takes any name."""
    if not callable(factory):
        return (), False
    parameters = list(inspect.signature(factory).parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = tuple(p.name for p in parameters[skip:] if p.kind in named)
    return names, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def _points(
    axes: tuple[Axis, ...], roles: Mapping[str, Role], start: dict[str, Value]
) -> Iterable[dict[str, Value]]:
    yield start
    for axis in axes:
        if {roles[name] for name in axis.names} - {"paradigm", "seed", "hyper"}:
            yield from (start | axis.at(index) for index in range(1, len(axis)))


def _check_hypers(
    swept: list[str],
    fixed: Mapping[str, Any],
    columns: Mapping[str, tuple[Value, ...]],
    found: Mapping[str, HyperSpec],
    roles: Mapping[str, Role],
    settings: Mapping[str, Any],
) -> None:
    """Names are known, values in range."""
    known = [*found, *STATIC, "paradigm", "seed", "task", "model"]
    for name in swept:
        if name not in found:
            raise InputError(
                f"axes: got {name!r}, expected a hyperparameter, an argument of the task or of the "
                f"model, or one of {', '.join(known)}; {nearest(name, known) or 'drop it.'}"
            )
    for name in fixed:
        if name not in found:
            raise InputError(
                f"settings.hypers: got {name!r}, expected one of {', '.join(found)}; "
                f"{nearest(name, found) or 'drop it.'}"
            )
    default = next(f.default for f in fields(Settings) if f.name == "precision")
    for precision in columns.get("precision", (settings.get("precision", default),)):
        for name in (*swept, *fixed):
            for value in columns[name] if name in columns else (fixed[name],):
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise InputError(f"{name}: got {value!r}, expected a number.")
                refuse_out_of_range(found[name], value, str(precision))
