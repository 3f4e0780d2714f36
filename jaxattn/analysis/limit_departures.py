"""When training leaves each of its continuous limits, and why: one record a limit and setting."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.edge_of_stability import edge_in, edge_times
from jaxattn.analysis.limit_gaps import TOLERANCE, departures, limits_in, orders, watched
from jaxattn.analysis.limit_wording import run_name
from jaxattn.core.contracts import Status
from jaxattn.flow import LIMITS

__all__ = [
    "DIVERGED",
    "EDGE",
    "FOLLOWS",
    "NOISE",
    "NO_LIMIT",
    "STEPS",
    "departure_records",
    "order_records",
]

EDGE, STEPS, DIVERGED, NO_LIMIT, NOISE = (
    *("edge of stability", "finite steps", "diverged", "no limit", "noise"),
)
"""Why training left a limit."""

FOLLOWS = 0.25
"""Of a smaller order than this, training does not follow a limit."""


def departure_records(ds: xr.Dataset, tolerance: float = TOLERANCE) -> list[dict[str, Any]]:
    """When training leaves each limit and why: one record a limit, paradigm and swept point.

    Returns:
        Records of ``limit``, ``paradigm``, the swept axes, ``tolerance``, ``seeds`` of which it is
        known, how many ``left`` and how many ``diverged``, ``time`` and ``step`` (medians of those
        that left, NaN where none did), ``edge`` and ``edge_time`` (of learning rate times
        sharpness, median of those that reach it; NaN where unknown or never), and ``why``: ""
        where no more than half left, else

        - edge of stability: it was reached before, by most of those that left;
        - diverged: most of them did, without that;
        - noise: the limit is stochastic, so that paths part by nature;
        - no limit: the distance does not fall with the learning rate;
        - finite steps: none of these; what is left is the error of steps of this size.
    """
    level, reached, found = edge_in(ds), edge_times(ds), []
    slopes = {(line["process"], run_name(line)): line["slope"] for line in order_records(ds)}
    lost = ds["status"].sel(process="train", drop=True) == Status.DIVERGED
    for limit in limits_in(ds):
        left, known = departures(ds, limit, tolerance), watched(ds, limit)
        swept = [str(dim) for dim in left.dims if dim not in ("paradigm", "seed")]
        for place in np.ndindex(*(ds.sizes[dim] for dim in ("paradigm", *swept))):
            at = dict(zip(("paradigm", *swept), place, strict=True))
            paradigm = str(ds["paradigm"].values[place[0]])
            times, gone = left.isel(at).values, np.isfinite(left.isel(at).values)
            edges = np.full(times.shape, np.nan) if reached is None else reached.isel(at).values
            time = float(np.median(times[gone])) if gone.any() else np.nan
            clock = {dim: index for dim, index in at.items() if dim in ds["time"].dims}
            record = {
                "limit": limit,
                "paradigm": paradigm,
                **{name: ds[name].values[at[name]].item() for name in swept},
                "tolerance": tolerance,
                "seeds": int(known.isel(at).sum()),
                "left": int(gone.sum()),
                "diverged": int((lost & known).isel(at).sum()),
                "time": time,
                "step": _step_at(ds, clock, time),
                "edge": np.nan if level is None else _at(level, at),
                "edge_time": _median_of_finite(edges),
            }
            most = 2 * gone.sum() > record["seeds"]
            before = np.mean(edges[gone] <= times[gone]) > 0.5 if most else False
            slope = slopes.get((limit, run_name(record)), np.nan)
            record["why"] = _why(record, bool(before), float(slope)) if most else ""
            found.append(record)
    return found


def order_records(ds: xr.Dataset) -> list[dict[str, Any]]:
    """The lines of `jaxattn.analysis.limit_gaps.orders`, a dict each."""
    return [{str(k): v for k, v in line.items()} for line in orders(ds).to_dict("records")]


def _at(level: xr.DataArray, at: Mapping[str, int]) -> float:
    return float(level.isel({dim: index for dim, index in at.items() if dim in level.dims}))


def _median_of_finite(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if there.size else np.nan


def _step_at(ds: xr.Dataset, clock: Mapping[str, int], time: float) -> float:
    """The step at a time, of the row's own clock."""
    times, steps = ds["time"].isel(clock), ds["step"]
    steps = steps.isel({dim: index for dim, index in clock.items() if dim in steps.dims})
    # The first at which it is seen; exactly on a step, rounding must not make it the next.
    return float(np.ceil(np.interp(time, times.values, steps.values) - 1e-6))


def _why(record: Mapping[str, Any], before: bool, slope: float) -> str:
    limit = LIMITS.get(record["limit"])
    if before:
        return EDGE
    if 2 * record["diverged"] > record["left"]:
        return DIVERGED
    if limit is not None and limit.stochastic:
        return NOISE
    return NO_LIMIT if slope < FOLLOWS else STEPS
