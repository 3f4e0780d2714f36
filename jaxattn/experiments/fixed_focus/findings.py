"""The fixed-focus experiment in numbers and in sentences, both made from its Dataset alone."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.experiments.fixed_focus.figures import finished_rows
from jaxattn.plots.curves import BAND

__all__ = ["findings", "numbers"]

LEVEL = 0.99
"""A gap that ends above this share of its highest value counts as not having fallen."""


def numbers(ds: xr.Dataset) -> list[dict[str, Any]]:
    """One line for each paradigm, alpha and split at the last epoch.

    Median and `BAND` over the seeds that finished (None where none did) of L(alpha) and of
    L(alpha) - L(alpha + 0.01), in nat, beside their limits as time goes to infinity (``ceiling``);
    the epoch at which the median gap is highest, and that value; how many seeds finished.
    """
    lines = []
    for paradigm in map(str, ds["paradigm"].values):
        for alpha in map(float, ds["alpha"].values):
            for split in map(str, ds["split"].values):
                lines.append({"paradigm": paradigm, "alpha": alpha, "split": split})
                lines[-1] |= _ends(ds.sel(paradigm=paradigm, alpha=alpha), paradigm, alpha, split)
    return lines


def _ends(one: xr.Dataset, paradigm: str, alpha: float, split: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("loss", "gap"):
        rows = finished_rows(one, name, split)
        of_seeds = dict.fromkeys(("median", "low", "high"))
        if len(rows):
            ends = map(float, np.quantile(rows[:, -1], (0.5, *BAND)))
            of_seeds = dict(zip(of_seeds, ends, strict=True))
        found[name] = {**of_seeds, "ceiling": float(one[f"{name}_limit"])}
        found["seeds"] = len(rows)
    if not found["seeds"]:
        return found | {"gap": {**found["gap"], "peak": np.nan, "peak_epoch": np.nan}}
    middle = np.median(rows, axis=0)
    peak = int(np.argmax(middle))
    found["gap"] |= {"peak": float(middle[peak]), "peak_epoch": int(one["epoch"][peak])}
    return found


def findings(ds: xr.Dataset) -> list[str]:
    """What the gap does under each paradigm, and where it ends largest: from medians, all bags.

    At alpha = 1 there is no more attention to gain by, and nothing is said.
    """
    lines = [line for line in numbers(ds) if line["split"] == "train" and line["alpha"] < 1]
    lines = [line for line in lines if line["seeds"]]
    last = int(ds["epoch"][-1])
    said = [
        sentence
        for name in map(str, ds["paradigm"].values)
        if (sentence := _course(name, [x for x in lines if x["paradigm"] == name], last))
    ]
    return said + _orders(lines, last)


def _course(paradigm: str, lines: Sequence[dict[str, Any]], last: int) -> str:
    """The course of the gap under one paradigm."""
    fell = [x for x in lines if x["gap"]["median"] < LEVEL * x["gap"]["peak"]]
    rose = [x for x in lines if x not in fell]
    parts = []
    if fell:
        epochs = _range([x["gap"]["peak_epoch"] for x in fell], "d")
        left = _range([100 * x["gap"]["median"] / x["gap"]["peak"] for x in fell], ".0f")
        parts.append(
            f"peaks at epoch {epochs} and falls to {left} % of its peak by epoch {last}"
            f"{_where(fell, lines)}"
        )
    if rose:
        parts.append(f"is at its highest at the end, epoch {last}{_where(rose, lines)}")
    if not parts:
        return ""
    limits = [x["gap"]["ceiling"] for x in lines]
    if min(limits) > 0:
        reached = _range([100 * x["gap"]["median"] / x["gap"]["ceiling"] for x in lines], ".0f")
        parts.append(f"ends at {reached} % of its limit {_range(limits, '.4f')}")
    else:
        ends = _range([x["gap"]["median"] for x in lines], ".4f")
        parts.append(f"ends at {ends}, on its way to 0")
    return f"{paradigm}: the gain by 0.01 more attention {'; '.join(parts)}."


def _range(values: Sequence[int | float], form: str) -> str:
    low, high = (format(value, form) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _where(some: Sequence[dict[str, Any]], whole: Sequence[dict[str, Any]]) -> str:
    """At which alphas, unless at all."""
    at = ", ".join(f"{x['alpha']:g}" for x in some)
    return "" if len(some) == len(whole) else f" (alpha {at})"


def _orders(lines: Sequence[dict[str, Any]], last: int) -> list[str]:
    """Which paradigm has the largest gap at the end, by alpha; equal orders in one sentence."""
    by_order: dict[str, list[float]] = {}
    for alpha in dict.fromkeys(x["alpha"] for x in lines):
        same = [x for x in lines if x["alpha"] == alpha]
        same.sort(key=lambda x: -x["gap"]["median"])
        order = same[0]["paradigm"]
        for more, less in pairwise(same):
            apart = more["gap"]["low"] > less["gap"]["high"]
            order += f" {'>' if apart else '~'} {less['paradigm']}"
        if len(same) > 1:
            by_order.setdefault(order, []).append(alpha)
    return [
        f"gain by 0.01 more attention at epoch {last}, alpha {', '.join(f'{a:g}' for a in at)}: "
        f"{order}{' (~: bands over seeds overlap)' if '~' in order else ''}."
        for order, at in by_order.items()
    ]
