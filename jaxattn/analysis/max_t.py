"""Many contrasts over the same seeds judged at once: sign flips, and the largest statistic.

A row of scores has a number a seed: a paired difference, or the sign of one. Where nothing differs
a seed's scores are as likely as their opposites, all at once, as two paradigms that are alike may
change names within a seed. So the signs of whole seeds are flipped, and what the largest statistic
of all rows is then says how large the observed ones are by chance. Rows stay as correlated as they
are (Westfall and Young, Resampling-Based Multiple Testing, 1993; Romano and Wolf, Econometrica 73,
2005).

The statistic of a row is its self-normalised sum ``|sum d| / sqrt(sum d^2)``: its square root of
squares is the same under all flips, one row's order is that of Student's t, and rows in which
seeds are missing, or are signs, stand beside the others at equal variance, 1.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["DRAWS", "EXACT", "MaxT", "critical_values", "least_p", "max_t"]

EXACT = 12
"""Up to so many seeds all flips are made, 4096 of them."""

DRAWS = 10_000
"""Random flips, where there are more."""

_PLANS = 2_000
"""Draws that say what many seeds would give: of the seeds that would decide two digits are enough.
"""

_NUMBERS = 2**22
"""Statistics held at once: 32 MB."""

_ROUNDING = 1e-9
"""Statistics that differ by this share of them are the same one."""


class MaxT(NamedTuple):
    """What the flips say of every row.

    `statistic` is the observed one, `p` step-down: of a row the p-value of its statistic among all
    rows that are not further out, and no smaller than that of those that are. `planned` is what
    the largest statistic would exceed in a share `level` of experiments with many seeds.
    """

    statistic: Float[np.ndarray, " contrast"]
    p: Float[np.ndarray, " contrast"]
    planned: float


def max_t(scores: Float[np.ndarray, "contrast seed"], level: float) -> MaxT:
    """Step-down p-values of all rows together, exact up to `EXACT` seeds.

    Args:
        scores: finite; 0 where a seed says nothing. No row is 0 throughout.
        level: of `planned`.
    """
    unit = _units(scores)
    statistic = np.abs(unit.sum(-1))
    order = np.argsort(statistic, kind="stable")
    bound = statistic[order, None] * (1 - _ROUNDING)
    exceeded, flips = np.zeros(len(unit)), 0
    for signs in _flips(unit):
        # Of rows that are not further out, the largest.
        largest = np.maximum.accumulate(np.abs(unit[order] @ signs.T), axis=0)
        exceeded += (largest >= bound).sum(-1)
        flips += len(signs)
    # The flip that leaves all as it is was one of the exact ones already.
    own = 0 if _is_exact(unit) else 1
    stepped = (exceeded + own) / (flips + own)
    p = np.empty(len(unit))
    p[order] = np.maximum.accumulate(stepped[::-1])[::-1]
    planned = np.quantile(_normal_maxima(unit), 1 - level)
    return MaxT(statistic, p, float(planned))


def critical_values(residuals: Float[np.ndarray, "contrast seed"], level: float) -> float:
    """What the largest statistic exceeds in a share `level` of all flips, or less.

    About an estimate the flip that leaves all as it is says nothing: it stands for the truth, which
    is one of the flips, and counts as beyond. Infinite where there are too few seeds for the level.

    Args:
        residuals: scores about what they are taken to be centred at; 0 where a seed says nothing.
        level: between 0 and 1.
    """
    unit = _units(residuals)
    maxima = np.concatenate([np.abs(unit @ signs.T).max(0) for signs in _flips(unit)])
    flips = maxima.size + (0 if _is_exact(unit) else 1)
    beyond = int(np.floor(level * flips + _ROUNDING)) - 1
    return float(np.sort(maxima)[::-1][beyond]) if beyond >= 0 else np.inf


def least_p(seeds: int) -> float:
    """The least p-value that so many seeds can give: that of one sign in all of them."""
    return 2.0 ** (1 - seeds) if seeds <= EXACT else 1 / (DRAWS + 1)


def _units(scores: Float[np.ndarray, "contrast seed"]) -> Float[np.ndarray, "contrast seed"]:
    # Scaled first: the square of a small number is 0.
    largest = np.abs(scores).max(-1, keepdims=True)
    scaled = scores / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt(np.sum(scaled**2, -1, keepdims=True))
    return scaled / np.where(norm > 0, norm, 1.0)


def _is_exact(unit: Float[np.ndarray, "contrast seed"]) -> bool:
    return unit.shape[-1] <= EXACT


def _flips(unit: Float[np.ndarray, "contrast seed"]) -> Iterator[Float[np.ndarray, "flip seed"]]:
    """Signs of every seed: all of them, the first one kept (all flipped is none), or drawn."""
    seeds = unit.shape[-1]
    if _is_exact(unit):
        bits = np.arange(2 ** max(seeds - 1, 0))[:, None] >> np.arange(seeds) & 1
        every = 1.0 - 2.0 * bits
    else:
        drawn = _stream("sign flips").choice([-1.0, 1.0], (DRAWS, seeds))
        every = np.asarray(drawn, dtype=float)
    yield from _pieces(every, len(unit))


def _normal_maxima(unit: Float[np.ndarray, "contrast seed"]) -> Float[np.ndarray, " draw"]:
    """The largest statistic of normal variables that are correlated as the rows are."""
    draws = _stream("many seeds").normal(size=(_PLANS, unit.shape[-1]))
    pieces = _pieces(draws, len(unit))
    return np.concatenate([np.abs(unit @ piece.T).max(0) for piece in pieces])


def _pieces(
    draws: Float[np.ndarray, "draw seed"], rows: int
) -> Iterator[Float[np.ndarray, "piece seed"]]:
    size = max(1, _NUMBERS // max(rows, 1))
    for start in range(0, len(draws), size):
        yield draws[start : start + size]


def _stream(name: str) -> np.random.Generator:
    """A generator of its own for each name, always the same draws."""
    return np.random.default_rng(zlib.crc32(name.encode()))
