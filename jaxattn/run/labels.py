"""The whole result of a sweep before any of it has run: names, labels, and where chunks go."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.results.virtual import Piece, VirtualVariable, reason_variable, status_variable
from jaxattn.run.coordinates import coordinates_of, data_card_of
from jaxattn.run.pictures import pictures_of
from jaxattn.run.runner import Runner, Solver
from jaxattn.study.axes import Axis
from jaxattn.study.groups import THEORY, static_axes, traced_axes
from jaxattn.study.layout import Sweep
from jaxattn.study.spec_hash import spec_hash, spec_json
from jaxattn.study.study import Study

__all__ = ["labels_of", "pieces_of", "variables_of"]

_FLAGS = {"status": status_variable, "reason": reason_variable}
"""What holds codes and no numbers, which have no NaN."""


def labels_of(sweep: Sweep, runners: Sequence[Runner | Solver]) -> xr.Dataset:
    """Coordinates, attributes and pictures of the whole result: all but what rows give.

    Args:
        sweep: what it is of.
        runners: of its groups.

    Raises:
        InputError: models whose parts differ along an axis.
    """
    spec = sweep.spec
    coords: dict[str, Any] = {
        "paradigm": ("paradigm", _paradigms(sweep)),
        "dynamics": ("dynamics", list(sweep.dynamics)),
    }
    for axis in (*static_axes(spec), *traced_axes(spec)):
        if axis.name != "paradigm":
            coords |= _coordinates(axis)
    coords["seed"] = ("seed", np.asarray(sweep.groups[0].seeds, dtype=np.int64))
    coords |= {dim: (dim, list(values)) for dim, values in _trailing(runners).items()}
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "spec": spec_json(spec),
        "spec_hash": spec_hash(spec),
        "resolved": canonical_json(_resolved(sweep)),
        **data_card_of(_studies(sweep)),
    }
    axes = (*static_axes(spec), *traced_axes(spec))
    computed = coordinates_of(axes, sweep.groups, sweep.dynamics)
    labels = xr.Dataset(coords=coords, attrs=attributes).assign_coords(computed)
    return labels.assign(_pictures(sweep, runners).data_vars)


def _resolved(sweep: Sweep) -> dict[str, Any]:
    """What the spec leaves to be found out, in the words of a comparison's."""
    studies = _studies(sweep)
    hypers: dict[str, Any] = {}
    for study in studies:
        hypers |= study.constants
    for axis in traced_axes(sweep.spec):
        roles = sweep.spec.roles
        swept = {n: list(at) for n, at in axis.columns if roles.get(n, "hyper") == "hyper"}
        hypers |= swept
    return {"hypers": hypers, "smooth": all(study.subject.smooth for study in studies)}


def _pictures(sweep: Sweep, runners: Sequence[Runner | Solver]) -> xr.Dataset:
    """Of the first examples, where all groups have the same."""
    tasks = {study.subject.source for study in _studies(sweep)}
    first = runners[0]
    if len(tasks) > 1 or first.group.lengths or not isinstance(first, Runner):
        return xr.Dataset()
    return pictures_of(first.study, first.sources, first.job)


def _paradigms(sweep: Sweep) -> list[str]:
    found = {group.at["paradigm"]: group.paradigm for group in sweep.groups}
    return [found[place] for place in sorted(found)]


def _coordinates(axis: Axis) -> dict[str, Any]:
    columns: dict[str, Any] = {name: (axis.name, list(values)) for name, values in axis.columns}
    return {axis.name: (axis.name, np.arange(len(axis))), **columns} if axis.is_joint else columns


def _trailing(runners: Sequence[Runner | Solver]) -> dict[str, list[Any]]:
    """Labels of the measures' own dims: those of the group with the longest, which holds all."""
    longest: dict[str, list[Any]] = {}
    for runner in runners:
        for name, coordinate in runner.template.coords.items():
            dim, values = str(name), coordinate.values.tolist()
            known = longest.get(dim, [])
            short, long = sorted((known, values), key=len)
            if dim == "row":
                continue
            if long[: len(short)] != short:
                raise InputError(
                    f"axes: got groups whose {dim} is {', '.join(map(str, known))} and "
                    f"{', '.join(map(str, values))}, expected the same; sweep them apart."
                )
            longest[dim] = long
    return longest


def _lead(sweep: Sweep) -> dict[str, int]:
    """The leading dims, and their lengths: what rows differ by."""
    spec = sweep.spec
    static = {axis.name: len(axis) for axis in static_axes(spec)}
    traced = {axis.name: len(axis) for axis in traced_axes(spec)}
    seeds = len(sweep.groups[0].seeds)
    head = {"paradigm": static.pop("paradigm"), "dynamics": len(sweep.dynamics)}
    return {**head, **static, **traced, "seed": seeds}


def variables_of(sweep: Sweep, runners: Sequence[Runner | Solver]) -> dict[str, VirtualVariable]:
    """Every variable of the whole result, in the order in which a chunk has them."""
    lead = _lead(sweep)
    dims, shape = tuple(lead), tuple(lead.values())
    found: dict[str, VirtualVariable] = {}
    for runner in runners:
        for key, variable in runner.template.data_vars.items():
            name, own = str(key), variable.shape[1:]
            if name in _FLAGS:
                found[name] = _FLAGS[name](dims, shape)
                continue
            seen = found.get(name)
            old = seen.shape[len(dims) :] if seen else own
            dtypes = [variable.dtype, *([seen.dtype] if seen else [])]
            found[name] = VirtualVariable(
                dims=(*dims, *map(str, variable.dims[1:])),
                shape=(*shape, *map(max, zip(old, own, strict=True))),
                dtype=np.result_type(*dtypes),
                attrs=seen.attrs if seen else variable.attrs,
            )
    return found


def pieces_of(sweep: Sweep, runners: Sequence[Runner | Solver]) -> Iterator[Piece]:
    """Where the rows of each chunk go."""
    all_dynamics = sweep.dynamics
    for number in range(sweep.chunk_count):
        group, plan, chunk = sweep.locate(number)
        axes = {axis.name: range(len(axis)) for axis in group.axes}
        template = runners[group.number].template
        yield Piece(
            number=number,
            at={**group.at, "dynamics": all_dynamics.index(group.dynamics)},
            # Exact rows know no seed: they are repeated along its axis.
            axes=axes if group.dynamics == THEORY else {**axes, "seed": range(len(plan.seeds))},
            rows=chunk.real,
            shapes={str(name): one.shape[1:] for name, one in template.data_vars.items()},
        )


def _studies(sweep: Sweep) -> list[Study]:
    return [group.study for group in sweep.groups]
