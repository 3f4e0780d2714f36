"""What can be said of a result, and how sure: paired differences between paradigms over seeds.

All paradigms share their random streams (law 8), so a seed is a pair, and what its runs have in
common cancels. One seed is one observation; an example is not.
"""

import json
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy import stats

from jaxattn.contracts import InputError, Status

__all__ = ["Interval", "best_rates", "differences", "holm", "interval", "times"]

# What is compared, and the variable without which it is unknown: a time that is NaN is censored.
MEASURES = {
    **{name: name for name in ("accuracy", "loss", "attention_foreground", "focus_accuracy")},
    **{"FTPT": "error_cell", "time_to_focus": "attention_foreground", "time_to_fit": "accuracy"},
}
TIMES = ("time_to_focus", "time_to_fit")
BOOTSTRAP_FROM = 30  # seeds
RESAMPLES = 9_999
TAIL = 10  # Past so many most extreme resamples, p follows Student's tail, scaled to join on.
ROUNDING = 16  # A difference up to so many roundings of the run's precision is none.
_ROWS = 50  # resampled together: 4 MB an array
_LABELS = ["comparison", "measure", "split", "unit", "selection", "paradigm_a", "paradigm_b"]
_FOUND = ["mean_difference", "median_difference", "low", "high", "p", "effect_size", "method"]
_Array = np.ndarray
_Columns = dict[str, _Array]


class Interval(NamedTuple):
    """A mean over seeds, its confidence interval and method; arrays where rows were many."""

    mean: Any
    low: Any
    high: Any
    method: Any


def interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Confidence interval of a mean over seeds.

    The method is ``"t"`` below 30 seeds. From 30 on it is ``"bootstrap-t"``: t is resampled with
    its own standard error, always by the same draws, and each limit is the wider of that and
    Student's (alone, the first is too narrow for heavy tails, the second for skewed values);
    ``"t (resamples degenerate)"`` where too few seeds differ from the rest. ``"no spread"`` gives
    a point: these seeds agree, others may not. ``"too few seeds"`` (one) gives NaN.

    Args:
        values: ``[..., seed]``; what is not finite (a seed that failed) is left out.
        confidence: of each interval on its own.
    """
    values = np.asarray(values, dtype=float)
    rows = values.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    rows, end = np.where(np.isfinite(rows), rows, np.nan), np.full((len(rows), 1), np.inf)
    found = _judged(rows, 0 * rows, end, float(np.finfo(float).eps), confidence)
    shown = (found[name] for name in ("mean_difference", "low", "high", "method"))
    return Interval(*(column.reshape(values.shape[:-1])[()] for column in shown))


def holm(p: ArrayLike) -> np.ndarray:
    """Holm's step-down p-values along the last axis; NaN is no comparison and is not counted."""
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, axis=-1)  # NaN last
    left = np.sum(~np.isnan(p), axis=-1, keepdims=True) - np.arange(p.shape[-1])
    stepped = np.take_along_axis(p, order, -1) * np.maximum(left, 1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.maximum.accumulate(stepped, axis=-1), -1)
    return np.minimum(corrected, 1.0)


def differences(ds: xr.Dataset, split: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Paired differences a - b between paradigms at the end of training, one line a comparison.

    Accuracy, loss and FTPT are under each paradigm's own inference rule; a pair is a seed that
    finished under both. `comparison` is ``"equal learning_rate"`` (and all else swept equal) or,
    where rates were swept, ``"best"``: each at its own of `best_rates`, which half of the seeds
    chose and the other half judges. `low` to `high` is an interval on its own (see `interval`),
    `p` of the same test; the verdict goes by `p_holm`, corrected for all `comparisons`. Equal to
    the run's precision in all seeds: p = 1. One other difference in all of them: t would be
    infinite, so p is that of flipping signs, 2 / 2^n.

    A time not reached is censored at the end of the run (of two ends, at the earlier for both).
    Where one is, no mean is known: p is the exact sign test of the pairs whose order is known
    (neither reached: a tie, left out), and the interval that of the *median* difference, by order
    statistics, true whatever the censored times are: infinite where open, NaN where unknown.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        split: what to judge on; by default test, or train where there is no test.
        confidence: of the intervals; "differs" means p_holm <= 1 - confidence.

    Returns:
        Columns ``comparison``, ``measure``, ``split``, ``unit``, ``selection`` (of the rates),
        ``paradigm_a``, ``paradigm_b``, ``learning_rate_a``, ``learning_rate_b``, all else swept,
        ``mean_difference``, ``median_difference``, ``low``, ``high``, ``p``, ``effect_size``,
        ``method``, ``interval_of`` (mean, median), ``effect`` (d_z: mean / standard deviation of
        the paired differences; sign balance: share of pairs with a later minus with a earlier),
        ``seeds`` (pairs), ``p_holm``, ``comparisons``, ``verdict`` (differs, no difference found,
        too few seeds: fewer than 2, not counted).

    Raises:
        InputError: not a result of training, no such split, or no such confidence.
    """
    split, parts = _checked(ds, split, confidence), []
    best = _best(ds) if ds.sizes["learning_rate"] > 1 else None
    for measure in MEASURES:
        if (values := _at_end(ds, measure, split)) is None:
            continue
        ends = _ends(ds, values) if measure in TIMES else _ends(ds, values) + np.inf
        label = {"comparison": "equal learning_rate", "measure": measure, "split": split}
        label |= {"unit": values.attrs.get("units", "1"), "selection": "none"}
        parts.append(_pairs(values, ends, label))
        if best is not None:
            values = values.where(~_choosing(ds)).isel(learning_rate=best["index"])
            values = values.assign_coords(learning_rate=best["learning_rate"])
            label |= {"comparison": "best", "selection": best.attrs["selection"]}
            parts.append(_pairs(values, ends.isel(learning_rate=best["index"]), label))
    if not parts:
        return pd.DataFrame(columns=[*_LABELS, *_FOUND, "p_holm", "seeds", "verdict"])
    labels, *rows = zip(*parts, strict=True)
    a, b, end = (np.concatenate(each) for each in rows)
    precision = json.loads(ds.attrs.get("spec", "{}")).get("precision", "float32")
    found = _judged(a, b, end, float(np.finfo(precision).eps), confidence)
    table = pd.concat(labels, ignore_index=True).assign(**found)
    table["method"] = table["method"].replace({"t": "paired t", "no spread": "sign flips"})
    table["p_holm"], table["comparisons"] = holm(table["p"]), int(table["p"].notna().sum())
    verdict = np.where(table["p_holm"] <= 1 - confidence, "differs", "no difference found")
    table["verdict"] = np.where(table["p"].isna(), "too few seeds", verdict)
    return table


def best_rates(ds: xr.Dataset) -> pd.DataFrame:
    """The learning rate at which each paradigm ends with the least mean loss.

    By the validation split, or train where there is none, and by every other seed (1st, 3rd, ...
    by value). Who then judges by the rest, on test, uses neither seeds nor examples that had a
    say. (The same seeds would judge a rate that was chosen for their luck; two halves that choose
    for each other are not independent.) A rate is passed over where fewer of them finished.

    Returns:
        Columns ``paradigm``, other swept hyperparameters, ``learning_rate`` (NaN: none finished),
        ``loss``, ``seeds`` (that chose), ``at_edge`` (the best may lie beyond those tried),
        ``selection``.

    Raises:
        InputError: not a result of training, or one without a loss.
    """
    _checked(ds, None, 0.5)
    if (best := _best(ds)) is None:
        raise InputError("best_rates: got a result without loss, expected one to choose by.")
    table, rates = best.to_dataframe().reset_index(), ds["learning_rate"].values
    table["at_edge"] = table["learning_rate"].isin([rates.min(), rates.max()])
    table["selection"] = best.attrs["selection"]
    columns = (*best["index"].dims, "learning_rate", "loss", "seeds", "at_edge", "selection")
    return table[[str(name) for name in columns]]


def times(ds: xr.Dataset, split: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Median times to focus and to fit by Kaplan-Meier, censored at the end of each run.

    Returns:
        Columns ``measure``, ``split``, ``unit``, ``paradigm``, the swept hyperparameters,
        ``median`` (NaN where half never get there), ``low``, ``high`` (order statistics; infinite
        where open, NaN below 6 seeds at 95 %), ``seeds`` that finished, ``reached``, ``end``.

    Raises:
        InputError: not a result of training, no such split, or no such confidence.
    """
    split, rows = _checked(ds, split, confidence), []
    for measure in TIMES:
        if (values := _at_end(ds, measure, split)) is None:
            continue
        first = {"measure": measure, "split": split, "unit": values.attrs.get("units", "1")}
        ends = _ends(ds, values)
        for at in np.ndindex(ends.shape):
            label = first | {str(dim): ends[at][dim].item() for dim in ends.dims}
            found, end = values.values[at], ends.values[at].item()
            found = found[~np.isnan(found)]
            low, high = _median_limits(np.minimum(found, end), found, confidence)
            counts = {"seeds": found.size, "reached": int(np.isfinite(found).sum()), "end": end}
            median = {"median": _kaplan_meier(found, end), "low": low.item(), "high": high.item()}
            rows.append(label | median | counts)
    return pd.DataFrame(rows, columns=None if rows else ["measure", "paradigm", "median"])


# What is read from a Dataset.


def _checked(ds: xr.Dataset, split: str | None, confidence: float) -> str:
    wanted = {"paradigm", "process", "learning_rate", "seed", "save", "split"}
    if not wanted <= set(ds.dims) or "train" not in ds["process"]:
        raise InputError("statistics: expected a result of jaxattn.compare or jaxattn.open.")
    splits = [str(name) for name in ds["split"].values]
    split = split or ("test" if "test" in splits else "train")
    if split not in splits:
        raise InputError(f"split: got {split!r}, expected one of {', '.join(splits)}.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence: got {confidence}, expected a number between 0 and 1.")
    return split


def _at_end(ds: xr.Dataset, measure: str, split: str) -> xr.DataArray | None:
    """``[paradigm, swept..., seed]``; NaN: the row did not finish, infinite: time not reached."""
    rule = ds["natural_inference"].drop_vars("natural_inference")
    at = {"process": "train", "split": split, "cell": "FTPT", "inference": rule}

    def final(name: str) -> xr.DataArray:
        values = ds[name].sel({k: v for k, v in at.items() if k in ds[name].dims})
        return values.isel(save=-1) if "save" in values.dims else values

    name = "error_cell" if measure == "FTPT" else measure
    if name not in ds or MEASURES[measure] not in ds:
        return None
    values, done = final(name), final("status") == Status.DONE
    if done.any() and final(MEASURES[measure]).where(done).isnull().all():
        return None  # Such as the focus where no foreground is known.
    kept = values.fillna(np.inf) if measure in TIMES else values.where(np.isfinite(values))
    kept = kept.where(done).transpose("paradigm", ..., "seed").reset_coords(drop=True)
    return kept.assign_attrs(ds[name].attrs)


def _ends(ds: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """When the rows of `values` ended, ``[paradigm, swept...]``."""
    rows, ends = values.isel(seed=0, drop=True), ds["time"].isel(save=-1).reset_coords(drop=True)
    return ends.broadcast_like(rows).transpose(*rows.dims)


def _choosing(ds: xr.Dataset) -> xr.DataArray:
    return xr.zeros_like(ds["seed"]) + np.argsort(np.argsort(ds["seed"].values)) % 2 == 0


def _best(ds: xr.Dataset) -> xr.Dataset | None:
    """Place and value of the best rate ``[paradigm, swept...]``, and how it was chosen."""
    split = "validation" if "validation" in ds["split"] else "train"
    if (loss := _at_end(ds, "loss", split)) is None:
        return None
    loss = loss.where(_choosing(ds))
    seeds = loss.count("seed")
    mean = loss.mean("seed").where((seeds == seeds.max("learning_rate")) & (seeds > 0))
    index = mean.fillna(np.inf).argmin("learning_rate")
    best = xr.Dataset({"loss": mean, "seeds": seeds}).isel(learning_rate=index)
    best = best.assign_coords(learning_rate=best["learning_rate"].where(best["seeds"] > 0))
    selection = f"least mean {split} loss of every other seed; the others judge"
    return best.assign(index=index).assign_attrs(selection=selection)


def _pairs(
    values: xr.DataArray, ends: xr.DataArray, label: dict[str, str]
) -> tuple[pd.DataFrame, _Array, _Array, _Array]:
    """One row for each pair of paradigms at each point: labels, ``[row, seed]`` twice, end."""
    values, ends = values.transpose("paradigm", ..., "seed"), ends.transpose("paradigm", ...)
    first, second = np.triu_indices(ends.sizes["paradigm"], 1)

    def rows(of: xr.DataArray, which: _Array) -> _Array:
        return of.values[which].reshape(-1, *of.shape[ends.ndim :])

    columns: dict[str, Any] = {**label}
    for name in dict.fromkeys(("paradigm", "learning_rate", *map(str, ends.dims))):
        labels = values[name].broadcast_like(ends).transpose(*ends.dims)
        two = name in ("paradigm", "learning_rate")
        columns[f"{name}_a" if two else name] = rows(labels, first)
        if two:
            columns[f"{name}_b"] = rows(labels, second)
    end = np.minimum(rows(ends, first), rows(ends, second))[:, None]
    return pd.DataFrame(columns), rows(values, first), rows(values, second), end


# What is computed of rows, all with equally many seeds at once.


def _judged(a: _Array, b: _Array, end: _Array, eps: float, confidence: float) -> _Columns:
    """Of pairs ``[row, seed]``: NaN did not finish, infinite was not reached by `end`."""
    a, b = np.where(a > end, np.inf, a), np.where(b > end, np.inf, b)
    valid = ~np.isnan(a) & ~np.isnan(b)
    censored = np.any(valid & (np.isinf(a) | np.isinf(b)), axis=-1)
    found = {name: np.full(len(a), np.nan) for name in _FOUND}
    found["method"] = np.full(len(a), "too few seeds", dtype=object)
    for compute, rows in ((_of_means, ~censored), (_of_order, censored)):
        seeds = np.where(rows, valid.sum(-1), 0)
        for n in np.unique(seeds[seeds > 0]):
            at = np.flatnonzero(seeds == n)
            x, y = (side[at][valid[at]].reshape(-1, n) for side in (a, b))
            for name, column in compute(x, y, end[at], ROUNDING * eps, confidence).items():
                found[name][at] = column
    return found | {
        "interval_of": np.where(censored, "median", "mean"),
        "effect": np.where(censored, "sign balance", "d_z"),
        "seeds": valid.sum(-1),
    }


def _of_means(a: _Array, b: _Array, end: _Array, rounding: float, confidence: float) -> _Columns:
    """Of pairs ``[row, seed]`` that are all known."""
    del end
    tiny = rounding * np.maximum(np.abs(a), np.abs(b)).max(-1, keepdims=True)
    d = np.where(np.abs(a - b) <= tiny, 0.0, a - b)
    n, mean = d.shape[-1], d.mean(-1)
    found = {"mean_difference": mean, "median_difference": np.median(d, -1)}
    if n < 2:
        return found
    zero, flat = ~d.any(-1), np.ptp(d, -1) <= tiny[:, 0]
    sd = np.where(flat, 1.0, d.std(-1, ddof=1))
    error, t = sd / np.sqrt(n), mean / sd * np.sqrt(n)
    most = np.full(len(d), stats.t.isf((1 - confidence) / 2, n - 1))
    least, p = -most, 2 * stats.t.sf(np.abs(t), n - 1)
    method = np.full(len(d), "t", dtype=object)
    if n >= BOOTSTRAP_FROM:
        low, high, resampled = _bootstrap_t((d - mean[:, None]) / sd[:, None], t, confidence)
        usable = np.isfinite(low) & np.isfinite(high)
        least = np.where(usable, np.minimum(low, least), least)
        most = np.where(usable, np.maximum(high, most), most)
        p = np.where(usable, np.maximum(resampled, p), p)
        method[:] = np.where(usable, "bootstrap-t", "t (resamples degenerate)")
    method[flat] = "no spread"
    return found | {
        "low": np.where(flat, mean, mean - most * error),
        "high": np.where(flat, mean, mean - least * error),
        # All that is left to go by is that the signs agree: 2 of the 2^n ways to flip them do.
        "p": np.where(zero, 1.0, np.where(flat, 2.0 ** (1 - n), p)),
        "effect_size": np.where(zero, 0.0, np.where(flat, np.nan, mean / sd)),
        "method": method,
    }


def _of_order(a: _Array, b: _Array, end: _Array, rounding: float, confidence: float) -> _Columns:
    """Of times ``[row, seed]``, infinite where not reached by `end` ``[row, 1]``."""
    n = a.shape[-1]
    if n < 2:
        return {}
    # All that is known of a difference is that it lies between these.
    least, most = np.minimum(a, end) - b, a - np.minimum(b, end)
    later = np.sum((a > b) & (most > rounding * end), -1)
    earlier = np.sum((a < b) & (least < -rounding * end), -1)
    tail = stats.binom.cdf(np.minimum(later, earlier), later + earlier, 0.5)
    low, high = _median_limits(least, most, confidence)
    median = np.median(least, -1)
    method = np.full(len(a), "sign test of censored times", dtype=object)
    method[np.isnan(low)] += ", no interval"
    return {
        "median_difference": np.where(median == np.median(most, -1), median, np.nan),
        "low": low,
        "high": high,
        "p": np.minimum(1.0, 2 * tail),
        "effect_size": (later - earlier) / n,
        "method": method,
    }


def _bootstrap_t(z: _Array, t: _Array, confidence: float) -> tuple[_Array, _Array, _Array]:
    """Quantiles of t over resamples of rows `z` of mean 0 and sd 1, and the p-value of `t`."""
    n = z.shape[-1]
    draws = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    draws += n * np.arange(RESAMPLES)[:, None]
    weights = np.bincount(draws.ravel(), minlength=n * RESAMPLES).reshape(RESAMPLES, n).T / n
    rank = max(1, round((RESAMPLES + 1) * (1 - confidence) / 2))
    ranks = [rank - 1, RESAMPLES - rank, TAIL - 1, RESAMPLES - TAIL]
    join = stats.t.isf(TAIL / (RESAMPLES + 1), n - 1)
    low, high, p = np.empty((3, len(z)))
    for at in (slice(start, start + _ROWS) for start in range(0, len(z), _ROWS)):
        mean = z[at] @ weights
        spread = np.sqrt(np.maximum(z[at] ** 2 @ weights - mean**2, 0) / (n - 1))
        # A resample of equal values knows no spread: it is as far out as can be.
        star = mean / np.maximum(spread, 1e-7)
        star = np.where(spread > 1e-7, star, np.copysign(np.inf, mean))
        low[at], high[at], least, most = np.partition(star, ranks, axis=-1)[:, ranks].T
        own, sign = np.abs(t[at]), np.where(t[at] < 0, -1, 1)
        last = np.where(sign < 0, -least, most)
        tail = (1 + np.sum(star * sign[:, None] >= own[:, None], axis=-1)) / (RESAMPLES + 1)
        p[at] = np.where(own > last, stats.t.sf(own * join / last, n - 1), tail)
    return low, high, np.minimum(1.0, 2 * p)


def _median_limits(least: _Array, most: _Array, confidence: float) -> tuple[_Array, _Array]:
    """Order statistics that hold the median of ``[..., seed]`` known to lie between two bounds."""
    n = least.shape[-1]
    rank = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5)) if n else 0
    if rank < 1:
        return np.full(least.shape[:-1], np.nan), np.full(least.shape[:-1], np.nan)
    low, high = np.sort(least)[..., rank - 1], np.sort(most)[..., n - rank]
    unknown = np.isinf(low) & np.isinf(high)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def _kaplan_meier(times: _Array, end: float) -> float:
    """Median of times that are infinite where not reached by `end`."""
    reached = np.isfinite(times)
    if not reached.any():
        return np.nan
    data = stats.CensoredData(uncensored=times[reached], right=np.full(np.sum(~reached), end))
    sf = stats.ecdf(data).sf
    # Where the curve runs level at one half, the middle of that piece is meant.
    half, below = (sf.quantiles[sf.probabilities < 0.5 + e] for e in (1e-9, -1e-9))
    return float((half[0] + below[0]) / 2) if below.size else np.nan
