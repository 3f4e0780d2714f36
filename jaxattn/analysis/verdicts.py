"""Three verdicts by one rule, of many contrasts over the same seeds: differs, equal, undecided."""

import numpy as np
from jaxtyping import Bool, Float

from jaxattn.analysis.intervals import paired_intervals, sign_limits
from jaxattn.analysis.max_t import critical_values, max_t
from jaxattn.analysis.pairs import Paired

__all__ = ["verdicts"]

Column = Float[np.ndarray, " contrast"]


def verdicts(pairs: Paired, delta: Column, level: float) -> dict[str, np.ndarray]:
    """All columns of `jaxattn.analysis.contrasts.contrasts` that are computed from pairs.

    Args:
        pairs: rows are contrasts.
        delta: contrasts no further from 0 than this are equal; NaN: they never are.
        level: the error of all verdicts together.
    """
    marginal = paired_intervals(pairs, 1 - level)
    scores, censored, seeds, same = pairs.scores, pairs.censored, pairs.seeds, pairs.same
    means = marginal["mean_difference"]
    estimate = np.where(censored, marginal["median_difference"], means)
    counted = scores.any(-1) & (seeds >= 2)
    p, planned = np.full(len(seeds), np.nan), np.nan
    low, high = (np.where(same, 0.0, np.nan) for _ in range(2))
    if counted.any():
        tests = max_t(scores[counted], level)
        p[counted], planned = tests.p, tests.planned
        critical = critical_values(_centred(pairs)[counted], level)
        mean, order = counted & ~censored, counted & censored
        low[mean], high[mean] = _limits_of_means(pairs, critical, mean)
        low[order], high[order] = sign_limits(pairs.least[order], pairs.most[order], critical)
    differs = p <= level
    side = np.sign(scores.sum(-1))
    low, high = _agreeing(low, high, side, counted, differs)
    equal = same | (~differs & (low >= -delta) & (high <= delta))
    side = np.where(np.isfinite(estimate), np.sign(estimate), side)
    undecided = counted & ~differs & ~equal
    return {
        "estimate": estimate,
        "estimate_of": marginal["interval_of"],
        "low": low,
        "high": high,
        "p": p,
        "verdict": np.where(differs, "differs", np.where(equal, "equal", "undecided")),
        "favour": np.sum((np.sign(scores) == side[:, None]) & (side[:, None] != 0), -1),
        "seeds": seeds,
        "side": side,
        "marginal_low": marginal["low"],
        "marginal_high": marginal["high"],
        "same": same,
        "needed": np.where(undecided, _needed(pairs, means, delta, planned), np.nan),
    }


def _centred(pairs: Paired) -> Float[np.ndarray, "contrast seed"]:
    """Scores about the estimate: what they would be if that were the truth."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = pairs.scores.sum(-1, keepdims=True) / pairs.seeds[:, None]
        known = pairs.valid.any(-1, keepdims=True)
        low, high = (
            np.nanmedian(np.where(known, side, 0.0), -1, keepdims=True)
            for side in (pairs.least, pairs.most)
        )
    # An open median lies at least as far as its known end.
    middle = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    signs = (pairs.least > middle).astype(float) - (pairs.most < middle)
    centred = np.where(pairs.censored[:, None], signs, pairs.scores - mean)
    return np.where(pairs.valid, centred, 0.0)


def _limits_of_means(
    pairs: Paired, critical: float, rows: Bool[np.ndarray, " contrast"]
) -> tuple[np.ndarray, np.ndarray]:
    """All means about which the statistic is at most `critical`."""
    scores, seeds = pairs.scores[rows], pairs.seeds[rows]
    mean = scores.sum(-1) / seeds
    about = np.where(pairs.valid[rows], scores - mean[:, None], 0.0)
    room = seeds - critical**2
    with np.errstate(divide="ignore", invalid="ignore"):
        half = critical * np.sqrt(np.sum(about**2, -1) / seeds / room)
    half = np.where(room > 0, half, np.inf)
    return mean - half, mean + half


def _agreeing(
    low: Column, high: Column, side: Column, counted: np.ndarray, differs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Intervals whose end next to 0 says what the exact test says.

    Step-down, a contrast may differ whose interval, which holds together with all others, reaches
    over 0: that the other side is refuted holds too (Holm, Multiple confidence sets based on
    stagewise tests, JASA 94, 1999).
    """
    past_0 = np.nextafter(0.0, 1.0)
    low = np.where(differs & (side > 0), np.maximum(low, past_0), low)
    high = np.where(differs & (side < 0), np.minimum(high, -past_0), high)
    level = counted & ~differs
    low = np.where(level, np.minimum(low, 0.0), low)
    return low, np.where(level, np.maximum(high, 0.0), high)


def _needed(pairs: Paired, means: Column, delta: Column, planned: float) -> Column:
    """Seeds that would tell a contrast from 0, or from delta, if it went on as it does."""
    seeds = pairs.seeds
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, square = pairs.scores.sum(-1) / seeds, np.sum(pairs.scores**2, -1) / seeds
        differ = planned**2 * square / mean**2
        # Of censored times no mean is known.
        room = delta - np.abs(np.where(pairs.censored, np.nan, means))
        alike = planned**2 * (1 + (square - mean**2) / np.where(room > 0, room, np.nan) ** 2)
        fewest = np.ceil(np.fmin(differ, alike))
    return np.where(np.isfinite(fewest), np.maximum(fewest, seeds + 1.0), np.nan)
