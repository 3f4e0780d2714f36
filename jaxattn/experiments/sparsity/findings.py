"""The table of attention maps in numbers and in sentences, both made from its Dataset alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.intervals import interval
from jaxattn.analysis.pairs import paired
from jaxattn.analysis.quantities import rounding_of
from jaxattn.analysis.verdicts import verdicts
from jaxattn.analysis.wording import interval_words, listed, number_words
from jaxattn.experiments.sparsity.published import published
from jaxattn.experiments.sparsity.statistic import COLUMNS, ends_of, task_of
from jaxattn.experiments.wording import Line

__all__ = ["findings", "numbers"]

_RIVAL = "softmax"
_LEVEL = 0.05


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each learning rate, map and column of the table, of held-out mosaics.

    The mean over the seeds that finished with a 95 % interval of its own; how much more it is than
    under softmax from the same starts, with an interval and a verdict that hold together with all
    others; and ``published``, the predecessor's mean on the same images, of another protocol.
    """
    ends = ends_of(ds)
    against = _against_softmax(ends, rounding_of(ds))
    lines = []
    for rate in ends["learning_rate"].values:
        for attention in map(str, ends["attention"].values):
            for name, column in COLUMNS.items():
                values = ends[name].sel(learning_rate=rate, attention=attention).values
                found = interval(values)
                lines.append(
                    {
                        "learning_rate": float(rate),
                        "attention": attention,
                        "measure": name,
                        "unit": column.unit,
                        "mean": float(found.mean),
                        "low": float(found.low),
                        "high": float(found.high),
                        "seeds": int(np.isfinite(values).sum()),
                        "against_softmax": against.get((float(rate), attention, name)),
                        "published": published(task_of(ds), attention, name),
                    }
                )
    return lines


def _against_softmax(ends: xr.Dataset, rounding: float) -> dict[tuple[float, str, str], Line]:
    """Each map less softmax, seed by seed, by rate, map and column; all judged together."""
    names = [str(name) for name in ends["attention"].values]
    if _RIVAL not in names:
        return {}
    places = [
        (float(rate), attention, name)
        for rate in ends["learning_rate"].values
        for attention in names
        for name in COLUMNS
        if attention != _RIVAL
    ]

    def rows(of: Any) -> np.ndarray:
        return np.stack(
            [ends[n].sel(learning_rate=rate, attention=of(a)).values for rate, a, n in places]
        )

    if not places:
        return {}
    one, other = rows(lambda attention: attention), rows(lambda _: _RIVAL)
    delta = np.array([COLUMNS[name].delta for _, _, name in places])
    pairs = paired(one, other, np.full_like(one, np.inf), rounding)
    judged = verdicts(pairs, delta, _LEVEL)
    told = {"difference": "estimate", "low": "low", "high": "high", "needed": "needed"}
    return {
        place: {name: float(judged[column][at]) for name, column in told.items()}
        | {"verdict": str(judged["verdict"][at])}
        for at, place in enumerate(places)
    }


def findings(ds: xr.Dataset) -> list[str]:
    """What each map ends with, and of each column which maps differ from softmax."""
    lines = [line for line in numbers(ds) if line["seeds"]]
    return [*_table(lines), *_differences(lines)]


def _table(lines: list[Line]) -> Iterator[str]:
    for rate, attention in dict.fromkeys((x["learning_rate"], x["attention"]) for x in lines):
        own = [x for x in lines if (x["learning_rate"], x["attention"]) == (rate, attention)]
        parts = [
            f"{COLUMNS[x['measure']].words} {_value(x['mean'], x['unit'])} "
            f"({number_words(x['low'])} to {number_words(x['high'])})"
            for x in own
        ]
        seeds = min(x["seeds"] for x in own)
        yield f"{attention}, rate {rate:g}, {seeds} seeds: {', '.join(parts)}."


def _differences(lines: list[Line]) -> Iterator[str]:
    for name, column in COLUMNS.items():
        groups: dict[str, list[str]] = {}
        for line in (x for x in lines if x["measure"] == name and x["against_softmax"]):
            found = line["against_softmax"]
            word, who = found["verdict"], line["attention"]
            if word == "differs":
                word = "more" if found["difference"] > 0 else "less"
                reach = interval_words(found["low"], found["high"])
                who += f" ({_value(found['difference'], column.unit)} {reach})"
            groups.setdefault(word, []).append(who)
        if groups:
            parts = [f"{word} with {listed(who)}" for word, who in groups.items()]
            yield f"{column.words}, against softmax: {'; '.join(parts)}."


def _value(value: float, unit: str) -> str:
    return f"{number_words(value)} {unit}".rstrip()
