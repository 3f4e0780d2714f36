"""The trap of the class that is left in numbers and in sentences, from its Dataset alone."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.intervals import interval, share_interval
from jaxattn.analysis.pairs import paired, pairs_of
from jaxattn.analysis.quantities import rounding_of
from jaxattn.analysis.verdicts import verdicts
from jaxattn.analysis.wording import capital, interval_words, listed, number_words
from jaxattn.experiments.trap.statistic import MOST_BY_CHANCE, trap_of
from jaxattn.experiments.wording import Line, band_of

__all__ = ["findings", "most_apart", "numbers"]

_SETTING = ("classes", "segments", "learning_rate")
_RIVAL = "soft"
_DELTA = 0.01
"""Runs that are trapped as far as this are alike: what counts so of every share."""
_LEVEL = 0.05


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each number of classes, length, learning rate and paradigm.

    Of held-out mosaics at the end of training, by the paradigm's own rule, over the seeds that
    finished: median and `BAND` of FTPT and FFPT in percent; how far runs are trapped, its mean with
    a 95 % interval of its own; how many seeds are trapped (`MOST_BY_CHANCE`), the exact interval of
    their share, how many of them do not focus on the other classes either, and the class that most
    of them are trapped in. Then how much further it is trapped than soft attention from the same
    starts, with an interval and a verdict that hold together with all others.
    """
    of_all = trap_of(ds)
    against = _against_soft(of_all, rounding_of(ds))
    lines = []
    for *place, name in product(*(ds[axis].values for axis in (*_SETTING, "paradigm"))):
        at = dict(zip((*_SETTING, "paradigm"), (*place, name), strict=True))
        setting = dict(zip(_SETTING, map(lambda value: value.item(), place), strict=True))
        line: Line = {**setting, "paradigm": str(name), **_counted(of_all.sel(at))}
        lines.append({**line, "against_soft": against.get((*setting.values(), str(name)))})
    return lines


def _counted(run: xr.Dataset) -> Line:
    """Of all seeds of one setting and paradigm."""
    known = np.isfinite(run["trap"].values)
    trap, left, others = (run[name].values[known] for name in ("trap", "left", "others"))
    trapped = trap > MOST_BY_CHANCE
    share, far = share_interval(int(trapped.sum()), trap.size), interval(trap)
    classes, counts = np.unique(left[trapped], return_counts=True)
    return {
        "seeds": int(trap.size),
        **{name: band_of(run[name].values[known]) for name in ("FTPT", "FFPT")},
        "trap": {"mean": float(far.mean), "low": float(far.low), "high": float(far.high)},
        "trapped": {
            "seeds": int(trapped.sum()),
            "low": share.low,
            "high": share.high,
            "without_others": int((trapped & (others <= MOST_BY_CHANCE)).sum()),
            "class": int(classes[counts.argmax()]) if classes.size else None,
        },
    }


def _against_soft(of_all: xr.Dataset, rounding: float) -> dict[tuple[Any, ...], Line]:
    """Each paradigm less soft attention, seed by seed, by setting and paradigm."""
    trap = of_all["trap"]
    rivals = [(str(n), _RIVAL) for n in trap["paradigm"].values if str(n) != _RIVAL]
    table, a, b, end = pairs_of(trap, xr.full_like(trap, np.inf), {}, rivals)
    judged = verdicts(paired(a, b, end, rounding), np.full(len(table), _DELTA), _LEVEL)
    found = {}
    for place, row in enumerate(table.to_dict("records")):
        line = {"difference": judged["estimate"][place]}
        line |= {name: judged[name][place] for name in ("low", "high", "needed")}
        line = {name: float(value) for name, value in line.items()}
        at = (row["classes"], row["segments"], row["learning_rate_a"], row["paradigm_a"])
        found[at] = line | {"verdict": str(judged["verdict"][place])}
    return found


def most_apart(ds: xr.Dataset) -> tuple[int, int, float]:
    """Classes, length and learning rate where a paradigm is trapped furthest beyond soft attention.

    By the means over seeds.
    """
    mean = trap_of(ds)["trap"].mean("seed")
    more = (mean - mean.sel(paradigm=_RIVAL)).max("paradigm").transpose(*_SETTING)
    places = np.unravel_index(int(more.fillna(-np.inf).values.argmax()), more.shape)
    classes, segments, rate = (
        more[name].values[at] for name, at in zip(_SETTING, places, strict=True)
    )
    return int(classes), int(segments), float(rate)


def findings(ds: xr.Dataset) -> list[str]:
    """How often each setting is trapped, who more than soft attention, and what that leaves."""
    lines = [line for line in numbers(ds) if line["seeds"]]
    said = list(_how_often(lines))
    for name in dict.fromkeys(line["paradigm"] for line in lines if line["against_soft"]):
        said.append(_verdicts(name, [line for line in lines if line["paradigm"] == name]))
    return [*said, *_what_is_left(trap_of(ds))]


def _setting(line: Mapping[str, Any]) -> str:
    return (
        f"{line['classes']} classes, mosaics of {line['segments']}, rate {line['learning_rate']:g}"
    )


def _how_often(lines: list[Line]) -> Iterator[str]:
    for where in dict.fromkeys(map(_setting, lines)):
        parts = []
        for line in (line for line in lines if _setting(line) == where):
            found = line["trapped"]
            span = f"{100 * found['low']:.0f} to {100 * found['high']:.0f} %"
            parts.append(f"{line['paradigm']} {found['seeds']} of {line['seeds']} ({span})")
        yield f"{where}: seeds that are trapped: {', '.join(parts)}."


def _verdicts(name: str, lines: list[Line]) -> str:
    """Where it is trapped further than soft attention, where less far, and where neither is shown.

    The numbers of what is shown are said; those of the rest are in the table.
    """
    groups: dict[str, list[str]] = {}
    for line in lines:
        found, where = line["against_soft"], _setting(line)
        word = found["verdict"]
        if word == "differs":
            word = "further" if found["difference"] > 0 else "less far"
            reach = interval_words(found["low"], found["high"])
            where += f" ({number_words(found['difference'])} {reach})"
        groups.setdefault(word, []).append(where)
    seeds = min(line["seeds"] for line in lines)
    parts = [capital(f"{word} at {'; at '.join(at)}") for word, at in groups.items()]
    return f"How far {name} is trapped against soft, {seeds} seeds. {'. '.join(parts)}."


def _what_is_left(of_all: xr.Dataset) -> Iterator[str]:
    """Of each number of classes what trapped runs of all paradigms end with, and in which class."""
    for count in map(int, of_all["classes"].values):
        one = of_all.sel(classes=count)
        trapped = (one["trap"] > MOST_BY_CHANCE).values
        if not trapped.any():
            yield f"{count} classes: no run is trapped."
            continue
        solved = trapped & (one["others"] > MOST_BY_CHANCE).values
        kinds, counts = np.unique(one["left"].values[trapped], return_counts=True)
        where = listed([f"{kind:.0f} in {n}" for kind, n in zip(kinds, counts, strict=True)])
        right, wrong = (float(one[name].where(solved).median()) for name in ("FTPT", "FFPT"))
        ends = (
            f"; where the others are focused on, {solved.sum()} runs, the median is FTPT "
            f"{right:.0f} % and FFPT {wrong:.0f} % (a whole class left: {100 - 100 / count:.0f} % "
            f"and {100 / count:.0f} %)"
            if solved.any()
            else ""
        )
        runs = np.isfinite(one["trap"].values).sum()
        many = f"{trapped.sum()} of {runs} runs are trapped"
        yield f"{count} classes: {many}, in class {where}{ends}."
