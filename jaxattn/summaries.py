"""A result in numbers: median and 10-90 % band over seeds, at the end of the run."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.contracts import InputError, Status

__all__ = ["best_and_first", "summary"]

FINAL = (
    "loss",
    "accuracy",
    "error_cell",
    "focus_accuracy",
    "attention_foreground",
    "attention_entropy",
)
TIMES = ("time_to_focus", "time_to_fit")


def summary(ds: xr.Dataset, low: float = 0.1, high: float = 0.9) -> pd.DataFrame:
    """One line per paradigm, process, swept value, split, inference rule and measure.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        low: quantile over seeds at the lower end of the band.
        high: quantile at its upper end.

    Returns:
        Columns ``paradigm``, ``process``, the swept hyperparameters, ``split``, ``inference``
        (None where a measure has none), ``measure``, ``median``, ``low``, ``high``, ``seeds``
        (rows that finished) and ``censored`` (those that never got there; a time_to_... that
        half the seeds never reach has no median).

    Raises:
        InputError: not a result, or quantiles out of order.
    """
    if not {"paradigm", "process", "seed", "save"} <= set(ds.dims):
        raise InputError("summary: expected a result of jaxattn.compare or jaxattn.open.")
    if not 0 <= low <= high <= 1:
        raise InputError(f"summary: got quantiles {low}, {high}; expected 0 <= low <= high <= 1.")
    rows = []
    for name in (*FINAL, *TIMES):
        if name in ds:
            values = ds[name]
            values = values.isel(save=-1) if "save" in values.dims else values
            rows += _rows(name, values, ds["status"], (low, high))
    swept = [str(dim) for dim in ds["status"].dims if dim not in ("paradigm", "process", "seed")]
    columns = ["paradigm", "process", *swept, "split", "inference", "measure"]
    return pd.DataFrame(rows, columns=[*columns, "median", "low", "high", "seeds", "censored"])


def _rows(
    name: str, values: xr.DataArray, status: xr.DataArray, band: tuple[float, float]
) -> list[dict[str, Any]]:
    done = status == Status.DONE
    dims = [dim for dim in values.dims if dim != "seed"]
    rows = []
    for index in product(*(range(values.sizes[dim]) for dim in dims)):
        at = dict(zip(dims, index, strict=True))
        one = values.isel(at)
        valid = done.isel({dim: i for dim, i in at.items() if dim in done.dims}).values
        found = one.values[valid]
        label = {str(dim): one[dim].item() for dim in dims}
        measure = label.pop("cell", name)
        # A measure that this process does not have (theory) is absent, not censored.
        if found.size == 0 or (name not in TIMES and np.isnan(found).all()):
            continue
        if label.get("process") == "theory" and name in TIMES and np.isnan(found).all():
            continue
        rows.append({"inference": None, **label, "measure": measure, **_quantiles(found, band)})
    return rows


def _quantiles(found: np.ndarray, band: tuple[float, float]) -> dict[str, float | int]:
    # Censored values lie above all others, wherever: quantiles that fall among them are unknown.
    # np.quantile loses those just below them too, as 0 * inf is NaN.
    ordered = np.sort(np.where(np.isnan(found), np.inf, found))
    place = np.round(np.array([0.5, *band]) * (found.size - 1), 9)
    below, above = ordered[np.floor(place).astype(int)], ordered[np.ceil(place).astype(int)]
    with np.errstate(invalid="ignore"):
        values = np.where(below == above, below, below + place % 1 * (above - below))
    values = np.where(np.isfinite(values), values, np.nan)
    return {
        **dict(zip(("median", "low", "high"), map(float, values), strict=True)),
        "seeds": int(found.size),
        "censored": int(np.isnan(found).sum()),
    }


def best_and_first(table: pd.DataFrame, ds: xr.Dataset) -> dict[float, dict[str, str | None]]:
    """By learning rate: the paradigm that focuses first, and the one that ends most accurate.

    Judged by the medians of training on the last split, each paradigm under its own inference
    rule; None where no paradigm has a median.
    """
    natural = dict(zip(ds["paradigm"].values, ds["natural_inference"].values, strict=True))
    train = table[(table["process"] == "train") & (table["split"] == ds["split"].values[-1])]
    own = train["inference"].isna() | (train["inference"] == train["paradigm"].map(natural))

    def winner(of: pd.DataFrame, measure: str, least: bool) -> str | None:
        found = of[of["measure"] == measure].dropna(subset="median")
        if found.empty:
            return None
        at = found["median"].idxmin() if least else found["median"].idxmax()
        return str(found.loc[at, "paradigm"])

    return {
        float(rate): {
            "first": winner(group, "time_to_focus", least=True),
            "focus": winner(group, "attention_foreground", least=False),
            "accuracy": winner(group, "accuracy", least=False),
            "loss": winner(group, "loss", least=True),
        }
        for rate, group in train[own].groupby("learning_rate")
    }
