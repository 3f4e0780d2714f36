"""Estimators of hard attention in numbers and in sentences, from the Dataset alone."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.intervals import interval
from jaxattn.analysis.pairs import paired
from jaxattn.analysis.quantities import rounding_of
from jaxattn.analysis.verdicts import verdicts
from jaxattn.analysis.wording import capital, interval_words, number_words
from jaxattn.core.contracts import Status
from jaxattn.experiments.sampled.estimators import EXACT, Estimator, estimators_of
from jaxattn.experiments.wording import Line

__all__ = ["ends_of", "findings", "numbers"]

_GRADIENT = {"along": "along the exact one", "bias": "squared bias", "variance": "variance"}
_RATIO = "variance over that without a baseline"
_ENDS = {"time_to_focus": "time to focus", "accuracy": "accuracy"}
_COLUMNS = (
    *("what", "estimator", "part", "step", "learning_rate"),
    *("estimate", "low", "high", "seeds", "verdict"),
)
_DELTAS = {"time_to_focus": 0.05, "accuracy": 1.0}
"""What counts as equal: 5 % of the time to focus of hard attention, one point of accuracy."""
_LEVEL = 0.05


def numbers(ds: xr.Dataset) -> list[Line]:
    """Lines of gradients, by estimator, part and step, and of runs, by estimator and learning rate.

    - of a gradient, how far its mean goes ``along the exact one``, its ``squared bias`` and the
      ``variance`` of one draw, as shares of the exact one and of its square; and the variance of
      REINFORCE's with a baseline ``over that without``, a geometric mean
    - of runs, on held-out mosaics: ``time to focus`` of the seeds that focus, and ``accuracy`` at
      the end in percent; then both ``less that of hard`` from the same starts, with a verdict

    Means over so many seeds with 95 % intervals of their own; those less that of hard hold
    together. Every line has the same keys. An interrupted run gives what it got to.
    """
    return [*_of_gradients(ds), *_of_runs(ds)]


def _line(**known: Any) -> Line:
    return dict.fromkeys(_COLUMNS) | known


def _mean(values: np.ndarray) -> Line:
    """Mean and interval over seeds; None where there is none."""
    values = np.where(np.isfinite(values), values, np.nan)
    seeds = int(np.isfinite(values).sum())
    found = interval(values)[:3] if seeds else (np.nan,) * 3
    named = zip(("estimate", "low", "high"), map(float, found), strict=True)
    return {name: value if np.isfinite(value) else None for name, value in named} | {"seeds": seeds}


def _of_gradients(ds: xr.Dataset) -> Iterator[Line]:
    if "along" not in ds:
        return
    parts, steps = map(str, ds["part"].values), map(int, ds["look"].values)
    every = estimators_of(ds)
    (alone, *_), beside = (
        [one.label for one in every if one.paradigm == "reinforce" and one.has_baseline is has]
        for has in (False, True)
    )
    for part, step in product(parts, list(steps)):
        at = ds.sel(part=part, look=step)
        for one in every:
            for name, what in _GRADIENT.items():
                found = _mean(at[name].sel(estimator=one.label).values)
                yield _line(what=what, estimator=one.label, part=part, step=step, **found)
        for label in beside:
            pair = (at["variance"].sel(estimator=name).values for name in (label, alone))
            found = _mean(np.subtract(*map(np.log, pair)))
            for end in ("estimate", "low", "high"):
                found[end] = None if found[end] is None else float(np.exp(found[end]))
            yield _line(what=_RATIO, estimator=label, part=part, step=step, **found)


def ends_of(ds: xr.Dataset, one: Estimator) -> xr.Dataset:
    """Time to focus (infinite: never) and accuracy at the end, ``[learning_rate, seed]``.

    On held-out mosaics by the paradigm's own rule of inference; NaN of runs that did not finish.
    """
    runs = one.of(ds).sel(dynamics="train", split="test").isel(segments=0)
    rule = str(ds["natural_inference"].sel(paradigm=one.paradigm).values)
    values = {
        "time_to_focus": runs["time_to_focus"].fillna(np.inf),
        "accuracy": runs["accuracy"].sel(inference=rule).isel(save=-1),
    }
    done = runs["status"] == Status.DONE
    kept = {name: at.where(done).reset_coords(drop=True) for name, at in values.items()}
    return xr.Dataset(kept).transpose("learning_rate", "seed")


def _of_runs(ds: xr.Dataset) -> Iterator[Line]:
    every = [Estimator(EXACT, EXACT, {}), *estimators_of(ds)]
    ends = [ends_of(ds, one) for one in every]
    judged = _against_exact(ds, ends)
    for at, (one, end) in enumerate(zip(every, ends, strict=True)):
        for place, rate in enumerate(map(float, end["learning_rate"].values)):
            for name, what in _ENDS.items():
                here = {"estimator": one.label, "learning_rate": rate}
                yield _line(what=what, **here, **_mean(end[name].values[place]))
                if at:
                    yield _line(what=_less(what), **here, **judged[name, at, place])


def _less(what: str) -> str:
    return f"{what} less that of hard"


def _against_exact(ds: xr.Dataset, ends: Sequence[xr.Dataset]) -> dict[tuple[str, int, int], Line]:
    """Each estimator less the exact one, seed by seed, by measure, estimator and rate.

    One correction covers both measures.
    """
    rates = ends[0].sizes["learning_rate"]
    table = list(product(_ENDS, range(1, len(ends)), range(rates)))
    a, b = (
        np.stack([ends[at if mine else 0][name].values[rate] for name, at, rate in table])
        for mine in (True, False)
    )
    stops = _last_times(ds)
    times = np.array([name == "time_to_focus" for name, _, _ in table])
    end = np.where(times, [stops[rate] for _, _, rate in table], np.inf)
    usual = [np.mean(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in b]
    delta = np.array([_DELTAS[name] for name, _, _ in table]) * np.where(times, usual, 1.0)
    pairs = paired(a, b, np.broadcast_to(end[:, None], a.shape), rounding_of(ds))
    judged = verdicts(pairs, delta, _LEVEL)
    return {
        place: {key: float(judged[key][row]) for key in ("estimate", "low", "high")}
        | {"seeds": int(judged["seeds"][row]), "verdict": str(judged["verdict"][row])}
        for row, place in enumerate(table)
    }


def _last_times(ds: xr.Dataset) -> np.ndarray:
    """When runs end, by learning rate."""
    last = ds["time"].max("save")
    last = last.isel(dict.fromkeys(set(last.dims) - {"learning_rate"}, 0))
    return np.broadcast_to(last.values, (ds.sizes["learning_rate"],))


def findings(ds: xr.Dataset) -> list[str]:
    """Bias and variance of each estimator, what a baseline saves, and what runs cost."""
    lines = numbers(ds)
    of_gradients = [line for line in lines if line["part"] is not None]
    pairs = dict.fromkeys((line["part"], line["estimator"]) for line in of_gradients)
    said = [
        _gradient_words([x for x in of_gradients if (x["part"], x["estimator"]) == pair])
        for pair in pairs
    ]
    for part in dict.fromkeys(part for part, _ in pairs):
        said += _baseline_words([x for x in of_gradients if x["part"] == part])
    of_runs = [line for line in lines if line["part"] is None]
    return [*said, *_run_words(of_runs, ds.sizes["seed"])]


def _estimate(line: Line, unit: str = "") -> str:
    if line["estimate"] is None or np.isnan(line["estimate"]):
        return "not known"
    low, high = (np.nan if line[end] is None else line[end] for end in ("low", "high"))
    return " ".join(
        word for word in (number_words(line["estimate"]), interval_words(low, high), unit) if word
    )


def _gradient_words(rows: Sequence[Line]) -> str:
    """Of one estimator and part, at the first and at the last look."""
    steps = dict.fromkeys((rows[0]["step"], rows[-1]["step"]))
    parts = [
        f"at step {step} "
        + ", ".join(
            f"{what} {_estimate(x)}"
            for what in _GRADIENT.values()
            for x in rows
            if (x["what"], x["step"]) == (what, step)
        )
        for step in steps
    ]
    name = f"{capital(rows[0]['estimator'])}, gradient of {rows[0]['part']}"
    return f"{name}, in shares of the exact one and its square: {'; '.join(parts)}."


def _baseline_words(rows: Sequence[Line]) -> Iterator[str]:
    for name in dict.fromkeys(row["estimator"] for row in rows if row["what"] == _RATIO):
        chosen = [x for x in rows if (x["what"], x["estimator"]) == (_RATIO, name)]
        words = ", ".join(f"{_estimate(row)} at step {row['step']}" for row in chosen)
        yield (
            f"A baseline at the mean loss multiplies the variance of REINFORCE's gradient of "
            f"{rows[0]['part']} by {words}."
        )


def _run_words(lines: Sequence[Line], seeds: int) -> Iterator[str]:
    found = {(x["what"], x["estimator"], x["learning_rate"]): x for x in lines}
    focus, right = _ENDS.values()
    for what, name, rate in found:
        if what != focus or name == EXACT:
            continue
        mine, exact = (found[focus, who, rate] for who in (name, EXACT))
        later, less = (found[_less(one), name, rate] for one in (focus, right))
        takes, right_is = _estimate(exact), _estimate(found[right, EXACT, rate], "%")
        yield (
            f"{capital(name)}, rate {rate:g}: {mine['seeds']} of {seeds} seeds focus (hard: "
            f"{exact['seeds']}). Time to focus less hard's, {takes}: {_estimate(later)}, "
            f"{later['verdict']}. Accuracy less hard's, {right_is}: {_estimate(less, 'points')}, "
            f"{less['verdict']}."
        )
