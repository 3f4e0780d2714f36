"""Intervals and p-values of rows of numbers, one number a seed; rows are judged all at once."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxattn.analysis.pairs import Paired, paired

__all__ = [
    "FOUND",
    "ROUNDING",
    "Interval",
    "interval",
    "kaplan_meier",
    "median_between",
    "median_limits",
    "paired_intervals",
    "share_interval",
    "sign_limits",
]

BOOTSTRAP_FROM = 30  # seeds
RESAMPLES = 9_999
ROUNDING = 16  # A difference up to so many roundings of the run's precision is none.
_ROWS = 50  # resampled together: 4 MB an array
FOUND = ["mean_difference", "median_difference", "low", "high", "effect_size", "method"]
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
    rows, rounding = np.where(np.isfinite(rows), rows, np.nan), ROUNDING * np.finfo(float).eps
    pairs = paired(rows, 0 * rows, np.full_like(rows, np.inf), rounding)
    shown_by = paired_intervals(pairs, confidence)
    shown = (shown_by[name] for name in ("mean_difference", "low", "high", "method"))
    return Interval(*(column.reshape(values.shape[:-1])[()] for column in shown))


def share_interval(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Confidence interval of a share, such as that of the seeds to which something happened.

    Clopper and Pearson's, Biometrika 26, 1934, which has its coverage or more at every share.

    Args:
        count: so many of `total`.
        total: of none, all is NaN.
        confidence: of each interval on its own.
    """
    if total == 0:
        return Interval(np.nan, np.nan, np.nan, "too few seeds")
    from scipy import stats

    found = stats.binomtest(count, total).proportion_ci(confidence, method="exact")
    return Interval(count / total, float(found.low), float(found.high), "Clopper-Pearson")


def paired_intervals(pairs: Paired, confidence: float) -> _Columns:
    """Of each row of pairs an interval on its own, of the mean, or of the median where censored."""
    rows = len(pairs.valid)
    columns = {name: np.full(rows, np.nan) for name in FOUND}
    columns["method"] = np.full(rows, "too few seeds", dtype=object)
    for compute, which in ((_of_means, ~pairs.censored), (_of_order, pairs.censored)):
        seeds = np.where(which, pairs.seeds, 0)
        for n in np.unique(seeds[seeds > 0]):
            at = np.flatnonzero(seeds == n)
            valid = pairs.valid[at]
            sides = (pairs.least, pairs.most, pairs.scores)
            least, most, scores = (side[at][valid].reshape(-1, n) for side in sides)
            given = (least, most, scores, pairs.tiny[at], confidence)
            for name, column in compute(*given).items():
                columns[name][at] = column
    return columns | {
        "interval_of": np.where(pairs.censored, "median", "mean"),
        "effect": np.where(pairs.censored, "sign balance", "d_z"),
        "seeds": pairs.seeds,
    }


def _of_means(
    d: np.ndarray, most: np.ndarray, scores: np.ndarray, tiny: np.ndarray, confidence: float
) -> _Columns:
    """Means of differences ``[row, seed]`` that are all known."""
    del most, scores
    from scipy import stats  # 0.5 s to import; a run does without

    n, mean = d.shape[-1], d.mean(-1)
    means = {"mean_difference": mean, "median_difference": np.median(d, -1)}
    if n < 2:
        return means
    zero, flat = ~d.any(-1), np.ptp(d, -1) <= tiny
    sd = np.where(flat, 1.0, d.std(-1, ddof=1))
    error = sd / np.sqrt(n)
    most = np.full(len(d), stats.t.isf((1 - confidence) / 2, n - 1))
    least = -most
    method = np.full(len(d), "t", dtype=object)
    if n >= BOOTSTRAP_FROM:
        low, high = _bootstrap_t((d - mean[:, None]) / sd[:, None], confidence)
        usable = np.isfinite(low) & np.isfinite(high)
        least = np.where(usable, np.minimum(low, least), least)
        most = np.where(usable, np.maximum(high, most), most)
        method[:] = np.where(usable, "bootstrap-t", "t (resamples degenerate)")
    method[flat] = "no spread"
    return means | {
        "low": np.where(flat, mean, mean - most * error),
        "high": np.where(flat, mean, mean - least * error),
        "effect_size": np.where(zero, 0.0, np.where(flat, np.nan, mean / sd)),
        "method": method,
    }


def _of_order(
    least: np.ndarray, most: np.ndarray, scores: np.ndarray, tiny: np.ndarray, confidence: float
) -> _Columns:
    """Medians of differences ``[row, seed]`` that lie between two bounds; `scores` are signs."""
    del tiny
    if least.shape[-1] < 2:
        return {}
    low, high = median_limits(least, most, confidence)
    method = np.full(len(least), "order statistics of censored times", dtype=object)
    method[np.isnan(low)] += ", no interval"
    return {
        "median_difference": median_between(least, most),
        "low": low,
        "high": high,
        "effect_size": scores.mean(-1),
        "method": method,
    }


def median_between(least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """The median of ``[..., seed]`` known to lie between two bounds; NaN where that leaves it open.

    Seeds of which nothing is known, NaN, are left out.
    """
    with np.errstate(invalid="ignore"):
        low, high = (np.nanmedian(side, axis=-1) for side in (least, most))
    return np.where((low == high) & np.isfinite(low), low, np.nan)


def sign_limits(
    least: np.ndarray, most: np.ndarray, critical: float
) -> tuple[np.ndarray, np.ndarray]:
    """All medians of ``[row, seed]`` that its signs do not refute; infinite where open.

    A median is refuted where so many seeds lie above it, or so many below, that the
    self-normalised sum of all their signs is above `critical`, wherever those lie of which it is
    not known. So the ends are order statistics.

    Args:
        least: each value lies between this and `most`; NaN: there is no such seed.
        most: as `least`.
        critical: of a self-normalised sum of signs.
    """
    low, high = np.full(len(least), -np.inf), np.full(len(least), np.inf)
    for row, (lowest, highest) in enumerate(zip(least, most, strict=True)):
        lowest, highest = (np.sort(side[~np.isnan(side)]) for side in (lowest, highest))
        n = lowest.size
        # The fewest on one side of n with 2 fewest - n > critical sqrt(n).
        fewest = np.floor((n + critical * np.sqrt(n)) / 2 * (1 + 1e-9)) + 1
        if fewest <= n:
            low[row], high[row] = lowest[n - int(fewest)], highest[int(fewest) - 1]
    return low, high


def _bootstrap_t(z: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of t over resamples of rows `z` of mean 0 and standard deviation 1."""
    n = z.shape[-1]
    draws = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    draws += n * np.arange(RESAMPLES)[:, None]
    weights = np.bincount(draws.ravel(), minlength=n * RESAMPLES).reshape(RESAMPLES, n).T / n
    rank = max(1, round((RESAMPLES + 1) * (1 - confidence) / 2))
    ranks = [rank - 1, RESAMPLES - rank]
    low, high = np.empty((2, len(z)))
    for at in (slice(start, start + _ROWS) for start in range(0, len(z), _ROWS)):
        mean = z[at] @ weights
        spread = np.sqrt(np.maximum(z[at] ** 2 @ weights - mean**2, 0) / (n - 1))
        # A resample of equal values knows no spread: it is as far out as can be.
        star = mean / np.maximum(spread, 1e-7)
        star = np.where(spread > 1e-7, star, np.copysign(np.inf, mean))
        low[at], high[at] = np.partition(star, ranks, axis=-1)[:, ranks].T
    return low, high


def median_limits(
    least: np.ndarray, most: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Order statistics that hold the median of ``[..., seed]`` known to lie between two bounds."""
    from scipy import stats

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
    from scipy import stats

    data = stats.CensoredData(
        uncensored=times[reached], right=np.broadcast_to(end, times.shape)[~reached]
    )
    sf = stats.ecdf(data).sf
    # Where the curve runs level at one half, the middle of that piece is meant.
    half, below = (sf.quantiles[sf.probabilities < 0.5 + e] for e in (1e-9, -1e-9))
    return float((half[0] + below[0]) / 2) if below.size else np.nan
