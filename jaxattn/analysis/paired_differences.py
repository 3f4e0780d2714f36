"""Paired differences of every measure: estimates to look at, without a verdict.

All paradigms share their random streams (law 8), so a seed is a pair, and what its runs have in
common cancels. What is judged, and how its error is controlled, is in `jaxattn.analysis.contrasts`;
an interval here is one on its own, and of many that exclude 0 some do so by chance.
"""

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.best_rates import best_of_rates
from jaxattn.analysis.final_values import checked_split, end_times, final_values
from jaxattn.analysis.intervals import FOUND, kaplan_meier, median_limits, paired_intervals
from jaxattn.analysis.measures import compared_in
from jaxattn.analysis.pairs import paired, pairs_of
from jaxattn.analysis.places import places
from jaxattn.analysis.quantities import rounding_of

__all__ = ["BEST", "EQUAL", "differences", "swept_in", "times"]

EQUAL, BEST = "equal learning_rate", "best"
"""What is compared with what: all at one learning rate, or each at its own best."""

_LABELS = ["comparison", "measure", "split", "unit", "selection", "paradigm_a", "paradigm_b"]


def differences(ds: xr.Dataset, split: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Paired differences a - b between paradigms at the end of training, one line a comparison.

    Accuracy, loss and FTPT are under each paradigm's own inference rule; a pair is a seed that
    finished under both. `comparison` is ``"equal learning_rate"`` (and all else swept equal) or,
    where rates were swept, ``"best"``: each at its own of `best_rates`. `low` to `high` is an
    interval of one difference on its own (see `interval`).

    A time not reached is censored at the end of the run (of two ends, at the earlier for both).
    A run that was stopped as converged ends there: it counts with its values at the stop.
    Where one is, no mean is known, and the interval is that of the *median* difference, by order
    statistics, true whatever the censored times are: infinite where open, NaN where unknown.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        split: what to judge on; by default test, or train where there is no test.
        confidence: of each interval.

    Returns:
        Columns ``comparison``, ``measure``, ``split``, ``unit``, ``selection`` (of the rates),
        ``paradigm_a``, ``paradigm_b``, ``learning_rate_a``, ``learning_rate_b``, all else swept,
        ``mean_difference``, ``median_difference``, ``low``, ``high``, ``effect_size``,
        ``method``, ``interval_of`` (mean, median), ``effect`` (d_z: mean / standard deviation of
        the paired differences; sign balance: share of pairs with a later minus with a earlier),
        ``seeds`` (pairs).

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
        parts.append(pairs_of(values, ends, label))
        if best is not None:
            values = values.isel(learning_rate=best["index"])
            values = values.assign_coords(learning_rate=best["learning_rate"])
            label |= {"comparison": BEST, "selection": best.attrs["selection"]}
            parts.append(pairs_of(values, ends.isel(learning_rate=best["index"]), label))
    if not parts:
        return pd.DataFrame(columns=[*_LABELS, *FOUND, "seeds"])
    labels, *rows = zip(*parts, strict=True)
    a, b, end = (np.concatenate(each) for each in rows)
    pairs = paired(a, b, end, rounding_of(ds))
    table = pd.concat(labels, ignore_index=True)
    table = table.assign(**paired_intervals(pairs, confidence))
    table["method"] = table["method"].replace({"t": "paired t"})
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
