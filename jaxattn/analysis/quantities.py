"""What a question is about, as one number a run: a value, a late gain, a late exponent."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxattn.analysis.final_values import end_times, final_values, values_over_time
from jaxattn.analysis.intervals import ROUNDING
from jaxattn.analysis.measures import Compared, measure_named
from jaxattn.core.contracts import MeasureSpec
from jaxattn.core.question import Question
from jaxattn.results.dataset import spec_of

__all__ = ["Quantity", "quantity", "rounding_of", "theory_of_quantity"]

LATE = 0.5
"""Where the last half of a run begins."""

_APART = 0.5
"""Of a run: between two saves that are further apart nothing is known."""

Rows = Float[np.ndarray, "*row save"]


class Quantity(NamedTuple):
    """`values` and `ends` are ``[paradigm, swept..., seed]``.

    NaN: the run did not finish, or it is not known. Infinite: a time that was not reached by
    `ends`, which are infinite of all but times.
    """

    values: xr.DataArray
    ends: xr.DataArray
    spec: MeasureSpec
    unit: str
    better: str
    """``more``, ``less``, or empty."""


def quantity(ds: xr.Dataset, question: Question, split: str) -> Quantity | None:
    """What a question is about, of training; None where the result does not know it."""
    if (measure := measure_named(ds, question.measure)) is None:
        return None
    spec, at = measure.spec, question.at
    if at == "end" or spec.of:
        # A time has no other value than the one at the end.
        values = final_values(ds, measure, split) if at == "end" else None
        if values is None:
            return None
        ends = end_times(ds, values)
        unit = str(values.attrs.get("units", "1"))
        return Quantity(values, ends if spec.of else ends + np.inf, spec, unit, spec.better)
    values = _over_time(ds, measure, question, split, "train")
    if values is None:
        return None
    unit = str(ds[measure.variable].attrs.get("units", "1"))
    if isinstance(at, str):
        unit = "log odds" if at == "late gain" and spec.whole else unit
        unit = "1" if at == "late exponent" else unit
    # A share that rises leaves less of the rest, and what falls falls by a power.
    better = "more" if at == "late exponent" and spec.better else spec.better
    return Quantity(values, end_times(ds, values) + np.inf, spec, unit, better)


def theory_of_quantity(ds: xr.Dataset, question: Question) -> xr.DataArray | None:
    """The same of the exact theory beside training, ``[paradigm, swept...]``; None: there is none.

    Of training examples, which is all that the theory knows.
    """
    measure = measure_named(ds, question.measure)
    there = "theory" in ds["dynamics"] and measure is not None and not measure.spec.of
    if not there or measure is None or question.at == "end":
        return None
    values = _over_time(ds, measure, question, "train", "theory")
    return None if values is None else values.mean("seed")


def rounding_of(ds: xr.Dataset) -> float:
    """What two runs may differ by for no reason but their precision, as a share of a value."""
    precision = spec_of(ds).get("precision", "float32")
    return ROUNDING * float(np.finfo(precision).eps)


def _over_time(
    ds: xr.Dataset, measure: Compared, question: Question, split: str, dynamics: str
) -> xr.DataArray | None:
    rows = values_over_time(ds, measure, split, dynamics)
    if rows is None:
        return None
    time = ds["time"].sel(dynamics="train") if "dynamics" in ds["time"].dims else ds["time"]
    time = time.reset_coords(drop=True).broadcast_like(rows).transpose(*rows.dims)
    times, values = np.asarray(time.values, dtype=float), np.asarray(rows.values, dtype=float)
    at, whole = question.at, measure.spec.whole
    with np.errstate(divide="ignore", invalid="ignore"):
        if at == "late gain":
            level = values if whole is None else _log_odds(values / whole, rounding_of(ds))
            numbers = level[..., -1] - _value_at(times, level, LATE)
        elif at == "late exponent":
            rest = values if whole is None else 1 - values / whole
            numbers = _exponent(times, np.where(rest > rounding_of(ds), rest, np.nan))
        else:
            numbers = _value_at(times, values, float(at))
    if np.isnan(numbers).all():
        return None  # Such as where no save lies near the middle of the run.
    return rows.isel(save=-1, drop=True).copy(data=numbers)


def _log_odds(share: Rows, rounding: float) -> Rows:
    # What rounding cannot tell from all or nothing is as far as it can tell.
    held = np.clip(share, rounding, 1 - rounding)
    return np.asarray(np.log(held) - np.log1p(-held))


def _value_at(times: Rows, values: Rows, share: float) -> Float[np.ndarray, "*row"]:
    """Linear between the two saves around a share of the run; NaN where they are far from it."""
    last = times[..., -1:]
    place = times / np.where(last > 0, last, 1)
    after = np.clip((place < share).sum(-1, keepdims=True), 1, place.shape[-1] - 1)
    (before_at, after_at), (low, high) = (
        [np.take_along_axis(of, after + shift, -1)[..., 0] for shift in (-1, 0)]
        for of in (place, values)
    )
    apart = after_at - before_at
    weight = np.clip((share - before_at) / apart, 0, 1)
    return np.where(apart <= _APART, low + weight * (high - low), np.nan)


def _exponent(times: Rows, rest: Rows) -> Float[np.ndarray, "*row"]:
    """Least squares of log rest on log time over the last half, falling counted up."""
    late = (times >= LATE * times[..., -1:]) & (times > 0)
    known = (late & np.isfinite(rest)).all(-1, where=late) & (late.sum(-1) >= 3)
    x, y = (np.where(late, np.log(of), 0.0) for of in (times, rest))
    count = np.maximum(late.sum(-1, keepdims=True), 1)
    x = np.where(late, x - x.sum(-1, keepdims=True) / count, 0.0)
    slope = np.sum(x * np.where(late, y, 0.0), -1) / np.sum(x**2, -1)
    return np.where(known, -slope, np.nan)
