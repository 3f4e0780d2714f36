"""A request checked whole: every name known, every value possible, before anything is run."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxattn.core.contracts import HyperSpec, InputError
from jaxattn.core.lookup import nearest
from jaxattn.problems.result_measures import RESULT_MEASURES
from jaxattn.study.axes import Value, refuse_clashes, refuse_taken
from jaxattn.study.checks import shown, whole_number
from jaxattn.study.components import KINDS, NAMED_BY, arguments, component
from jaxattn.study.dependence import hypers_read, refuse_unread
from jaxattn.study.hypers import RESERVED, refuse_out_of_range
from jaxattn.study.resolve import Request
from jaxattn.study.settings import FIXED, STATIC
from jaxattn.study.study import Study
from jaxattn.study.values import SEEDS
from jaxattn.tasks import TASKS

__all__ = ["measures_of"]

_ALWAYS = (*(spec.name for spec in RESULT_MEASURES), "status")
"""Variables of every result, beside what the problem measures."""


def measures_of(request: Request) -> tuple[str, ...]:
    """Every variable that some run measures; what cannot be run is refused.

    Static points are tried one axis at a time, the other axes at their first value.

    Raises:
        InputError: an unknown name, a name with two meanings, or a value that cannot be.
    """
    refuse_clashes(request.axes, _tables_of_names(request))
    _check_needed(request)
    hypers: dict[str, HyperSpec] = {}
    measures: dict[str, None] = dict.fromkeys(_ALWAYS)
    dims = set(RESERVED)
    read: set[str] = set()
    for point in _static_points(request):
        study = request.study_at(point, request.columns["paradigm"])
        hypers |= study.hypers
        read |= _hypers_read(request, study)
        for paradigm in study.names:
            labels = study.problem(paradigm).measures
            measures |= dict.fromkeys(label.name for label in labels)
            dims |= {dim for label in labels for dim in label.dims}
    settings = {*STATIC, *FIXED, *KINDS}
    refuse_taken(request.axes, {*dims, *measures, *hypers, *settings, *_all_arguments(request)})
    _check_hypers(request, hypers)
    refuse_unread(_given_hypers(request), read)
    return tuple(measures)


def _given_hypers(request: Request) -> tuple[str, ...]:
    """Names of the hyperparameters that are swept, or that hold for all runs."""
    swept = (name for name, role in request.roles.items() if role == "hyper")
    return (*request.hypers, *swept)


def _hypers_read(request: Request, study: Study) -> set[str]:
    """Which of the given hyperparameters the runs at a static point depend on."""
    given = [name for name in _given_hypers(request) if name in study.hypers]
    problems = [study.problem(name) for name in study.names]
    on = {name for name, spec in study.hypers.items() if spec.of_run is not None}
    on |= {*study.constants, *given, "learning_rate"}
    return set(hypers_read(study.subject.source, problems, study.optimiser, on, given))


def _tables_of_names(request: Request) -> dict[str, str]:
    """In which table each name is that does not vary."""
    tables: dict[str, str] = {}
    for kind, table in request.tables.items():
        tables |= {kind if key == NAMED_BY.get(kind, "name") else key: f"[{kind}]" for key in table}
    tables |= {key: "[settings]" for key in request.settings if key != "hypers"}
    return tables | dict.fromkeys(request.hypers, "[settings.hypers]")


def _check_needed(request: Request) -> None:
    """What every sweep has is there, and every component is one."""
    if not request.is_own and not request.components("task"):
        raise InputError(
            f"task: got no name, expected one of {', '.join(sorted(TASKS))}; add name to [task]."
        )
    for kind in ("problem", "data") if request.is_own else ():
        if not request.components(kind):
            raise InputError(
                f"{kind}: got no from, expected an import path; add from = "
                f'"package.module:function" to [{kind}].'
            )
    for name, example in (("paradigm", '["soft", "hard"]'), ("seed", "{ count = 8 }")):
        if (name, (name,)) not in ((axis.name, axis.names) for axis in request.axes):
            raise InputError(
                f"axes: got no {name}, expected an axis of its own; add {name} = {example}."
            )
    of_attention = ("task", "model", "paradigm", "attention")
    for kind in KINDS:
        for name in () if request.is_own and kind in of_attention else request.components(kind):
            component(kind, name)
    for seed in request.columns["seed"]:
        whole_number("seed", seed, 0, SEEDS - 1)


def _static_points(request: Request) -> Iterator[dict[str, Value]]:
    yield request.start
    for axis in request.axes:
        if {request.roles[name] for name in axis.names} - {"paradigm", "seed", "hyper"}:
            yield from (request.start | axis.at(index) for index in range(1, len(axis)))


def _check_hypers(request: Request, specs: Mapping[str, HyperSpec]) -> None:
    """Names are known, values in range."""
    swept = {n: at for n, at in request.columns.items() if request.roles[n] == "hyper"}
    known = dict.fromkeys((*specs, *_all_arguments(request), *STATIC))
    for place, names, expected in (
        ("axes", swept, known),
        ("settings.hypers", request.hypers, dict.fromkeys(specs)),
    ):
        for name in names:
            if name not in specs:
                raise InputError(
                    f"{place}: got {name!r}, expected one of {', '.join(expected)}; "
                    f"{nearest(name, expected) or 'drop it.'}"
                )
    given: dict[str, tuple[Any, ...]] = {name: (at,) for name, at in request.hypers.items()}
    for name, values in (given | swept).items():
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{name}: got {shown(value)}, expected a number.")
        for precision in request.components("precision"):
            for end in (min(values), max(values)):
                refuse_out_of_range(specs[name], end, str(precision))


def _all_arguments(request: Request) -> tuple[str, ...]:
    """Arguments of what is named in tables."""
    owners = [(kind, name) for kind in request.tables for name in request.components(kind)]
    return tuple(name for owner in owners for name in arguments(*owner)[0])
