"""The switch experiment in numbers and in sentences, both made from its Dataset alone."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr

from jaxattn.experiments.cases import most_gained, solved_cases
from jaxattn.experiments.wording import Line, span

__all__ = ["findings", "law", "numbers"]

COST = 1.1
"""A switch counts as good while what is off the foreground is below this times the least."""
FEW = 20
"""Segments from which the law for many of them is held against what was found."""


def law(classes: int | float) -> float:
    """``sqrt(pi C / (2 (C-1)))``: the best switch in units of segments x classes, many segments.

    Before the focus takes off, ``alpha = e^nu / m`` and ``nu = (C-1) mu^2 / (2C)`` under both
    paradigms, so ``d mu/dt = alpha / C`` and the time until mu is large is
    ``mC int_0^inf e^(-(C-1) mu^2 / (2C)) dmu``: all of it passes before the focus is there, and
    next to none after.
    """
    return float(np.sqrt(np.pi * classes / (2.0 * (classes - 1.0))))


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each size and horizon that was solved.

    ``switch`` is the best one in units of segments x classes (as are ``horizon``, ``saved``,
    ``good_from``, ``good_to`` and ``law``); ``inside`` tells whether it is before the horizon;
    ``missing``, ``missing_soft`` and ``missing_hard`` are 1 - alpha at the horizon under the best
    hybrid, soft and hard attention; between ``good_from`` and ``good_to`` (the grid's end where it
    lies beyond) a switch leaves at most 10 % more.
    """
    return [_line(case) for case in solved_cases(ds)]


def _line(case: xr.Dataset) -> Line:
    low, high = _good(case)
    return {
        "segments": int(case["segments"]),
        "classes": int(case["classes"]),
        "horizon": float(case["horizon"]),
        "switch": float(case["best_switch"]),
        "inside": bool(case["inside"]),
        "missing": float(case["best_missing"]),
        "missing_soft": float(case["soft_missing"]),
        "missing_hard": float(case["hard_missing"]),
        "saved": float(case["saved"]),
        "good_from": low,
        "good_to": high,
        "overtaking": float(case["overtaking"]),
        "law": law(float(case["classes"])),
    }


def _good(case: xr.Dataset) -> tuple[float, float]:
    """Where the curve around its minimum passes `COST`; its ends where it does not."""
    time, worse = case["switch_time"].values, case["missing"].values / float(case["best_missing"])
    bad = np.flatnonzero(worse > COST)
    best = float(case["best_switch"])
    before, after = bad[time[bad] < best], bad[time[bad] > best]
    low, high = float(time[0]), float(time[-1])
    if before.size:
        low = _passes(time, worse, int(before[-1]), int(before[-1]) + 1)
    if after.size:
        high = _passes(time, worse, int(after[0]), int(after[0]) - 1)
    return low, high


def _passes(time: np.ndarray, worse: np.ndarray, outside: int, inside: int) -> float:
    """The time at which `COST` is passed between two points of the grid, linear in logarithms."""
    out, into = np.log(worse[outside]), np.log(worse[inside])
    share = (out - np.log(COST)) / (out - into)
    return float(time[outside] * (time[inside] / time[outside]) ** share)


def findings(ds: xr.Dataset) -> list[str]:
    """When soft alone is best, where else the switch lies, how it scales, and what it is worth."""
    lines = numbers(ds)
    if not lines:
        return []
    last = max(x["horizon"] for x in lines)
    late = [x for x in lines if x["horizon"] == last and x["inside"]]
    said = [_at_the_end(lines)]
    if late:
        said += [*_scaling(late, last), *_law(late), *_settles(lines, last), *_worth(late, last)]
    return [*said, _most(lines)]


def _most(lines: Sequence[Line]) -> str:
    """Where a hybrid is worth most against the better of its two parts."""
    return (
        f"Against the better of soft and hard attention alone a hybrid {most_gained(lines)} "
        "attention off the foreground."
    )


def _at_the_end(lines: Sequence[Line]) -> str:
    ends = [x for x in lines if not x["inside"]]
    text = (
        f"Soft attention to the end, with no switch, is best in {len(ends)} of {len(lines)} cases"
    )
    if not ends:
        return f"{text}: the best hybrid turns hard before every horizon that was tried."
    longest = max(x["horizon"] for x in ends)
    text += f", at horizons up to {longest:g} times segments x classes"
    if len(ends) < len(lines):
        text += "; in all others the best hybrid turns hard before the end"
    early = [x for x in lines if x["inside"] and x["horizon"] <= longest]
    if early:
        sizes = {(x["segments"], x["classes"]) for x in early}
        text += f", at such horizons too for {len(sizes)} sizes"
    return f"{text}. Hard attention from the start is never best."


def _scaling(late: Sequence[Line], last: float) -> list[str]:
    """Exponents of the plain time of the best switch in segments and in classes."""
    said = [
        f"At horizon {last:g} the best switch lies at {span([x['switch'] for x in late])} times "
        "segments x classes."
    ]
    if len({x["segments"] for x in late}) < 2 or len({x["classes"] for x in late}) < 2:
        return said
    place = np.log([[x["segments"], x["classes"], np.e] for x in late])
    time = np.log([x["switch"] * x["segments"] * x["classes"] for x in late])
    (of_segments, of_classes, _), *_ = np.linalg.lstsq(place, time, rcond=None)
    local = {name: _local(late, name) for name in ("segments", "classes")}
    said.append(
        f"Fitted over {len(late)} sizes, that time grows as segments^{of_segments:.3f} "
        f"classes^{of_classes:.3f}; from one size to the next the exponent of segments is "
        f"{span(local['segments'], '.2f')} and that of classes {span(local['classes'], '.2f')}."
    )
    return said


def _local(late: Sequence[Line], name: str) -> list[float]:
    """Exponents between neighbouring sizes, the other size held."""
    other = "classes" if name == "segments" else "segments"
    exponents = []
    for held in dict.fromkeys(x[other] for x in late):
        same = sorted((x for x in late if x[other] == held), key=lambda x: x[name])
        for less, more in pairwise(same):
            step = np.log(more[name] / less[name])
            exponents.append(float(1.0 + np.log(more["switch"] / less["switch"]) / step))
    return exponents


def _law(late: Sequence[Line]) -> list[str]:
    most = max(x["segments"] for x in late)
    if most < FEW:
        return []
    by_segments = {
        m: max(abs(x["switch"] / x["law"] - 1.0) for x in late if x["segments"] == m)
        for m in sorted({x["segments"] for x in late})
        if m >= FEW
    }
    off = ", ".join(f"{100 * gap:.2g} % at {m}" for m, gap in by_segments.items())
    return [
        "With many segments it tends to sqrt(pi C / (2 (C - 1))) times segments x classes: the "
        f"largest distance from that over the classes is {off} segments."
    ]


def _settles(lines: Sequence[Line], last: float) -> list[str]:
    """From which horizon on the best switch hardly moves any more."""
    final = {(x["segments"], x["classes"]): x["switch"] for x in lines if x["horizon"] == last}
    moved: dict[float, float] = {}
    for horizon in sorted({x["horizon"] for x in lines} - {last}):
        same = [x for x in lines if x["horizon"] == horizon]
        if all(x["inside"] for x in same):
            moved[horizon] = max(
                abs(x["switch"] / final[x["segments"], x["classes"]] - 1.0)
                for x in same
                if (x["segments"], x["classes"]) in final
            )
    if not moved:
        return []
    each = ", ".join(f"{100 * gap:.2g} % at {horizon:g}" for horizon, gap in moved.items())
    return [
        f"It does not wait for the horizon: its distance from where it lies at horizon {last:g} "
        f"is at most {each}."
    ]


def _worth(late: Sequence[Line], last: float) -> list[str]:
    soft = [x["missing_soft"] / x["missing"] for x in late]
    hard = [100.0 * (x["missing_hard"] / x["missing"] - 1.0) for x in late]
    # In plain time, by the number of segments: it hardly depends on that of classes.
    saved = [x["saved"] * x["classes"] for x in late]
    first = min(x["good_from"] for x in late)
    early = sum(x["good_from"] == first for x in late)
    high = [x["good_to"] / x["switch"] for x in late]
    return [
        f"At horizon {last:g} soft attention alone leaves {span(soft)} times as much attention "
        f"off the foreground as the best hybrid, hard attention alone {span(hard, '.2g')} % "
        "more. The best hybrid is as far as hard attention alone would be later by a time of "
        f"{span(saved, '.2g')} times the number of segments.",
        "The exact moment matters little, and less if it is early: 10 % more is left off the "
        f"foreground by a switch at {span(high, '.2g')} times the best one, and in {early} of "
        f"{len(late)} sizes by none that is early, down to {first:g} times segments x classes.",
    ]
