"""Results with labels: rows become blocks, blocks one Dataset, which says what was asked for."""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.contracts import MeasureSpec, Status, Trajectory
from jaxattn.core.reasons import Reason
from jaxattn.problems.result_measures import GRADIENT_NORM, KNOWN, OBJECTIVE, attributes_of

__all__ = [
    "ABSENT",
    "DATA_CARD",
    "SCHEMA_VERSION",
    "as_current",
    "assemble",
    "block",
    "labels_as_they_came",
    "reason_attributes",
    "spec_of",
    "status_attributes",
]

SCHEMA_VERSION = 2

DATA_CARD = "data_card"
"""Attribute of a result: what its data are, and what of them had to be decided or left out."""

_RENAMED = {1: {"process": "dynamics"}}
"""By schema: what the next one calls otherwise."""

ABSENT = -1
"""Status of a row that was not asked for, such as the flow of a seed that only trains."""


def block(
    trajectory: Trajectory,
    axes: Mapping[str, Sequence[Any]],
    measures: Sequence[MeasureSpec],
    parts: Sequence[str],
    unit: str = OBJECTIVE.unit,
) -> xr.Dataset:
    """One dynamics of one paradigm as a Dataset.

    Args:
        trajectory: NumPy arrays with the lengths of `axes` in front.
        axes: names and coordinates of the leading axes (hyperparameters, then ``seed``).
        measures: labels of the problem's measures, over splits, and of probes; one that is not
            described gets the dims ``<name>_0``, ``<name>_1``, ...
        parts: labels of ``gradient_norm``.
        unit: of the loss.
    """
    lead = tuple(axes)
    coords: dict[str, Any] = {name: np.asarray(values) for name, values in axes.items()}
    variables: dict[str, Any] = {}

    def add(spec: MeasureSpec, dims: tuple[str, ...], values: Any) -> None:
        coords.update({dim: list(at) for dim, at in zip(spec.dims, spec.coords, strict=False)})
        variables[spec.name] = (dims, values, attributes_of(spec))

    always = (
        replace(OBJECTIVE, unit=unit),
        replace(GRADIENT_NORM, coords=(tuple(parts),), unit=unit),
    )
    described = {spec.name: spec for spec in (*measures, *always)}
    first = dict.fromkeys(spec.name for spec in always)
    for name in first | trajectory.measures:
        values = trajectory.measures[name]
        further = range(values.ndim - len(lead) - 1)
        spec = described.get(name) or MeasureSpec(name, tuple(f"{name}_{i}" for i in further))
        add(spec, (*lead, "save", *spec.dims), values)
    add(KNOWN["time_reached"], lead, trajectory.time_reached)
    for name, count in trajectory.work.items():
        label = "evaluations" if name == "gradients" else name
        add(KNOWN[label], lead, np.asarray(count, dtype=float))
    variables["status"] = (lead, np.asarray(trajectory.status, np.int8), status_attributes())
    if trajectory.reason is not None:
        variables["reason"] = (lead, np.asarray(trajectory.reason, np.int8), reason_attributes())
    return xr.Dataset(variables, coords)


def status_attributes() -> dict[str, Any]:
    """What a `Status` in a Dataset says of itself."""
    return {
        "long_name": "how the row ended",
        "flag_values": np.asarray([ABSENT, *Status], dtype=np.int8),
        "flag_meanings": " ".join(["absent", *(status.name.lower() for status in Status)]),
    }


def reason_attributes() -> dict[str, Any]:
    """What a `Reason` in a Dataset says of itself; results without solved rows have none."""
    return {
        "long_name": "why the row was not solved; it ended at time_reached",
        "flag_values": np.asarray([*Reason], dtype=np.int8),
        "flag_meanings": " ".join(reason.name.lower() for reason in Reason),
    }


def assemble(
    blocks: Mapping[tuple[str, str], xr.Dataset],
    axes: Mapping[str, Sequence[Any]],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """All blocks as one Dataset: dims paradigm, dynamics, the axes, then those of the measures.

    Args:
        blocks: by (paradigm, dynamics). A block may lack a swept axis that it does not depend
            on (it is repeated along it) and rows (they become NaN, with status absent).
        axes: the swept hyperparameters and ``seed``, in order, whole.
        attributes: of the Dataset; ``schema_version`` is added.
    """
    blocks = _of_one_length(blocks)
    absent: dict[Hashable, Any] = {"status": np.int8(ABSENT), "reason": np.int8(Reason.NONE)}
    variables = dict.fromkeys(name for one in blocks.values() for name in one.data_vars)
    filler = {name: absent.get(name, np.nan) for name in variables}
    paradigms = list(dict.fromkeys(paradigm for paradigm, _ in blocks))
    all_dynamics = list(dict.fromkeys(dynamics for _, dynamics in blocks))

    def whole(part: xr.Dataset) -> xr.Dataset:
        for name in [name for name in axes if name not in part.dims]:
            part = part.expand_dims({name: np.asarray(axes[name])})
        return part.reindex({name: np.asarray(at) for name, at in axes.items()}, fill_value=filler)

    by_dynamics = []
    for dynamics in all_dynamics:
        parts = {p: whole(blocks[p, dynamics]) for p in paradigms if (p, dynamics) in blocks}
        joined = xr.concat(
            list(parts.values()),
            dim=xr.Variable("paradigm", list(parts)),
            join="outer",
            fill_value=filler,
            data_vars="all",
            coords="minimal",
            compat="override",
            combine_attrs="drop_conflicts",
        )
        by_dynamics.append(joined.reindex(paradigm=paradigms, fill_value=filler))
    ds = xr.concat(
        by_dynamics,
        dim=xr.Variable("dynamics", all_dynamics),
        join="outer",
        fill_value=filler,
        data_vars="all",
        coords="minimal",
        compat="override",
        combine_attrs="drop_conflicts",
    )
    own = [dim for dim in ds.indexes if dim not in ("paradigm", "dynamics", *axes)]
    ds = ds.reindex(
        {dim: labels_as_they_came(blocks.values(), dim) for dim in own}, fill_value=filler
    )
    ds["status"] = ds["status"].astype(np.int8).assign_attrs(status_attributes())
    if "reason" in ds:
        ds["reason"] = ds["reason"].astype(np.int8).assign_attrs(reason_attributes())
    front = ("paradigm", "dynamics", *axes, "save", "split")
    ds = ds.transpose(*front, ..., missing_dims="ignore")
    ds["seed"] = ds["seed"].astype(np.int64)
    return ds.assign_attrs(schema_version=SCHEMA_VERSION, **attributes)


def _of_one_length(
    blocks: Mapping[tuple[str, str], xr.Dataset], dim: str = "coordinate"
) -> dict[tuple[str, str], xr.Dataset]:
    """Problems of different sizes: positions filled up with zeros, which change no distance."""
    longest = max((one.sizes.get(dim, 0) for one in blocks.values()), default=0)
    return {
        at: one.pad({dim: (0, longest - one.sizes.get(dim, longest))}, constant_values=0.0)
        if one.sizes.get(dim, longest) < longest
        else one
        for at, one in blocks.items()
    }


def labels_as_they_came(blocks: Iterable[xr.Dataset], dim: Hashable) -> list[Any]:
    """Labels along an axis of measures, in the order in which blocks have them: joins sort them."""
    every = [label for one in blocks if dim in one.indexes for label in one.indexes[dim].tolist()]
    return list(dict.fromkeys(every))


def as_current(ds: xr.Dataset) -> xr.Dataset:
    """A result of an earlier schema in the words of this one; nothing else of it changes."""
    for version in range(int(ds.attrs["schema_version"]), SCHEMA_VERSION):
        known = {*map(str, ds.dims), *map(str, ds.variables)}
        ds = ds.rename({old: new for old, new in _RENAMED[version].items() if old in known})
    return ds.assign_attrs(schema_version=SCHEMA_VERSION)


def spec_of(ds: xr.Dataset) -> dict[str, Any]:
    """What the comparison or the sweep was asked to do, where the result carries it.

    Of a sweep in the words of a comparison: what varies beside paradigm and seed is in ``axes``.
    """
    spec = dict(json.loads(ds.attrs.get("spec") or "{}"))
    if not isinstance(spec.get("axes"), list):
        return spec
    columns = {name: at for axis in spec["axes"] for name, at in axis["columns"].items()}
    named = {name: spec[name]["name"] for name in ("task", "model") if spec.get(name)}
    if spec.get("data"):
        named = {"task": spec["data"]["from"].rpartition(":")[2], "model": ""}
    ends = {"paradigms": columns.pop("paradigm"), "seeds": columns.pop("seed")}
    resolved = json.loads(ds.attrs.get("resolved") or "{}")
    return {**named, **spec["settings"], **resolved, **ends, "axes": columns}
