"""The places of a result that a figure has a line for: settings, each with what tells it apart."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from jaxattn.analysis.measures import FEW, further_axes
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.plots.selection import Setting, as_result, choose

__all__ = ["Place", "places_of", "select"]

_RUN = ("paradigm", "dynamics", "seed")


class Place(NamedTuple):
    """One setting, at one label of each axis that has a line a label."""

    setting: Setting
    words: str
    """Its labels; "" where there is one place."""


def select(ds: xr.Dataset, sel: Mapping[str, Any]) -> xr.Dataset:
    """A result at some of its labels: one label takes an axis away, a list keeps it.

    Args:
        ds: a result.
        sel: labels by axis. An axis without labels has numbers from 0.

    Raises:
        InputError: not a result, or no such axis or label.
    """
    ds = as_result(ds)
    known = {str(dim): None for dim in ds.dims if dim not in ("save", "dynamics")}
    for name, wanted in sel.items():
        resolve("axis of the result", known, name)
        labels = ds[name].values if name in ds.coords else np.arange(ds.sizes[name])
        several = isinstance(wanted, Sequence | np.ndarray) and not isinstance(wanted, str)
        index = [_place_of(name, labels, one) for one in (wanted if several else [wanted])]
        ds = ds.isel({name: index if several else index[0]})
    return ds


def _place_of(name: str, labels: np.ndarray, wanted: Any) -> int:
    numbers = labels.dtype.kind in "iuf" and isinstance(wanted, int | float | np.number)
    same = np.isclose(labels, wanted, rtol=1e-6, atol=0.0) if numbers else labels == wanted
    found = np.flatnonzero(same)
    if not found.size:
        shown = [f"{at:g}" if labels.dtype.kind == "f" else str(at) for at in labels[: FEW + 1]]
        more = f" and {labels.size - len(shown)} more" if labels.size > len(shown) else ""
        raise InputError(
            f"{name}: got {wanted!r}, expected one of {', '.join(shown)}{more}; pick one of these."
        )
    return int(found[0])


def places_of(ds: xr.Dataset, measure: str, sel: Mapping[str, Any]) -> list[Place]:
    """Every place at which a measure has one curve a seed; of what is no axis of it, the default.

    Args:
        ds: a result.
        measure: one of its variables, along saves.
        sel: as for `select`.

    Raises:
        InputError: no such measure, axis or label, or more than `FEW` places.
    """
    # What a title names has to be known as it was asked for.
    asked = {name: sel[name] for name in ("split", "inference") if isinstance(sel.get(name), str)}
    ds = select(ds, {name: at for name, at in sel.items() if name not in asked})
    along = {str(name): None for name in ds.data_vars if "save" in ds[name].dims}
    resolve("measure", along, measure)
    if ds[measure].dtype.kind not in "fiub":
        raise InputError(
            f"measure: got {measure!r}, which is no real number, expected one; draw a part of it, "
            f"as in ds.assign({measure}=abs(ds[{measure!r}]))."
        )
    listed = [name for name in sel if name in ds.dims and name not in {*asked, *_RUN}]
    axes = [*further_axes(ds, measure), *listed]
    axes = [name for name in dict.fromkeys(axes) if name in {*ds[measure].dims, *ds["status"].dims}]
    _refuse_many(ds, measure, axes)
    own = {name for name in sel if name not in {*ds.dims, *asked, *_RUN}}
    places = []
    for index in np.ndindex(*(ds.sizes[name] for name in axes)):
        part = ds.isel(dict(zip(axes, index, strict=True)))
        setting = choose(part, split=asked.get("split"), inference=asked.get("inference"))
        at = {name: value for name, value in setting.at.items() if name not in axes}
        at |= {name: of for name, of in sel.items() if name in own}
        labels = zip(axes, index, strict=True)
        words = ", ".join(_label_words(part, *label) for label in labels)
        places.append(Place(setting._replace(at=at), words))
    return places


def _refuse_many(ds: xr.Dataset, measure: str, axes: Sequence[str]) -> None:
    count = prod(ds.sizes[name] for name in axes)
    if count > FEW:
        which = ", ".join(f"{name} of {ds.sizes[name]}" for name in axes)
        longest = max(axes, key=lambda name: ds.sizes[name])
        few = ds[longest].values[:3].tolist() if longest in ds.coords else [0, 1, 2]
        raise InputError(
            f"curves: got {measure!r} with {count} lines for each run ({which}), expected at most "
            f"{FEW}; select some, as in {longest}={few!r}."
        )


def _label_words(ds: xr.Dataset, name: str, place: int) -> str:
    """A label that is a word by itself, a number with the name of its axis."""
    label = ds[name].item() if name in ds.coords else place
    shown = f"{label:g}" if isinstance(label, int | float) else str(label)
    return shown if isinstance(label, str) else f"{name.replace('_', ' ')} {shown}"
