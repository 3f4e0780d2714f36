"""The measures of a result: what each of its variables says that it is."""

from collections.abc import Iterable
from dataclasses import replace
from math import prod
from typing import NamedTuple

import xarray as xr

from jaxattn.analysis.subject import is_of_attention
from jaxattn.core.contracts import MeasureColumn, MeasureSpec, MeasureWording
from jaxattn.problems.measures import MEASURES, task_measures
from jaxattn.problems.result_measures import ATTRIBUTE, KNOWN, RESULT_MEASURES, measure_of

__all__ = [
    "FEW",
    "Compared",
    "compared_in",
    "declared_in",
    "further_axes",
    "heading_of",
    "in_columns",
    "is_parameter",
    "labels_of",
    "measure_named",
    "measures_in",
    "parameters_in",
    "spec_in",
    "spoken_in",
    "summarised_in",
    "terminal_columns",
    "title_of",
    "watched_in",
    "wording_of",
]

_AXES = {"paradigm", "dynamics", "seed", "save", "split", "inference"}
"""Axes of a measure that leave one number a run once its end, split and rule are chosen."""

FEW = 10
"""A measure with more labels along its own axes is no list of numbers that a person reads."""

_PARAMETERS = "params"
_OF_ATTENTION = {spec.name for spec in task_measures(1, 1)}
_BESIDE_MEASURES = {
    *(spec.name for spec in RESULT_MEASURES),
    *("distance", "moved", "distance_along_top", "own_error", "sharpness", "eigenvalues"),
}
"""What every result has along its saves, and what limits beside training bring with them."""

_HEADINGS = {"objective": "training loss", "gradient_norm": "gradient norm"}
"""What is headed by more than that beside measures of attention."""


class Compared(NamedTuple):
    """A measure that paradigms are compared by: a variable, or a part of one."""

    spec: MeasureSpec
    variable: str
    part: dict[str, str]
    """Where the part is along the last axis of the variable."""

    @property
    def known_by(self) -> str:
        """The variable without which it is unknown: a time that is NaN is censored."""
        return self.spec.of or self.variable


def spec_in(ds: xr.Dataset, name: str) -> MeasureSpec:
    """What a variable is; one that only bears the name of a measure of attention is not that."""
    attributes = ds[name].attrs
    if is_of_attention(ds):
        return measure_of(name, attributes)
    borrowed = name in _OF_ATTENTION and ATTRIBUTE not in attributes
    spec = replace(measure_of("" if borrowed else name, attributes), name=name)
    return replace(spec, column=MeasureColumn(_HEADINGS[name])) if name in _HEADINGS else spec


def measures_in(ds: xr.Dataset) -> list[MeasureSpec]:
    """What each variable is: the problem's measures, those of one's own, every result's others."""
    kept = [str(name) for name in ds.data_vars if not is_parameter(str(name))]
    if is_of_attention(ds):
        first = [spec.name for spec in MEASURES]
        own = [name for name in kept if name not in KNOWN]
    else:
        first = declared_in(ds)
        own = [name for name in kept if name not in _BESIDE_MEASURES]
    names = dict.fromkeys([*first, *own, *(spec.name for spec in RESULT_MEASURES)])
    return [spec_in(ds, name) for name in names if name in ds.data_vars]


def declared_in(ds: xr.Dataset) -> list[str]:
    """Measures that somebody declared, along saves; of a problem of one's own, the objective first.

    They are numbers: what is complex has to be told by its parts.
    """
    passed_over = _BESIDE_MEASURES | (_OF_ATTENTION if is_of_attention(ds) else set())
    own = [
        str(name)
        for name, values in ds.data_vars.items()
        if "save" in values.dims and values.dtype.kind in "fiub" and str(name) not in passed_over
    ]
    first = ["objective"] if "objective" in ds and not is_of_attention(ds) else []
    return [*first, *(name for name in own if not is_parameter(name))]


def is_parameter(name: str) -> bool:
    """Whether a variable is of parameters that were kept: ``params``, or ``params.`` and a name."""
    return name == _PARAMETERS or name.startswith(f"{_PARAMETERS}.")


def parameters_in(ds: xr.Dataset) -> dict[str, str]:
    """Variables of parameters kept along the path, by what they are called without ``params.``."""
    along = [str(name) for name in ds.data_vars if "save" in ds[name].dims]
    names = [name for name in along if is_parameter(name)]
    return {name.removeprefix(f"{_PARAMETERS}."): name for name in names}


def further_axes(ds: xr.Dataset, name: str) -> list[str]:
    """The axes of a measure beside those of runs, saves, splits and inference rules."""
    runs = {*_AXES, *map(str, ds["status"].dims)}
    return [str(dim) for dim in ds[name].dims if dim not in runs]


def summarised_in(ds: xr.Dataset) -> list[MeasureSpec]:
    """Those that summaries have, in their order there: headlines, and what was declared.

    Of a problem of one's own also what has a `FEW` labels of its own.
    """
    most = 1 if is_of_attention(ds) else FEW
    # Experiments have measures of their own, and tables and figures of their own for them.
    compared = declared_in(ds) if "natural_inference" in ds.coords else []
    declared = {name for name in compared if labels_of(ds, name) <= most}
    return [spec for spec in measures_in(ds) if spec.headline or spec.name in declared]


def labels_of(ds: xr.Dataset, name: str) -> int:
    """How many numbers a measure is for each run and save."""
    return prod(ds.sizes[axis] for axis in further_axes(ds, name))


def compared_in(ds: xr.Dataset) -> list[Compared]:
    """Those that paradigms are compared by, in the order of tables of paired differences."""
    compared = []
    for spec in measures_in(ds):
        axes = further_axes(ds, spec.name)
        if spec.better and not axes:
            compared.append(Compared(spec, spec.name, {}))
        for part in spec.parts if axes else ():
            if part.better:
                compared.append(Compared(part, spec.name, {axes[-1]: part.name}))
    return sorted(compared, key=lambda measure: measure.spec.compared)


def measure_named(ds: xr.Dataset, name: str) -> Compared | None:
    """A measure that is one number a run, or a part that is, by its name; None: not there."""
    for spec in measures_in(ds):
        axes = further_axes(ds, spec.name)
        if spec.name == name and not axes:
            return Compared(spec, name, {})
        for part in spec.parts if len(axes) == 1 else ():
            if part.name == name:
                return Compared(part, spec.name, {axes[-1]: name})
    return None


def spoken_in(ds: xr.Dataset) -> list[MeasureSpec]:
    """Those that findings speak of, in the order in which a reader asks for them."""
    specs = [measure.spec for measure in compared_in(ds) if measure.spec.spoken]
    return sorted(specs, key=lambda spec: spec.place)


def watched_in(ds: xr.Dataset) -> list[str]:
    """Variables that are watched while runs go on: whole measures that a reader asks for first."""
    whole = {measure.variable for measure in compared_in(ds)}
    specs = (spec for spec in spoken_in(ds) if wording_of(spec).asked_first and not spec.of)
    return [spec.name for spec in specs if spec.name in whole]


def in_columns(ds: xr.Dataset) -> list[MeasureSpec]:
    """Those that have a column in tables of results: times first, then as a reader asks."""
    return _in_columns(measures_in(ds))


def _in_columns(specs: Iterable[MeasureSpec]) -> list[MeasureSpec]:
    every = [part for spec in specs for part in (spec, *spec.parts)]
    shown = [spec for spec in every if spec.column is not None]
    return sorted(shown, key=lambda spec: (not spec.of, spec.place))


def terminal_columns(ds: xr.Dataset) -> list[tuple[str, str, int]]:
    """Heading, measure and decimals of each column on a terminal, also where nothing is known."""
    own = [spec for spec in measures_in(ds) if spec.name not in KNOWN]
    columns = []
    for spec in _in_columns([*KNOWN.values(), *own]):
        if spec.column is not None and spec.column.digits is not None:
            heading = spec.column.narrow or spec.column.heading
            unit = " %" if spec.unit == "%" else ""
            columns.append((f"{heading}{unit}", spec.name, spec.column.digits))
    return columns


def title_of(spec: MeasureSpec) -> str:
    """What it is called above a column or a figure."""
    return spec.column.heading if spec.column else spec.long_name or spec.name


def heading_of(spec: MeasureSpec) -> str:
    """The heading of its column, with the unit: ``loss [nat]``."""
    heading = title_of(spec)
    return heading if spec.unit in ("1", "time") else f"{heading} [{spec.unit}]"


def wording_of(spec: MeasureSpec) -> MeasureWording:
    """How a measure is spoken of; by its long name, where it has no wording of its own."""
    if spec.wording is not None:
        return spec.wording
    name = spec.long_name or spec.name.replace("_", " ")
    end, ahead = ("lowest", "less than") if spec.better == "less" else ("highest", "more than")
    return MeasureWording(f"ends with the {end} {name}", ahead, f"the final {name}")
