"""The contrasts of all questions, paired over seeds and judged together: one line each.

All paradigms share their random streams (law 8), so a seed is a pair, and what its runs have in
common cancels. One seed is one observation; an example is not.

**One correction** covers every contrast of every question (`jaxattn.analysis.max_t`): signs of
whole seeds are flipped, and the largest statistic of all contrasts is what each is held against,
step-down. Whoever picks any one line is protected: where paradigms are alike, all of the verdicts
together name a difference in at most 5 % of experiments.

**One comparison**: each paradigm at its own best learning rate (`jaxattn.analysis.best_rates`),
judged on test. What differs at equal rates, and all other measures, are in
`jaxattn.analysis.paired_differences`, without a verdict.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from jaxattn.analysis.best_rates import best_of_rates
from jaxattn.analysis.final_values import checked_split
from jaxattn.analysis.intervals import median_between
from jaxattn.analysis.pairs import paired, pairs_of
from jaxattn.analysis.quantities import Quantity, quantity, rounding_of, theory_of_quantity
from jaxattn.analysis.questions import questions_of
from jaxattn.analysis.verdicts import verdicts
from jaxattn.core.question import Question

__all__ = ["contrasts", "question_records"]

_LABELS = ["question", "title", "a", "b", "measure", "at", "unit", "better", "split", "selection"]
_NUMBERS = ["estimate", "low", "high", "p", "favour", "seeds", "marginal_low", "marginal_high"]

Pairs = Float[np.ndarray, "contrast seed"]


def contrasts(ds: xr.Dataset, split: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """Every contrast of every question: two paradigms, each at its own best learning rate.

    The verdict is ``differs`` where the step-down p is at most 1 - confidence; else ``equal``
    where the interval lies within delta of 0, and ``undecided`` where it does not. The intervals
    hold all together: in a share `confidence` of experiments each of them covers what many seeds
    would give. The end of one that is next to 0 goes by the exact p: where a contrast differs it
    excludes 0 (an end of 5e-324 is one that is open at 0), where it does not it has 0 in it.

    A time that is not reached is censored at the end of the run (of two ends, at the earlier for
    both). Where a contrast has one, its statistic is of the signs of those pairs whose order is
    known, its estimate the median difference (NaN where that is open), and its interval is of
    order statistics, infinite where open.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        split: what to judge on; by default test, or train where there is no test.
        confidence: of all intervals together, and 1 less the error of all verdicts together.

    Returns:
        Columns ``question``, ``title``, ``a``, ``b``, ``learning_rate_a``, ``learning_rate_b``,
        all else swept, ``measure``, ``at`` (see `jaxattn.Question`), ``unit``, ``better`` (more,
        less), ``split``, ``selection`` (of the rates), ``theory_a``, ``theory_b`` (the same of the
        exact theory beside training, of what is asked of the course of a run; else NaN),
        ``delta``, ``estimate`` (a - b), ``estimate_of`` (mean, median), ``low``, ``high``, ``p``,
        ``verdict``, ``favour`` (seeds on the side of the estimate), ``seeds`` (that finished under
        both), ``side`` (sign of the estimate; of an open median, that of most seeds),
        ``marginal_low``, ``marginal_high`` (an interval of its own), ``same`` (0 in every seed so
        far: not counted, p is NaN), ``needed`` (seeds that would decide; NaN where decided or
        never), ``steps`` (the estimate in steps, of times), ``mean_a``, ``mean_b`` (over the same
        seeds; NaN of censored times).

    Raises:
        InputError: not a result of training, no such split, or no such confidence.
    """
    split, parts = checked_split(ds, split, confidence), []
    best = best_of_rates(ds) if ds.sizes.get("learning_rate", 1) > 1 else None
    for question in questions_of(ds):
        if (of := quantity(ds, question, split)) is not None:
            parts += list(_pairs_of_question(ds, question, of, split, best))
    if not parts:
        return pd.DataFrame(columns=[*_LABELS, *_NUMBERS, "verdict", "same", "needed", "steps"])
    labels, *rows = zip(*parts, strict=True)
    a, b, end, steps_a, steps_b = (np.concatenate(each) for each in rows)
    table = pd.concat(labels, ignore_index=True)
    pairs = paired(a, b, end, rounding_of(ds))
    judged = verdicts(pairs, table["delta"].to_numpy(float), 1 - confidence)
    # Of two ends the earlier counts for both, in steps as in time.
    steps_a, steps_b = (
        np.where(time > end, np.inf, steps) for time, steps in ((a, steps_a), (b, steps_b))
    )
    table = table.assign(**judged, steps=_in_steps(steps_a, steps_b, ~pairs.censored))
    means = {}
    for name, side in (("mean_a", a), ("mean_b", b)):
        total = np.where(pairs.valid, side, 0.0).sum(-1)
        means[name] = np.where(pairs.censored, np.nan, total / np.maximum(pairs.seeds, 1))
    return table.assign(**means)


def _pairs_of_question(
    ds: xr.Dataset, question: Question, of: Quantity, split: str, best: xr.Dataset | None
) -> Iterator[tuple[Any, ...]]:
    """Labels, both sides, their end, and both sides in steps, of all pairs and of each place."""
    values, ends, selection = of.values, of.ends, "none"
    steps = _steps_at(ds, values) if of.spec.of else values * np.nan
    if best is not None:
        index, selection = best["index"], str(best.attrs["selection"])
        values, ends, steps = (each.isel(learning_rate=index) for each in (values, ends, steps))
        values = values.assign_coords(learning_rate=best["learning_rate"])
    theory = _theory_like(ds, question, values, best)
    label = {"question": question.name, "title": question.title or question.name}
    labels, a, b, end = pairs_of(values, ends, label, question.between)
    _, steps_a, steps_b, _ = pairs_of(steps, ends, {}, question.between)
    _, theory_a, theory_b, _ = pairs_of(theory, ends, {}, question.between)
    labels = labels.rename(columns={"paradigm_a": "a", "paradigm_b": "b"}).assign(
        measure=question.measure, at=question.at, unit=of.unit, better=of.better, split=split,
        selection=selection, theory_a=theory_a[:, 0], theory_b=theory_b[:, 0],
    )  # fmt: skip
    # What a run gains, or its exponent, has another unit than the measure.
    of_measure = question.at == "end" or not isinstance(question.at, str)
    delta = of.spec.delta if question.delta is None and of_measure else question.delta
    share = of.spec.of and question.delta is None
    delta = np.nan if delta is None else delta
    # A time's own delta is a share of the run.
    yield labels.assign(delta=delta * end.min(-1) if share else delta), a, b, end, steps_a, steps_b


def _theory_like(
    ds: xr.Dataset, question: Question, values: xr.DataArray, best: xr.Dataset | None
) -> xr.DataArray:
    """What the exact theory gives in the places of `values`; NaN where it gives nothing."""
    theory = theory_of_quantity(ds, question)
    if theory is None:
        return values * np.nan
    theory = theory if best is None else theory.isel(learning_rate=best["index"])
    # Its rates are those of `values` already: they are no labels to be matched.
    theory = theory.drop_vars("learning_rate") if best is not None else theory
    return values.copy(data=theory.broadcast_like(values).transpose(*values.dims).values)


def _steps_at(ds: xr.Dataset, times: xr.DataArray) -> xr.DataArray:
    """Times as steps of the row's own run; infinite and NaN stay so."""
    along = []
    for name in ("time", "step"):
        of = ds[name].sel(dynamics="train") if "dynamics" in ds[name].dims else ds[name]
        of = of.reset_coords(drop=True).broadcast_like(times).transpose(*times.dims, "save")
        along.append(of.values.reshape(-1, of.sizes["save"]).astype(float))
    flat = np.asarray(times.values, dtype=float).reshape(-1)
    steps = [np.interp(at, *both) for at, *both in zip(flat, *along, strict=True)]
    return times.copy(data=np.where(np.isfinite(flat), steps, flat).reshape(times.shape))


def _in_steps(a: Pairs, b: Pairs, means: Bool[np.ndarray, " contrast"]) -> np.ndarray:
    valid = ~np.isnan(a) & ~np.isnan(b)
    known = valid.any(-1)
    steps = np.full(len(a), np.nan)
    for row in np.flatnonzero(known):
        x, y = a[row][valid[row]], b[row][valid[row]]
        if means[row]:
            steps[row] = np.mean(x - y)
        else:
            least, most = _bounds(x, y)
            steps[row] = median_between(least[None], most[None])[0]
    return steps


def _bounds(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a difference of steps lies between, where one of them may be infinite."""
    with np.errstate(invalid="ignore"):
        apart = a - b
    unknown = np.isnan(apart)
    return np.where(unknown, -np.inf, apart), np.where(unknown, np.inf, apart)


def question_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The table of `contrasts` as JSON has it: each question with its contrasts.

    Returns:
        Records of ``question``, ``title``, ``measure`` and ``unit`` (those of its first contrast)
        and ``contrasts``: the columns of the table.
    """
    records = []
    for name, group in table.groupby("question", sort=False):
        lines = group.drop(columns=["question", "title"]).to_dict("records")
        first = group.iloc[0]
        head = {key: str(first[key]) for key in ("title", "measure", "unit")}
        records.append({"question": str(name), **head, "contrasts": lines})
    return records
