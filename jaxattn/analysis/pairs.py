"""Pairs of paradigms seed by seed: what is known of each difference, where times are censored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int

__all__ = ["Paired", "paired", "pairs_of"]

Rows = Float[np.ndarray, "row seed"]


class Paired(NamedTuple):
    """What is known of ``a - b`` in every row: two paradigms at one place, seed by seed."""

    valid: Bool[np.ndarray, "row seed"]
    """Both runs finished."""
    censored: Bool[np.ndarray, " row"]
    """A run of the row did not reach the time that is compared."""
    least: Rows
    """The difference lies between this and `most`, the same where it is known; NaN: not valid."""
    most: Rows
    scores: Rows
    """The difference, or of a censored row its sign where the order of the two is known; 0 where
    nothing is."""
    tiny: Float[np.ndarray, " row"]
    """What two values of the row may differ by for rounding alone."""

    @property
    def seeds(self) -> Int[np.ndarray, " row"]:
        """Pairs of each row."""
        return np.asarray(self.valid.sum(-1))

    @property
    def same(self) -> Bool[np.ndarray, " row"]:
        """No difference in any seed, as before a hybrid's switch; not where no run got there."""
        known = self.valid & (self.least == self.most)
        none = ~self.scores.any(-1) & known.any(-1)
        # Both not reached, in the same seeds: as far as one can see, the same.
        open_both = self.valid & np.isinf(self.least) & np.isinf(self.most)
        return np.asarray(none & (known | open_both | ~self.valid).all(-1))


def paired(a: Rows, b: Rows, end: Rows, rounding: float) -> Paired:
    """Pairs ``[row, seed]``: NaN did not finish, infinite was not reached by `end`.

    Args:
        a: of one paradigm.
        b: of the other.
        end: when the earlier of the two runs ended; infinite of what is no time.
        rounding: a difference up to this share of the values is none.
    """
    a, b = np.where(a > end, np.inf, a), np.where(b > end, np.inf, b)
    valid = ~np.isnan(a) & ~np.isnan(b)
    censored = np.any(valid & (np.isinf(a) | np.isinf(b)), -1)
    with np.errstate(invalid="ignore"):
        # All that is known of a difference is that it lies between these.
        least, most = np.minimum(a, end) - b, a - np.minimum(b, end)
    size = np.where(valid & np.isfinite(a) & np.isfinite(b), np.maximum(np.abs(a), np.abs(b)), 0.0)
    tiny = rounding * size.max(-1, keepdims=True, initial=0.0)
    known = valid & (least == most)
    zero = known & (np.abs(np.where(known, least, 0.0)) <= tiny)
    least, most = (np.where(zero, 0.0, np.where(valid, of, np.nan)) for of in (least, most))
    # Of a time that was reached in the last moment of a run, the other may be as late.
    last = np.where(np.isfinite(end), rounding * end, tiny)
    later, earlier = (a > b) & (most > last), (a < b) & (least < -last)
    signs = later.astype(float) - earlier
    scores = np.where(censored[:, None], signs, np.where(known, least, 0.0))
    return Paired(valid, censored, least, most, np.where(valid, scores, 0.0), tiny[:, 0])


def pairs_of(
    values: xr.DataArray,
    ends: xr.DataArray,
    label: dict[str, str],
    between: Sequence[tuple[str, str]] = (),
) -> tuple[pd.DataFrame, Rows, Rows, Rows]:
    """One row for each pair of paradigms at each place: labels, both sides, and their end.

    Args:
        values: ``[paradigm, swept..., seed]``.
        ends: when runs ended, alike; infinite of what is no time.
        label: columns that are the same in all rows.
        between: pairs of names, of which those that are there are taken; none: all pairs.
    """
    values, ends = (each.transpose("paradigm", ..., "seed") for each in (values, ends))
    grid = ends.isel(seed=0, drop=True)
    names = [str(name) for name in values["paradigm"].values]
    if between:
        there = [pair for pair in between if set(pair) <= set(names)]
        places = [[names.index(pair[side]) for pair in there] for side in (0, 1)]
        first, second = (np.asarray(side, dtype=int) for side in places)
    else:
        first, second = np.triu_indices(len(names), 1)

    def rows(each: xr.DataArray, which: np.ndarray) -> np.ndarray:
        return each.values[which].reshape(-1, *each.shape[grid.ndim :])

    columns: dict[str, Any] = {}
    for name in dict.fromkeys(("paradigm", "learning_rate", *map(str, grid.dims))):
        labels = values[name].broadcast_like(grid).transpose(*grid.dims)
        two = name in ("paradigm", "learning_rate")
        columns[f"{name}_a" if two else name] = rows(labels, first)
        if two:
            columns[f"{name}_b"] = rows(labels, second)
    end = np.minimum(rows(ends, first), rows(ends, second))
    table = pd.DataFrame(columns)
    for place, (name, text) in enumerate(label.items()):
        table.insert(place, name, text)
    return table, rows(values, first), rows(values, second), end
