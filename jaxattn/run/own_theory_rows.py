"""Rows of a person's own theory beside training, evaluated at the times of its saves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.contracts import InputError, MeasureSpec, Status
from jaxattn.core.lookup import nearest
from jaxattn.problems.own_measures import values_of
from jaxattn.problems.result_measures import OBJECTIVE, attributes_of
from jaxattn.problems.tracing import in_one_line
from jaxattn.study.groups import Group

__all__ = ["own_theory_rows"]


def own_theory_rows(
    group: Group,
    axes: Mapping[str, Any],
    hypers: Mapping[str, np.ndarray],
    kept: Sequence[MeasureSpec],
) -> xr.Dataset:
    """What a theory says of each row of a group; in float64.

    Args:
        group: of its rows. Seeds are rows of their own where they have data of their own.
        axes: names and labels of the axes of `hypers`.
        hypers: of each row, seeds apart.
        kept: the parameters that are kept, as measures.

    Raises:
        InputError: it raises, or gives what is not measured, or not at every save.
    """
    study, name = group.study, group.dynamics
    theory = study.theories[name][group.paradigm]
    whole = study.with_shares_of_run(hypers, group.problem.hypers)
    clock = study.clock(hypers).astype(float)
    lead = clock.shape[:-1]
    by_seed = "data" in study.vary
    seeds = group.seeds if by_seed else group.seeds[:1]
    problem = group.problem
    objective = replace(OBJECTIVE, unit=problem.unit)
    specs = {spec.name: spec for spec in (objective, *problem.measures, *kept)}
    found: dict[str, np.ndarray] = {}
    for seed_at, seed in enumerate(seeds):
        data = values_of(study.subject.splits(seed if by_seed else 0)["train"].examples)
        for place in np.ndindex(lead):
            hyper = {key: float(values[place]) for key, values in whole.items()}
            with in_one_line(f"theory {name!r}", "{measure: array over the times of the saves}."):
                said = theory(hyper, clock[place], data)
            for measure, values in _checked(name, said, specs, clock.shape[-1]).items():
                shape = (*lead, len(seeds), *values.shape)
                room = found.setdefault(measure, np.full(shape, np.nan))
                room[(*place, seed_at)] = values
    dims = (*axes, *(("seed",) if by_seed else ()))
    own = {measure.name for measure in problem.measures}

    def variable(measure: str, values: np.ndarray) -> Any:
        spec = specs[measure]
        values = values if by_seed else values[(slice(None),) * len(lead) + (0,)]
        on_split = ("split",) if measure in own else ()
        # Of the examples that are learnt from.
        values = np.expand_dims(values, len(dims) + 1) if on_split else values
        return (*dims, "save", *on_split, *spec.dims), values, attributes_of(spec)

    variables = {measure: variable(measure, values) for measure, values in found.items()}
    shape = (*lead, *((len(seeds),) if by_seed else ()))
    variables["status"] = dims, np.full(shape, int(Status.DONE), dtype=np.int8)
    coords: dict[str, Any] = {key: np.asarray(at) for key, at in axes.items()}
    coords |= {"seed": list(seeds)} if by_seed else {}
    coords |= {"split": ["train"]} if own & found.keys() else {}
    for measure in found:
        spec = specs[measure]
        coords |= {dim: list(at) for dim, at in zip(spec.dims, spec.coords, strict=False)}
    return xr.Dataset(variables, coords)


def _checked(
    name: str, said: Any, specs: Mapping[str, MeasureSpec], saves: int
) -> dict[str, np.ndarray]:
    """What a theory gave, as float arrays ``[save, ...]``.

    Raises:
        InputError: with the measure.
    """
    if not isinstance(said, Mapping) or not said:
        raise InputError(
            f"theory {name!r}: got {type(said).__name__}, expected {{measure: array}}; return what "
            f"it says of some of {', '.join(specs)}."
        )
    checked = {}
    for measure, given in said.items():
        if measure not in specs:
            hint = nearest(str(measure), specs) or "drop it."
            raise InputError(
                f"theory {name!r}: got {measure!r}, expected measures of the problem, or "
                f"parameters that are kept: {', '.join(specs)}; {hint}"
            )
        values = np.asarray(given, dtype=float)
        spec = specs[measure]
        shape = (saves, *(len(at) for at in spec.coords))
        if values.shape != shape:
            raise InputError(
                f"theory {name!r}, {measure!r}: got shape {values.shape}, expected {shape}, one "
                "value at each of the times it is given."
            )
        checked[measure] = values
    return checked
