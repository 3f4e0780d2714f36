"""When training leaves each of its continuous limits, and why: one record a limit and setting.

Training is seen at saves alone: it has left by the first save at which it is off, and was within at
the one before.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.edge_growth import Growth, growths
from jaxattn.analysis.edge_of_stability import edge_in, edge_saves
from jaxattn.analysis.first_saves import NEVER, lower_median
from jaxattn.analysis.limit_gaps import (
    TOLERANCE,
    WELL_ABOVE,
    departure_saves,
    limits_in,
    order_records,
    own_errors,
    watched,
)
from jaxattn.analysis.limit_predictions import Prediction, Predictor
from jaxattn.analysis.limit_wording import run_name
from jaxattn.analysis.places import places
from jaxattn.core.contracts import Status
from jaxattn.flow import LIMITS

__all__ = [
    "DIVERGED",
    "EDGE",
    "FOLLOWS",
    "NOISE",
    "NO_LIMIT",
    "OWN_ERROR",
    "STEPS",
    "departure_records",
    "departures",
]

EDGE, STEPS, DIVERGED, NO_LIMIT, NOISE, OWN_ERROR = (
    *("edge of stability", "finite steps", "diverged", "no limit", "noise", "own error"),
)
"""Why training left a limit."""

FOLLOWS = 0.25
"""Training does not follow a limit whose order is smaller than this."""


def departures(
    ds: xr.Dataset, limit: str | None = None, tolerance: float = TOLERANCE
) -> pd.DataFrame:
    """When training leaves each of its continuous limits, and why: a line a limit and setting.

    Args:
        ds: a result with limits beside training.
        limit: one of them; by default all.
        tolerance: share of the furthest that a limit came from its start at which training has
            left it.

    Returns:
        The records of `departure_records`: ``limit``, ``paradigm``, the swept axes, ``time`` and
        ``step`` of a save, ``why``, the limit's ``own_error``, and more. Times in ``jaxattn``'s
        own: the optimiser's clock.

    Raises:
        InputError: no limits in the result, or not this one.
    """
    for name in limits_in(ds) if limit is None else (limit,):
        departure_saves(ds, name, tolerance)  # refuses what is not there
    lines = pd.DataFrame(departure_records(ds, tolerance))
    return lines if limit is None else lines[lines["limit"] == limit].reset_index(drop=True)


def departure_records(ds: xr.Dataset, tolerance: float = TOLERANCE) -> list[dict[str, Any]]:
    """When training leaves each limit and why: one record a limit, paradigm and swept point.

    Returns:
        Records of ``limit``, ``paradigm``, the swept axes, ``tolerance``, ``seeds`` of which it is
        known, how many ``left`` and how many ``diverged``, ``time`` and ``step`` of the save by
        which at least half of those that left are seen to have left, ``within_time`` and
        ``within_step`` of the save before (NaN where there is none), ``edge`` of learning rate
        times sharpness, ``edge_time`` and ``edge_step`` of the save by which at least half of those
        that reach it have (NaN where unknown or never), ``own_error`` of the limit (the largest
        over the saves; NaN: not known).

        Of those that left past the edge, medians of `jaxattn.analysis.edge_growth.Growth`:
        ``along``, the share of the distance along the top eigenvector, ``growth`` and
        ``expected_growth``, the factors a step. Of those that left, by
        `jaxattn.analysis.limit_predictions.Predictor`: the median distance ``predicted`` at that
        save from the rate ``from_rate``, and the distance there is over it, ``excess``, median and
        least and largest (``excess_low``, ``excess_high``). NaN where not known.

        And ``why``: "" where no more than half left, else

        - own error: what is tolerated is not well above it, so that the solver may have left;
        - edge of stability: most of those that left had reached it before, and growth along the
          top eigenvector as past the edge carries the distance (`Growth.carries`);
        - diverged: most of them did, without that;
        - noise: the limit is stochastic, so that paths part by nature;
        - no limit: the distance does not fall with the learning rate;
        - finite steps: none of these; what is left is the error of steps of this size, which
          ``excess`` holds against the smaller rates.
    """
    limits, records = limits_in(ds), []
    if not limits:
        return []
    level, reached = edge_in(ds), edge_saves(ds)
    slopes = {(line["dynamics"], run_name(line)): line["slope"] for line in order_records(ds)}
    lost = ds["status"].sel(dynamics="train", drop=True) == Status.DIVERGED
    for limit in limits:
        left = departure_saves(ds, limit, tolerance).transpose(..., "seed")
        known = watched(ds, limit)
        own = own_errors(ds, limit).max("save")
        grown, predictor = growths(ds, limit, left), Predictor(ds, limit)
        way = ds["moved"].sel(dynamics=limit, drop=True).max("save").where(known)
        for labels, at in places(left, "seed"):
            saves, gone = left[at].values, left[at].values >= 0
            edges = np.full(saves.shape, NEVER) if reached is None else reached[at].values
            save, past = lower_median(saves), lower_median(edges)
            record = {
                "limit": limit,
                **labels,
                "tolerance": tolerance,
                "seeds": int(known.isel(at).sum()),
                "left": int(gone.sum()),
                "diverged": int((lost & known).isel(at).sum()),
                "time": _at_save(ds, "time", at, save),
                "step": _at_save(ds, "step", at, save),
                "within_time": _at_save(ds, "time", at, save - 1),
                "within_step": _at_save(ds, "step", at, save - 1),
                "edge": np.nan if level is None else float(level.isel(at, missing_dims="ignore")),
                "edge_time": _at_save(ds, "time", at, past),
                "edge_step": _at_save(ds, "step", at, past),
                "own_error": float(own.isel(at, missing_dims="ignore").max()),
            }
            most = 2 * gone.sum() > record["seeds"]
            before = gone & (edges >= 0) & (edges <= saves)
            index = tuple(at.values())
            carried = before & (False if grown is None else grown.carries[index])
            record |= _growth_past_edge(grown, index, before)
            record |= _excess(predictor.at(at, saves))
            slope = slopes.get((limit, run_name(record)), np.nan)
            tolerated = tolerance * _median_of_finite(way.isel(at).values)
            if most and WELL_ABOVE * record["own_error"] > tolerated:
                record["why"] = OWN_ERROR
            else:
                is_edge = 2 * carried.sum() > gone.sum()
                record["why"] = _why(record, bool(is_edge), float(slope)) if most else ""
            records.append(record)
    return records


def _median_of_finite(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan


def _growth_past_edge(
    grown: Growth | None, index: tuple[int, ...], before: np.ndarray
) -> dict[str, float]:
    """Medians of the seeds that left past the edge."""
    names = {"along": "share", "growth": "factor", "expected_growth": "expected"}
    if grown is None:
        return dict.fromkeys(names, np.nan)
    return {
        name: _median_of_finite(getattr(grown, field)[index][before])
        for name, field in names.items()
    }


def _excess(prediction: Prediction) -> dict[str, float]:
    """How far the seeds that left are beyond what smaller rates predict of each, where it left."""
    names = ("from_rate", "predicted", "excess", "excess_low", "excess_high")
    known = np.isfinite(prediction.excess)
    if not known.any():
        return dict.fromkeys(names, np.nan)
    rates, predicted, excess = (values[known] for values in prediction)
    middle = (np.median(predicted), np.median(excess), excess.min(), excess.max())
    return dict(zip(names, (float(rates.max()), *map(float, middle)), strict=True))


def _at_save(ds: xr.Dataset, name: str, at: Mapping[str, int], save: int) -> float:
    """The time or the step of a save; NaN where there is none."""
    return float(ds[name].isel(at, missing_dims="ignore")[save]) if save >= 0 else np.nan


def _why(record: Mapping[str, Any], is_edge: bool, slope: float) -> str:
    limit = LIMITS.get(record["limit"])
    if is_edge:
        return EDGE
    if 2 * record["diverged"] > record["left"]:
        return DIVERGED
    if limit is not None and limit.stochastic:
        return NOISE
    return NO_LIMIT if slope < FOLLOWS else STEPS
