"""Intervals and p-values of rows of numbers, one number a seed; rows are judged all at once."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["FOUND", "Interval", "holm", "interval", "kaplan_meier", "median_limits", "paired_tests"]

BOOTSTRAP_FROM = 30  # seeds
RESAMPLES = 9_999
TAIL = 10  # Past so many most extreme resamples, p follows Student's tail, scaled to join on.
ROUNDING = 16  # A difference up to so many roundings of the run's precision is none.
_ROWS = 50  # resampled together: 4 MB an array
FOUND = ["mean_difference", "median_difference", "low", "high", "p", "effect_size", "method"]
_Columns = dict[str, np.ndarray]


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
    tests = paired_tests(rows, 0 * rows, end, float(np.finfo(float).eps), confidence)
    shown = (tests[name] for name in ("mean_difference", "low", "high", "method"))
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


def paired_tests(
    a: np.ndarray, b: np.ndarray, end: np.ndarray, eps: float, confidence: float
) -> _Columns:
    """Tests of pairs ``[row, seed]``: NaN did not finish, infinite was not reached by `end`.

    An end is one of a row, or of each of its seeds.
    """
    end = np.broadcast_to(end, a.shape)
    a, b = np.where(a > end, np.inf, a), np.where(b > end, np.inf, b)
    valid = ~np.isnan(a) & ~np.isnan(b)
    censored = np.any(valid & (np.isinf(a) | np.isinf(b)), axis=-1)
    columns = {name: np.full(len(a), np.nan) for name in FOUND}
    columns["method"] = np.full(len(a), "too few seeds", dtype=object)
    for compute, rows in ((_of_means, ~censored), (_of_order, censored)):
        seeds = np.where(rows, valid.sum(-1), 0)
        for n in np.unique(seeds[seeds > 0]):
            at = np.flatnonzero(seeds == n)
            x, y, last = (side[at][valid[at]].reshape(-1, n) for side in (a, b, end))
            for name, column in compute(x, y, last, ROUNDING * eps, confidence).items():
                columns[name][at] = column
    return columns | {
        "interval_of": np.where(censored, "median", "mean"),
        "effect": np.where(censored, "sign balance", "d_z"),
        "seeds": valid.sum(-1),
    }


def _of_means(
    a: np.ndarray, b: np.ndarray, end: np.ndarray, rounding: float, confidence: float
) -> _Columns:
    """Tests of the means of pairs ``[row, seed]`` that are all known."""
    del end
    tiny = rounding * np.maximum(np.abs(a), np.abs(b)).max(-1, keepdims=True)
    d = np.where(np.abs(a - b) <= tiny, 0.0, a - b)
    n, mean = d.shape[-1], d.mean(-1)
    means = {"mean_difference": mean, "median_difference": np.median(d, -1)}
    if n < 2:
        return means
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
    return means | {
        "low": np.where(flat, mean, mean - most * error),
        "high": np.where(flat, mean, mean - least * error),
        # All that is left to go by is that the signs agree: 2 of the 2^n ways to flip them do.
        "p": np.where(zero, 1.0, np.where(flat, 2.0 ** (1 - n), p)),
        "effect_size": np.where(zero, 0.0, np.where(flat, np.nan, mean / sd)),
        "method": method,
    }


def _of_order(
    a: np.ndarray, b: np.ndarray, end: np.ndarray, rounding: float, confidence: float
) -> _Columns:
    """Tests of times ``[row, seed]``, infinite where not reached by `end` ``[row, seed]``."""
    n = a.shape[-1]
    if n < 2:
        return {}
    # All that is known of a difference is that it lies between these.
    least, most = np.minimum(a, end) - b, a - np.minimum(b, end)
    later = np.sum((a > b) & (most > rounding * end), -1)
    earlier = np.sum((a < b) & (least < -rounding * end), -1)
    tail = stats.binom.cdf(np.minimum(later, earlier), later + earlier, 0.5)
    low, high = median_limits(least, most, confidence)
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


def _bootstrap_t(
    z: np.ndarray, t: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def median_limits(
    least: np.ndarray, most: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Order statistics that hold the median of ``[..., seed]`` known to lie between two bounds."""
    n = least.shape[-1]
    rank = int(stats.binom.ppf((1 - confidence) / 2, n, 0.5)) if n else 0
    if rank < 1:
        return np.full(least.shape[:-1], np.nan), np.full(least.shape[:-1], np.nan)
    low, high = np.sort(least)[..., rank - 1], np.sort(most)[..., n - rank]
    unknown = np.isinf(low) & np.isinf(high)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def kaplan_meier(times: np.ndarray, end: float | np.ndarray) -> float:
    """Median of times that are infinite where not reached by `end`, one for all or one each."""
    reached = np.isfinite(times)
    if not reached.any():
        return np.nan
    data = stats.CensoredData(
        uncensored=times[reached], right=np.broadcast_to(end, times.shape)[~reached]
    )
    sf = stats.ecdf(data).sf
    # Where the curve runs level at one half, the middle of that piece is meant.
    half, below = (sf.quantiles[sf.probabilities < 0.5 + e] for e in (1e-9, -1e-9))
    return float((half[0] + below[0]) / 2) if below.size else np.nan
