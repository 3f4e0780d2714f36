"""A result in numbers: median and 10-90 % band over seeds, at the end of the run.

A row that was stopped as converged counts with its values at the stop.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.intervals import interval
from jaxattn.analysis.measures import further_axes, summarised_in
from jaxattn.analysis.places import places
from jaxattn.analysis.subject import theories_in
from jaxattn.core.contracts import InputError, MeasureSpec, Status
from jaxattn.results.stopped_rows import hold_last

__all__ = ["own_rule", "summary"]


def summary(ds: xr.Dataset, low: float = 0.1, high: float = 0.9) -> pd.DataFrame:
    """One line per paradigm, dynamics, swept value, split, inference rule and measure.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        low: quantile over seeds at the lower end of the band.
        high: quantile at its upper end.

    Returns:
        Columns ``paradigm``, ``dynamics``, the swept hyperparameters, ``split`` and ``inference``
        (None where a measure has none), ``measure``, ``median``, ``low``, ``high`` (the band),
        ``mean``, ``mean_low``, ``mean_high`` (95 % interval of the mean, see
        `jaxattn.analysis.intervals.interval`; NaN below 2 seeds), ``seeds`` (rows that finished)
        and ``censored`` (those that never got there: then a time_to_... has no mean, and no median
        where they are half the seeds).

    Raises:
        InputError: not a result, or quantiles out of order.
    """
    if not {"paradigm", "dynamics", "seed", "save"} <= set(ds.dims):
        raise InputError("summary: expected a result of jaxattn.compare or jaxattn.open.")
    if not 0 <= low <= high <= 1:
        raise InputError(f"summary: got quantiles {low}, {high}; expected 0 <= low <= high <= 1.")
    ds, rows, exact = ds.assign(status=ds["status"].compute()), [], {"theory", *theories_in(ds)}
    for spec in summarised_in(ds):
        values = hold_last(ds[spec.name], ds)
        values = values.isel(save=-1) if "save" in values.dims else values
        # Read at once: of a sweep, each look at a part would read its chunk's file again.
        axes = further_axes(ds, spec.name)
        rows += _rows(spec, values.compute(), ds["status"], (low, high), axes, exact)
    swept = [str(dim) for dim in ds["status"].dims if dim not in ("paradigm", "dynamics", "seed")]
    columns = ["paradigm", "dynamics", *swept, "split", "inference", "measure"]
    numbers = ["median", "low", "high", "mean", "mean_low", "mean_high", "seeds", "censored"]
    return pd.DataFrame(_with_means(rows), columns=[*columns, *numbers])


def _with_means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The means of all rows and their intervals, resampled together."""
    most = max((row["seeds"] for row in rows), default=0)
    values = np.full((len(rows), most), np.nan)
    for at, row in zip(values, rows, strict=True):
        ended = row.pop("ended")
        at[: ended.size] = np.nan if np.isnan(ended).any() else ended
    for row, mean, low, high in zip(rows, *interval(values)[:3], strict=True):
        row |= {"mean": float(mean), "mean_low": float(low), "mean_high": float(high)}
    return rows


def _rows(
    spec: MeasureSpec,
    values: xr.DataArray,
    status: xr.DataArray,
    band: tuple[float, float],
    axes: list[str],
    exact: Collection[str],
) -> list[dict[str, Any]]:
    """A line for each place of a measure; those along `axes` of its own are in its name."""
    done, rows = Status.ended_well(status), []
    for label, at in places(values, "seed"):
        ended = values[at].values[done.isel(at, missing_dims="ignore").values]
        further = [str(label.pop(axis)) for axis in axes]
        # Parts have names of their own.
        measure = " ".join(further if spec.parts else [spec.name, *further])
        # A measure that this kind of dynamics does not have (theory) is absent, not censored.
        has_it = bool(spec.of) and label.get("dynamics") not in exact
        if ended.size == 0 or (not has_it and np.isnan(ended).all()):
            continue
        line = {"split": None, "inference": None, **label, "measure": measure, "ended": ended}
        rows.append(line | _quantiles(ended, band))
    return rows


def _quantiles(ended: np.ndarray, band: tuple[float, float]) -> dict[str, float | int]:
    # Censored values lie above all others, wherever: quantiles that fall among them are unknown.
    # np.quantile loses those just below them too, as 0 * inf is NaN.
    ordered = np.sort(np.where(np.isnan(ended), np.inf, ended))
    place = np.round(np.array([0.5, *band]) * (ended.size - 1), 9)
    below, above = ordered[np.floor(place).astype(int)], ordered[np.ceil(place).astype(int)]
    with np.errstate(invalid="ignore"):
        values = np.where(below == above, below, below + place % 1 * (above - below))
    values = np.where(np.isfinite(values), values, np.nan)
    return {
        **dict(zip(("median", "low", "high"), map(float, values), strict=True)),
        "seeds": int(ended.size),
        "censored": int(np.isnan(ended).sum()),
    }


def own_rule(table: pd.DataFrame, ds: xr.Dataset) -> pd.DataFrame:
    """The lines of `summary` under each paradigm's own inference rule, or under none."""
    rules = ds["natural_inference"].to_series()
    own = table["inference"].isna() | (table["inference"] == table["paradigm"].map(rules))
    return table[own]
