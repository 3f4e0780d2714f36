"""What can be said of a result, and how sure: paired differences between paradigms over seeds.

All paradigms share their random streams (law 8), so a seed is a pair, and what its runs have in
common cancels. One seed is one observation; an example is not.
"""

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from jaxattn.analysis.intervals import FOUND, holm, judged, kaplan_meier, median_limits
from jaxattn.analysis.measures import Compared, compared_in
from jaxattn.core.contracts import InputError, Status
from jaxattn.results.stopped_rows import held, known_until

__all__ = ["BEST", "EQUAL", "best_rates", "differences", "swept_in", "times"]

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
    split, parts = _checked(ds, split, confidence), []
    best = _best(ds) if ds.sizes.get("learning_rate", 1) > 1 else None
    for measure in compared_in(ds):
        if (values := _at_end(ds, measure, split)) is None:
            continue
        ends = _ends(ds, values) if measure.spec.of else _ends(ds, values) + np.inf
        label = {"comparison": EQUAL, "measure": measure.spec.name, "split": split}
        label |= {"unit": values.attrs.get("units", "1"), "selection": "none"}
        parts.append(_pairs(values, ends, label))
        if best is not None:
            values = values.where(~_choosing(ds)).isel(learning_rate=best["index"])
            values = values.assign_coords(learning_rate=best["learning_rate"])
            label |= {"comparison": BEST, "selection": best.attrs["selection"]}
            parts.append(_pairs(values, ends.isel(learning_rate=best["index"]), label))
    if not parts:
        return pd.DataFrame(columns=[*_LABELS, *FOUND, "p_holm", "seeds", "verdict"])
    labels, *rows = zip(*parts, strict=True)
    a, b, end = (np.concatenate(each) for each in rows)
    precision = json.loads(ds.attrs.get("spec", "{}")).get("precision", "float32")
    found = judged(a, b, end, float(np.finfo(precision).eps), confidence)
    table = pd.concat(labels, ignore_index=True).assign(**found)
    table["method"] = table["method"].replace({"t": "paired t", "no spread": "sign flips"})
    table["p_holm"], table["comparisons"] = holm(table["p"]), int(table["p"].notna().sum())
    verdict = np.where(table["p_holm"] <= 1 - confidence, "differs", "no difference found")
    table["verdict"] = np.where(table["p"].isna(), "too few seeds", verdict)
    return table


def swept_in(table: pd.DataFrame) -> list[str]:
    """The columns of `differences` that hold what was swept beside the learning rate."""
    names = list(map(str, table.columns))
    return names[names.index("learning_rate_b") + 1 : names.index(FOUND[0])]


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
        InputError: not a result of training, or one without a loss or an axis of rates.
    """
    _checked(ds, None, 0.5)
    if "learning_rate" not in ds.dims:
        raise InputError(
            "best_rates: got rates that move together with other values, expected an axis of "
            "their own; choose by jaxattn.summary instead."
        )
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
    for measure in compared_in(ds):
        if not measure.spec.of or (values := _at_end(ds, measure, split)) is None:
            continue
        first = {
            "measure": measure.spec.name,
            "split": split,
            "unit": values.attrs.get("units", "1"),
        }
        ends = _ends(ds, values)
        for at in np.ndindex(ends.shape[:-1]):
            label = first | {str(dim): ends[at][dim].item() for dim in ends.dims[:-1]}
            kept = ~np.isnan(values.values[at])
            found, end = values.values[at][kept], ends.values[at][kept]
            low, high = median_limits(np.minimum(found, end), found, confidence)
            counts = {"seeds": found.size, "reached": int(np.isfinite(found).sum())}
            counts["end"] = ends.values[at].max()
            median = {"median": kaplan_meier(found, end), "low": low.item(), "high": high.item()}
            rows.append(label | median | counts)
    return pd.DataFrame(rows, columns=None if rows else ["measure", "paradigm", "median"])


# What is read from a Dataset.


def _checked(ds: xr.Dataset, split: str | None, confidence: float) -> str:
    wanted = {"paradigm", "process", "seed", "save", "split"}
    known = wanted <= set(ds.dims) and "learning_rate" in ds.coords
    if not known or "train" not in ds["process"]:
        raise InputError("statistics: expected a result of jaxattn.compare or jaxattn.open.")
    splits = [str(name) for name in ds["split"].values]
    split = split or ("test" if "test" in splits else "train")
    if split not in splits:
        raise InputError(f"split: got {split!r}, expected one of {', '.join(splits)}.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence: got {confidence}, expected a number between 0 and 1.")
    return split


def _at_end(ds: xr.Dataset, measure: Compared, split: str) -> xr.DataArray | None:
    """``[paradigm, swept..., seed]``; NaN: the row did not finish, infinite: time not reached."""
    rule = ds["natural_inference"].drop_vars("natural_inference")
    at = {"process": "train", "split": split, "inference": rule, **measure.part}

    def final(name: str) -> xr.DataArray:
        values = held(ds[name], ds)
        # First, so that a sweep need not read all saves.
        values = values.isel(save=-1) if "save" in values.dims else values
        return values.sel({k: v for k, v in at.items() if k in values.dims})

    if measure.known_by not in ds:
        return None
    values, done = final(measure.variable), Status.ended_well(final("status"))
    if done.any() and final(measure.known_by).where(done).isnull().all():
        return None  # Such as the focus where no foreground is known.
    kept = values.fillna(np.inf) if measure.spec.of else values.where(np.isfinite(values))
    kept = kept.where(done).transpose("paradigm", ..., "seed")
    # A rate that moves together with others is no dimension: it stays as their coordinate.
    stays = {*kept.dims, "learning_rate"}
    kept = kept.drop_vars([name for name in kept.coords if name not in stays])
    return kept.assign_attrs(ds[measure.variable].attrs)


def _ends(ds: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """When the rows of `values` ended, ``[paradigm, swept..., seed]``."""
    ends = known_until(ds.sel(process="train")).reset_coords(drop=True)
    return ends.broadcast_like(values).transpose(*values.dims)


def _choosing(ds: xr.Dataset) -> xr.DataArray:
    return xr.zeros_like(ds["seed"]) + np.argsort(np.argsort(ds["seed"].values)) % 2 == 0


def _best(ds: xr.Dataset) -> xr.Dataset | None:
    """Place and value of the best rate ``[paradigm, swept...]``, and how it was chosen."""
    split = "validation" if "validation" in ds["split"] else "train"
    by_loss = next((one for one in compared_in(ds) if one.spec.name == "loss"), None)
    if by_loss is None or (loss := _at_end(ds, by_loss, split)) is None:
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
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """One row for each pair of paradigms at each point: labels, ``[row, seed]`` thrice."""
    values, ends = (of.transpose("paradigm", ..., "seed") for of in (values, ends))
    grid = ends.isel(seed=0, drop=True)
    first, second = np.triu_indices(grid.sizes["paradigm"], 1)

    def rows(of: xr.DataArray, which: np.ndarray) -> np.ndarray:
        return of.values[which].reshape(-1, *of.shape[grid.ndim :])

    columns: dict[str, Any] = {**label}
    for name in dict.fromkeys(("paradigm", "learning_rate", *map(str, grid.dims))):
        labels = values[name].broadcast_like(grid).transpose(*grid.dims)
        two = name in ("paradigm", "learning_rate")
        columns[f"{name}_a" if two else name] = rows(labels, first)
        if two:
            columns[f"{name}_b"] = rows(labels, second)
    end = np.minimum(rows(ends, first), rows(ends, second))
    return pd.DataFrame(columns), rows(values, first), rows(values, second), end
