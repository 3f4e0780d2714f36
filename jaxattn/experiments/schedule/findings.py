"""The schedule experiment in numbers and in sentences, both made from its Dataset alone."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.experiments.cases import missing, most_gained, solved_cases
from jaxattn.experiments.wording import Line
from jaxattn.reduced.optimal_schedule import AT_AN_END

__all__ = ["findings", "numbers", "switches"]


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each size and horizon of which a start was solved.

    About the best start: ``at_ends``, the share of the time with lambda 0 or 1 (to 0.01), and
    ``between``, the cells with another one; ``switches``, in words such as "soft, hard";
    ``agrees``, in how many of the ``cells`` at an end the sign of the derivative by their share is
    the right one; ``crossings`` of the switching function, and ``determinant``, the largest that
    det(g, [f_hard, g]) is on the path. ``over_hybrid`` is nu less that of the best hybrid,
    ``over_edge`` less that of the best one which switches between cells, and ``spread`` the
    largest less the smallest nu over the starts. ``missing``, ``missing_soft`` and
    ``missing_hard`` are 1 - alpha at the horizon.
    """
    return [_line(case) for case in solved_cases(ds)]


def switches(share: np.ndarray) -> str:
    """Which paradigm is in force, one after the other, cells in between left out: "soft, hard"."""
    ends = ["soft" if part > 0.5 else "hard" for part in share if min(part, 1.0 - part) < AT_AN_END]
    return ", ".join(name for at, name in enumerate(ends) if at == 0 or name != ends[at - 1])


def _line(case: xr.Dataset) -> Line:
    done = (case["status"] == Status.DONE).values
    share, nu = case["share"].isel(start=int(case["best"])).values, case["nu"].values[done]
    at_end = np.minimum(share, 1.0 - share) < AT_AN_END
    spans, by_share = np.diff(case["edge_time"].values), case["by_share"].values
    # At time 0 both fields are the same, and the switching function is 0 but for rounding.
    signs = np.sign(case["switching"].values[1:])
    segments = int(case["segments"])
    return {
        "segments": segments,
        "classes": int(case["classes"]),
        "horizon": float(case["horizon"]),
        "starts": int(done.sum()),
        "cells": int(at_end.sum()),
        "between": int((~at_end).sum()),
        "at_ends": float(spans[at_end].sum() / spans.sum()),
        "switches": switches(share),
        "agrees": int(((by_share > 0) == (share > 0.5))[at_end].sum()),
        "crossings": int((signs[:-1] * signs[1:] < 0).sum()),
        "determinant": float(case["determinant"].values[1:].max()),
        "over_hybrid": float(nu.max() - case["hybrid_nu"]),
        "over_edge": float(nu.max() - case["edge_nu"]),
        "spread": float(np.ptp(nu)),
        "missing": float(missing(nu.max(), segments)),
        "missing_soft": float(missing(float(case["soft_nu"]), segments)),
        "missing_hard": float(missing(float(case["hard_nu"]), segments)),
    }


def findings(ds: xr.Dataset) -> list[str]:
    """Is the best schedule bang-bang, is it the hybrid, does Pontryagin agree, what is it worth."""
    lines = numbers(ds)
    if not lines:
        return []
    return [_bang_bang(lines), _forms(lines), _hybrid(lines), _pontryagin(lines), _worth(lines)]


def _bang_bang(lines: Sequence[Line]) -> str:
    cells, between = sum(x["cells"] for x in lines), [x["between"] for x in lines]
    whole = cells + sum(between)
    least = 100 * min(x["at_ends"] for x in lines)
    is_it = "is" if max(between) <= 1 else "is not always"
    text = (
        f"The best lambda(t) {is_it} bang-bang: {cells} of {whole} cells in {len(lines)} cases end "
        f"at 0 or 1"
    )
    if sum(between):
        some = "one cell" if max(between) == 1 else f"up to {max(between)} cells"
        count = sum(n > 0 for n in between)
        text += (
            f", and in {count} case{'s' * (count != 1)} {some} in between, which leaves at "
            f"least {least:.1f} % of the time at an end"
        )
    spread = max(x["spread"] for x in lines)
    starts = max(x["starts"] for x in lines)
    return f"{text}. All of up to {starts} starts agree in nu to {spread:.1g}."


def _forms(lines: Sequence[Line]) -> str:
    counts = Counter(line["switches"] for line in lines)
    each = [
        f"{'soft to the end' if form == 'soft' else form.replace(', ', ', then ')} in {count}"
        for form, count in counts.most_common()
    ]
    return f"Of {len(lines)} best schedules the order is {'; '.join(each)}."


def _hybrid(lines: Sequence[Line]) -> str:
    over = [x["over_hybrid"] for x in lines]
    edge = [x["over_edge"] for x in lines]
    beaten = sum(gap > 1e-6 for gap in over)
    text = (
        "No schedule beats the best hybrid"
        if not beaten
        else f"{beaten} schedules beat the best hybrid"
    )
    return (
        f"{text}: its nu at the horizon less the hybrid's is {min(over):.2g} to {max(over):.2g}, "
        "where it is short, cells are too wide for the switch; less that of the best hybrid "
        f"which switches between two cells it is {min(edge):.2g} to {max(edge):.2g}."
    )


def _pontryagin(lines: Sequence[Line]) -> str:
    cells, agrees = sum(x["cells"] for x in lines), sum(x["agrees"] for x in lines)
    crossings, largest = [x["crossings"] for x in lines], max(x["determinant"] for x in lines)
    text = (
        f"Pontryagin's switching function, from the adjoint equation, has the sign of the "
        f"schedule in {agrees} of {cells} cells at an end, and crosses zero at most "
        f"{max(crossings)} time{'s' * (max(crossings) != 1)}."
    )
    if largest < 0:
        return (
            f"{text} det(g, [f_hard, g]) is negative on every path (at most {largest:.2g}), so "
            "there is no singular arc."
        )
    return f"{text} det(g, [f_hard, g]) is up to {largest:.2g}: singular arcs are not ruled out."


def _worth(lines: Sequence[Line]) -> str:
    last = max(x["horizon"] for x in lines)
    late = [x for x in lines if x["horizon"] == last]
    soft = [x["missing_soft"] / x["missing"] for x in late]
    hard = [x["missing_hard"] / x["missing"] for x in late]
    return (
        f"At horizon {last:g} soft attention alone leaves {min(soft):.3g} to {max(soft):.3g} times "
        f"as much attention off the foreground as the best schedule, hard attention alone "
        f"{min(hard):.3g} to {max(hard):.3g} times. Against the better of the two the schedule "
        f"{most_gained(lines)}."
    )
