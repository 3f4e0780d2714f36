"""Hyperparameters of a study: which are swept, which hold for all rows, and what may be asked."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import numpy as np

from jaxattn.core.contracts import HyperSpec, InputError, MeasureSpec, Problem
from jaxattn.core.hypers import merged_hypers
from jaxattn.core.lookup import nearest
from jaxattn.problems.result_measures import KNOWN, RESULT_MEASURES
from jaxattn.study.axes import Axis
from jaxattn.study.settings import Settings
from jaxattn.training.optimisers import Optimiser

__all__ = [
    "RESERVED",
    "declared_hypers",
    "of_run",
    "refuse_out_of_range",
    "refuse_taken_measures",
    "refuse_taken_names",
    "split_hypers",
]

RESERVED = (
    *("paradigm", "dynamics", "seed", "save", "split", "part", "row", "status"),
    *("step", "time", "gradients", "natural_inference", "learning_examples"),
    *("picture", "picture_foreground", "picture_seen", "distance", "moved", "own_error"),
    "distance_along_top",
)
"""Names that every result has for itself, beside those of its measures."""


def refuse_taken_names(hypers: Mapping[str, HyperSpec], measured: Iterable[str]) -> None:
    """Refuse names that are none, or that results have for something else: each may be an axis.

    Args:
        hypers: all that some component declares.
        measured: names of measures and of their dims.

    Raises:
        InputError: with the name.
    """
    taken = {*RESERVED, *KNOWN, *measured}
    for name in hypers:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(
                f"hyperparameter: got the name {name!r}, expected letters, digits and underscores; "
                "rename it where it is declared."
            )
        if name in taken:
            raise InputError(
                f"hyperparameter {name!r}: got a name that results have for something else, "
                "expected another; rename it where it is declared."
            )


def refuse_taken_measures(measures: Iterable[MeasureSpec], axes: Iterable[str]) -> None:
    """Refuse measures that are called as something else of a result is, or so are their axes.

    Args:
        measures: of a problem of one's own, or added to one; known ones are as they are known.
        axes: names of what varies along the axes of the result.

    Raises:
        InputError: with the name; or one axis that has different labels in two measures.
    """
    taken = {*RESERVED, *(spec.name for spec in RESULT_MEASURES), *axes}
    seen: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for spec in measures:
        for name in (spec.name, *spec.dims):
            if name in taken:
                raise InputError(
                    f"measure {spec.name!r}: got the name {name!r}, which results have for "
                    "something else, expected another; rename it."
                )
        for dim, labels in zip(spec.dims, spec.coords, strict=False):
            first, known = seen.setdefault(dim, (spec.name, labels))
            if known != labels:
                raise InputError(
                    f"measure {spec.name!r}: got other labels on the axis {dim!r} than {first!r} "
                    "has, expected the same; rename one of the axes."
                )


def split_hypers(
    settings: Settings, specs: Mapping[str, HyperSpec]
) -> tuple[tuple[Axis, ...], dict[str, float]]:
    """The axes of swept hyperparameters, and those that hold for all rows.

    Raises:
        InputError: an unknown name, a value out of its range or given twice, or none.
    """
    given = settings.hypers
    for name in given:
        if name not in specs:
            raise InputError(
                f"unknown hyperparameter: got {name!r}, expected one of {', '.join(specs)}; "
                f"{nearest(name, specs) or 'drop it.'}"
            )
    rate = given.get("learning_rate", specs["learning_rate"].default)
    swept = {"learning_rate": rate if isinstance(rate, tuple) else (rate,)}
    swept |= {name: values for name, values in given.items() if isinstance(values, tuple)}
    defaults = {name: spec.default for name, spec in specs.items() if spec.default is not None}
    constants = {k: v for k, v in (defaults | dict(given)).items() if k not in swept}
    for name, values in swept.items():
        if not values:
            raise InputError(f"{name}: got none, expected at least one value.")
        if len(set(values)) < len(values):
            got = ", ".join(f"{value:g}" for value in values)
            raise InputError(f"{name}: got {got}, expected each once.")
    for name, values in (*swept.items(), *((k, (v,)) for k, v in constants.items())):
        for value in values:
            refuse_out_of_range(specs[name], value, settings.precision)
    return tuple(Axis(name, ((name, values),)) for name, values in swept.items()), constants


def refuse_out_of_range(spec: HyperSpec, value: float, precision: str) -> None:
    """Refuse what is out of the range of `spec`, or becomes infinite or 0 in `precision`.

    Raises:
        InputError: with the range.
    """
    with np.errstate(over="ignore", under="ignore"):
        used = float(np.asarray(value).astype(precision))
    # What has fewer digits than the others is 0 to XLA's products and quotients.
    used = 0.0 if abs(used) < np.finfo(precision).tiny else used
    low = used > spec.low if spec.open_low else value >= spec.low
    if not isfinite(used) or not low or value > spec.high:
        bound = f"{'above' if spec.open_low else 'at least'} {spec.low:g}"
        top = f" and at most {spec.high:g}" if isfinite(spec.high) else ""
        raise InputError(
            f"{spec.name}: got {value:g}, expected a number {bound}{top} in {precision}."
        )


def of_run(hypers: Mapping[str, HyperSpec]) -> list[str]:
    """Those that have a value of every run's own; see `HyperSpec.of_run`."""
    return [name for name, spec in hypers.items() if spec.of_run is not None]


def declared_hypers(optimiser: Optimiser, problems: Iterable[Problem]) -> dict[str, HyperSpec]:
    """Every hyperparameter that some part declares, by name.

    Raises:
        InputError: two parts declare one differently, or nobody a learning rate.
    """
    declared = [(f"optimiser {optimiser.name!r}", optimiser.hypers)]
    declared += [(f"paradigm {each.name!r} or its model", each.hypers) for each in problems]
    hypers = {spec.name: spec for spec in merged_hypers(declared)}
    if "learning_rate" not in hypers:
        raise InputError(
            f"optimiser {optimiser.name!r}: got no learning_rate among its hypers, expected one, "
            "as the time axis is made of it; add HyperSpec('learning_rate', default)."
        )
    return hypers
