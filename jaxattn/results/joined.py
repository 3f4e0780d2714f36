"""Results of the same runs at several static settings, put together along axes of their own."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.reasons import Reason
from jaxattn.results.dataset import (
    ABSENT,
    labels_as_they_came,
    reason_attributes,
    status_attributes,
)

__all__ = ["absent_rows", "joined"]


def joined(
    axes: Mapping[str, Sequence[Any]], parts: Sequence[tuple[Mapping[str, Any], xr.Dataset]]
) -> xr.Dataset:
    """One Dataset with further dims, after ``dynamics``.

    Args:
        axes: names and labels of these dims, in order; a combination that no part has is absent.
        parts: the labels and the result of each.
    """
    results = [part for _, part in parts]
    whole = _along(list(axes), [(dict(labels), part) for labels, part in parts])
    filler = absent_rows(whole)
    own = [dim for dim in whole.indexes if dim not in axes]
    order = {dim: np.asarray(labels_as_they_came(results, dim)) for dim in own}
    whole = whole.reindex(
        {**order, **{name: np.asarray(at) for name, at in axes.items()}}, fill_value=filler
    )
    whole["status"] = whole["status"].astype(np.int8).assign_attrs(status_attributes())
    if "reason" in whole:
        whole["reason"] = whole["reason"].astype(np.int8).assign_attrs(reason_attributes())
    front = ("paradigm", "dynamics", *axes)
    return whole.transpose(*front, ...).assign_attrs(_attributes(axes, parts))


def _along(names: list[str], parts: list[tuple[dict[str, Any], xr.Dataset]]) -> xr.Dataset:
    if not names:
        ((_, only),) = parts
        return only
    name, *others = names
    by_label: dict[Any, list[tuple[dict[str, Any], xr.Dataset]]] = {}
    for labels, part in parts:
        by_label.setdefault(labels[name], []).append((labels, part))
    each = [_along(others, some) for some in by_label.values()]
    return xr.concat(
        each,
        dim=xr.Variable(name, np.asarray(list(by_label))),
        join="outer",
        fill_value={key: at for one in each for key, at in absent_rows(one).items()},
        data_vars="all",
        coords="different",
        compat="equals",
        combine_attrs="drop_conflicts",
    )


def absent_rows(ds: xr.Dataset) -> dict[Any, Any]:
    """What rows hold that others have and this one has not, by variable."""
    codes = {"status": np.int8(ABSENT), "reason": np.int8(Reason.NONE)}
    return {name: codes.get(str(name), np.nan) for name in ds.data_vars}


def _attributes(
    axes: Mapping[str, Sequence[Any]], parts: Sequence[tuple[Mapping[str, Any], xr.Dataset]]
) -> dict[str, Any]:
    """Those of the first, with the axes, and the programs and tiles of all."""
    first = dict(parts[0][1].attrs)
    spec = json.loads(first["spec"])
    made_with = json.loads(first["made_with"])
    made_with |= {"programs": {}, "tiles": {}}
    for labels, part in parts:
        words = ", ".join(f"{name} {value}" for name, value in labels.items())
        own = json.loads(part.attrs["made_with"])
        for kind in ("programs", "tiles"):
            for name, value in own[kind].items():
                made_with[kind][f"{name}, {words}"] = value
    spec["static"] = {name: list(at) for name, at in axes.items()}
    return {**first, "spec": canonical_json(spec), "made_with": canonical_json(made_with)}
