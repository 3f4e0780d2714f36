"""What a figure draws of a result: one setting of what was swept, some paradigms, one save."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from jaxattn.analysis import wording
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.lookup import resolve
from jaxattn.plots.style import Style, style_of
from jaxattn.results.dataset import spec_of

__all__ = [
    "AXES",
    "Moment",
    "Setting",
    "choose",
    "moment",
    "names_of",
    "require",
    "split_of",
    "style_in",
]

AXES = ("step", "time", "gradients")
"""What training can be drawn against."""

_ROW = ("paradigm", "process", "seed")


class Setting(NamedTuple):
    """A result at one point of its swept hyperparameters; each of these is a scalar in `ds`."""

    ds: xr.Dataset
    words: str
    paradigms: tuple[str, ...]
    """Those to draw."""


class Moment(NamedTuple):
    """One save of a setting, and what to call it."""

    save: int
    words: str


def choose(
    ds: xr.Dataset, learning_rate: float | None = None, paradigms: Sequence[str] | None = None
) -> Setting:
    """One setting of a result, and which paradigms of it to draw.

    Args:
        ds: what `jaxattn.compare` or `jaxattn.open` returned, or a selection of it.
        learning_rate: one of the result's. By default the largest at which training of every
            paradigm has a finished seed, or of as many as there are where none has all.
        paradigms: some of the result's; by default all.

    Raises:
        InputError: not a result, or it has no such learning rate or paradigm.
    """
    if "status" not in ds or not {*_ROW, "save", "natural_inference"} <= {*ds.dims, *ds.coords}:
        raise InputError(
            "plots: got a Dataset that is no jaxattn result, expected what jaxattn.compare or "
            "jaxattn.open returns."
        )
    for name in _ROW:
        if name not in ds["status"].dims:
            ds = ds.expand_dims(name)
    if ds["natural_inference"].ndim == 0:
        ds = ds.assign_coords(natural_inference=("paradigm", [ds["natural_inference"].item()]))
    present = names_of(ds, "paradigm")
    asked = tuple(present if paradigms is None else paradigms)
    for name in asked:
        resolve("paradigm", dict.fromkeys(present), name)
    swept = [str(dim) for dim in ds["status"].dims if dim not in _ROW]
    ds = ds.isel({name: 0 for name in swept if name != "learning_rate"})
    if "learning_rate" in swept:
        ds = ds.isel(learning_rate=_rate_index(ds, learning_rate))
    elif learning_rate is not None:
        _index_of(np.atleast_1d(ds["learning_rate"].values), learning_rate)
    # Scalars that were axes of the run, also those that were selected before this.
    named = dict.fromkeys(["learning_rate", *swept, *_axes_of_run(ds)])
    at = {name: ds[name].item() for name in named if name in ds.coords and ds[name].ndim == 0}
    return Setting(ds, wording.setting_words(at), asked)


def require(ds: xr.Dataset, who: str, experiment: str, *needed: str) -> None:
    """Refuse what is no result of an experiment.

    Args:
        ds: what is to be drawn.
        who: the figure.
        experiment: by name.
        needed: variables or coordinates that its results have.

    Raises:
        InputError: one of these is missing.
    """
    if missing := [name for name in needed if name not in ds.variables]:
        raise InputError(
            f"{who}: got a result without {', '.join(missing)}, expected one of jaxattn reproduce "
            f"{experiment}."
        )


def _rate_index(ds: xr.Dataset, learning_rate: float | None) -> int:
    rates = ds["learning_rate"].values
    if learning_rate is not None:
        return _index_of(rates, learning_rate)
    order = np.argsort(rates)[::-1]
    if "train" not in names_of(ds, "process"):
        return int(order[0])
    done = Status.ended_well(ds["status"].sel(process="train"))
    usable = done.any("seed").sum("paradigm").values
    return int(next(index for index in order if usable[index] == usable.max()))


def _index_of(rates: np.ndarray, learning_rate: float) -> int:
    (found,) = np.nonzero(np.isclose(rates, learning_rate, rtol=1e-6, atol=0.0))
    if not found.size:
        there = ", ".join(f"{rate:g}" for rate in rates)
        raise InputError(
            f"learning_rate: got {learning_rate:g}, expected one of {there}; pick one of these or "
            "run the comparison at it."
        )
    return int(found[0])


def names_of(ds: xr.Dataset, axis: str) -> list[str]:
    """The labels along an axis that has names, as strings; one if it was selected."""
    return [str(name) for name in np.atleast_1d(ds[axis].values)] if axis in ds.coords else []


def _axes_of_run(ds: xr.Dataset) -> list[str]:
    spec = spec_of(ds)
    hypers = dict(spec.get("hypers") or {})
    swept = [name for name, value in hypers.items() if isinstance(value, list)]
    return [*swept, *(spec.get("axes") or {})]


def style_in(setting: Setting, paradigm: str) -> Style:
    """The style of a paradigm in a result, whichever of its paradigms are drawn."""
    every = [*(spec_of(setting.ds).get("paradigms") or []), *names_of(setting.ds, "paradigm")]
    return style_of(paradigm, list(dict.fromkeys(every)))


def split_of(ds: xr.Dataset, split: str | None, first: str = "test") -> str:
    """The split asked for; by default `first` where the result has it; "" where it has none.

    Raises:
        InputError: no such split.
    """
    there = names_of(ds, "split")
    if split is not None:
        resolve("split", dict.fromkeys(there), split)
        return split
    return first if first in there or not there else there[0]


def moment(setting: Setting, axis: str = "step", at: float | None = None) -> Moment:
    """The save at `at` on an axis of `AXES`; by default the last.

    Raises:
        InputError: no such axis, or nothing was saved there.
    """
    resolve("axis", dict.fromkeys(AXES), axis)
    saved = setting.ds[axis].values
    if at is None:
        return Moment(saved.size - 1, f"at the end, {axis} {saved[-1]:g}")
    found = np.flatnonzero(np.isclose(saved, at, rtol=1e-6, atol=0.0))
    if not found.size:
        nearest = np.sort(saved[np.argsort(abs(saved - at))[:2]])
        near = " or ".join(f"{value:g}" for value in nearest)
        raise InputError(
            f"at: got {axis} {at:g}, expected one that was saved, such as {near}; pick one of "
            f'ds["{axis}"] or run the comparison with a save there.'
        )
    return Moment(int(found[0]), f"at {axis} {saved[found[0]]:g}")
