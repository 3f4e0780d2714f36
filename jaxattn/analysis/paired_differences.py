"""What can be said of a result, and how sure: paired differences between paradigms over seeds.

All paradigms share their random streams (law 8), so a seed is a pair, and what its runs have in
common cancels. One seed is one observation; an example is not.

One correction holds for a whole result: Holm's, over every comparison that `differences` makes, of
all measures, rates and pairs. At 8 seeds it is strict, and a sentence then says that no difference
was found and names the pair that came near; but whoever picks any one line of the table is still
protected.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.best_rates import best_of_rates, choosing_seeds
from jaxattn.analysis.final_values import checked_split, end_times, final_values
from jaxattn.analysis.intervals import FOUND, holm, kaplan_meier, median_limits, paired_tests
from jaxattn.analysis.measures import compared_in
from jaxattn.analysis.places import places
from jaxattn.results.dataset import spec_of

__all__ = ["BEST", "EQUAL", "differences", "swept_in", "times"]

EQUAL, BEST = "equal learning_rate", "best"
"""What is compared with what: all at one learning rate, or each at its own best."""

_LABELS = ["comparison", "measure", "split", "unit", "selection", "paradigm_a", "paradigm_b"]


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
    A run that was stopped as converged ends there: it counts with its values at the stop.
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
    split, parts = checked_split(ds, split, confidence), []
    best = best_of_rates(ds) if ds.sizes.get("learning_rate", 1) > 1 else None
    for measure in compared_in(ds):
        if (values := final_values(ds, measure, split)) is None:
            continue
        ends = end_times(ds, values) if measure.spec.of else end_times(ds, values) + np.inf
        label = {"comparison": EQUAL, "measure": measure.spec.name, "split": split}
        label |= {"unit": values.attrs.get("units", "1"), "selection": "none"}
        parts.append(_pairs(values, ends, label))
        if best is not None:
            values = values.where(~choosing_seeds(ds)).isel(learning_rate=best["index"])
            values = values.assign_coords(learning_rate=best["learning_rate"])
            label |= {"comparison": BEST, "selection": best.attrs["selection"]}
            parts.append(_pairs(values, ends.isel(learning_rate=best["index"]), label))
    if not parts:
        return pd.DataFrame(columns=[*_LABELS, *FOUND, "p_holm", "seeds", "verdict"])
    labels, *rows = zip(*parts, strict=True)
    a, b, end = (np.concatenate(each) for each in rows)
    precision = spec_of(ds).get("precision", "float32")
    tests = paired_tests(a, b, end, float(np.finfo(precision).eps), confidence)
    table = pd.concat(labels, ignore_index=True).assign(**tests)
    table["method"] = table["method"].replace({"t": "paired t", "no spread": "sign flips"})
    table["p_holm"], table["comparisons"] = holm(table["p"]), int(table["p"].notna().sum())
    verdict = np.where(table["p_holm"] <= 1 - confidence, "differs", "no difference found")
    table["verdict"] = np.where(table["p"].isna(), "too few seeds", verdict)
    return table


def swept_in(table: pd.DataFrame) -> list[str]:
    """The columns of `differences` that hold what was swept beside the learning rate."""
    names = list(map(str, table.columns))
    return names[names.index("learning_rate_b") + 1 : names.index(FOUND[0])]


def times(ds: xr.Dataset, split: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Median times to focus and to fit by Kaplan-Meier, censored at the end of each run.

    Returns:
        Columns ``measure``, ``split``, ``unit``, ``paradigm``, the swept hyperparameters,
        ``median`` (NaN where half never get there), ``low``, ``high`` (order statistics; infinite
        where open, NaN below 6 seeds at 95 %), ``seeds`` that finished, ``reached``, ``end``.

    Raises:
        InputError: not a result of training, no such split, or no such confidence.
    """
    split, rows = checked_split(ds, split, confidence), []
    for measure in compared_in(ds):
        if not measure.spec.of or (values := final_values(ds, measure, split)) is None:
            continue
        ends, unit = end_times(ds, values), values.attrs.get("units", "1")
        for labels, at in places(ends, "seed"):
            reached, end = values[at].values, ends[at].values
            finished = ~np.isnan(reached)
            reached, last = reached[finished], end[finished]
            low, high = median_limits(np.minimum(reached, last), reached, confidence)
            rows.append(
                {
                    **{"measure": measure.spec.name, "split": split, "unit": unit},
                    **labels,
                    "median": kaplan_meier(reached, last),
                    "low": low.item(),
                    "high": high.item(),
                    "seeds": reached.size,
                    "reached": int(np.isfinite(reached).sum()),
                    "end": end.max(),
                }
            )
    return pd.DataFrame(rows, columns=None if rows else ["measure", "paradigm", "median"])


def _pairs(
    values: xr.DataArray, ends: xr.DataArray, label: dict[str, str]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """One row for each pair of paradigms at each point: labels, ``[row, seed]`` thrice."""
    values, ends = (each.transpose("paradigm", ..., "seed") for each in (values, ends))
    grid = ends.isel(seed=0, drop=True)
    first, second = np.triu_indices(grid.sizes["paradigm"], 1)

    def rows(each: xr.DataArray, which: np.ndarray) -> np.ndarray:
        return each.values[which].reshape(-1, *each.shape[grid.ndim :])

    columns: dict[str, Any] = {**label}
    for name in dict.fromkeys(("paradigm", "learning_rate", *map(str, grid.dims))):
        labels = values[name].broadcast_like(grid).transpose(*grid.dims)
        two = name in ("paradigm", "learning_rate")
        columns[f"{name}_a" if two else name] = rows(labels, first)
        if two:
            columns[f"{name}_b"] = rows(labels, second)
    end = np.minimum(rows(ends, first), rows(ends, second))
    return pd.DataFrame(columns), rows(values, first), rows(values, second), end
