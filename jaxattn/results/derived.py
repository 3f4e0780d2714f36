"""What follows from the measures of a run: times at which a level is reached, and distances."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxattn.problems.result_measures import TIMES
from jaxattn.study.settings import Settings

__all__ = [
    "POSITIONS",
    "WELL_ABOVE",
    "distances_of",
    "first_crossing",
    "own_error_of",
    "with_distances",
    "with_times",
]

POSITIONS = ("position", "top_direction")
"""Measures that distances are made of, and that no result keeps."""


WELL_ABOVE = 10
"""A distance is between training and its limit where it is so many times the limit's own error: a
tenth of it that is the solver's moves the slope between a rate and its half by 0.14 at most."""


def with_times(
    ds: xr.Dataset, time: xr.DataArray, natural: xr.DataArray | str, settings: Settings
) -> xr.Dataset:
    """`ds` with ``time_to_focus`` and ``time_to_fit`` where what they need was measured.

    Args:
        ds: runs with a dim ``save``.
        time: of each save, over any dims of `ds`.
        natural: the inference rule that counts, of each paradigm or of all runs.
        settings: the levels to reach.
    """
    # Problems of one's own have no rule of inference, and a measure of a known name is their own.
    rules = np.unique(natural)
    for spec in TIMES if rules.size and rules[0] else ():
        name, measure = spec.name, spec.of
        level = getattr(settings, f"{name.removeprefix('time_to_')}_level")
        if measure not in ds:
            continue
        values = ds[measure]
        if "inference" in values.dims:
            values = values.sel(inference=natural)
        values = values.transpose(..., "save")
        on_it = time.broadcast_like(values).transpose(*values.dims)
        ds[name] = (
            values.dims[:-1],
            first_crossing(on_it.values, values.values, level),
            {
                "units": "time",
                "long_name": f"first time that {measure} reaches {level:g}; NaN: never (censored)",
            },
        )
    return ds


def with_distances(ds: xr.Dataset) -> xr.Dataset:
    """`ds` with how far each limit is from training, and what came how far, without positions.

    Args:
        ds: with ``position [paradigm, dynamics, ..., save, coordinate]``, and perhaps
            ``top_direction`` of training.
    """
    at, top = ds["position"], ds.get("top_direction")
    distances = distances_of(
        at,
        at.sel(dynamics="train", drop=True),
        None if top is None else top.sel(dynamics="train", drop=True),
    )
    return ds.drop_vars(POSITIONS, errors="ignore").assign(distances)


def distances_of(
    at: xr.DataArray, training: xr.DataArray, top: xr.DataArray | None = None
) -> dict[str, xr.DataArray]:
    """How far parameters are from those of training, and from where they started.

    Args:
        at: positions ``[..., save, coordinate]``.
        training: those of training at the same saves.
        top: the most curved direction at training's, of length 1, where it is known. Its sign means
            nothing, so the part of the distance along it has none.
    """

    def norm(of: xr.DataArray, text: str) -> xr.DataArray:
        distance = (of**2).sum("coordinate", skipna=False) ** 0.5
        return distance.assign_attrs(units="1", long_name=text)

    distances = {
        "distance": norm(at - training, "distance of parameters from training"),
        "moved": norm(at - at.isel(save=0), "distance of parameters from their start"),
    }
    if top is not None:
        along = abs(((at - training) * top).sum("coordinate", skipna=False))
        text = "part of the distance from training along the top eigenvector there"
        distances["distance_along_top"] = along.assign_attrs(units="1", long_name=text)
    return distances


def own_error_of(
    dims: Sequence[str], shape: Sequence[int], at: int | None, values: Any
) -> xr.Variable:
    """How far a limit is from itself, solved more closely; NaN but in the row where it is known.

    Args:
        dims: those that rows differ by, then ``save``.
        shape: their lengths.
        at: the row that was solved twice, among all rows; None: none of these.
        values: of that row ``[save]``.
    """
    rows = np.full((prod(shape[:-1]), shape[-1]), np.nan)
    if at is not None:
        rows[at] = values
    text = "distance of a limit from itself at a tenth of its tolerances, of one row a group"
    return xr.Variable(dims, rows.reshape(shape), {"units": "1", "long_name": text})


def first_crossing(
    time: Float[np.ndarray, "*#row save"], values: Float[np.ndarray, "*row save"], level: float
) -> Float[np.ndarray, "*row"]:
    """When each row first reaches `level`, linear between saves; NaN (censored) if it never does.

    Args:
        time: increasing times of the saves, any unit; may have the leading axes of `values`.
        values: measured values; NaN never counts as reached.
        level: the value to reach, from below.
    """
    values = np.asarray(values, dtype=float)
    time = np.broadcast_to(np.asarray(time, dtype=float), values.shape)
    reached = values >= level
    index = np.argmax(reached, axis=-1, keepdims=True)
    before = np.maximum(index - 1, 0)

    def pick(array: np.ndarray, at: np.ndarray) -> np.ndarray:
        return np.take_along_axis(array, at, axis=-1)

    low, high = pick(values, before), pick(values, index)
    start, end = pick(time, before), pick(time, index)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(index > 0, (level - low) / (high - low), 0.0)
    # A NaN just before the crossing leaves nothing to interpolate from: the save itself counts.
    share = np.where(np.isfinite(share), share, 1.0)
    ever = reached.any(axis=-1, keepdims=True)
    return np.where(ever, start + share * (end - start), np.nan)[..., 0]
