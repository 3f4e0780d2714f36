"""The fixed-focus experiment in numbers and in sentences, both made from its Dataset alone."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from jaxattn.experiments.fixed_focus.figures import finished_rows, reaches_limits
from jaxattn.experiments.wording import Line, band_of, ranking, span

__all__ = ["findings", "numbers"]

LEVEL = 0.99
"""A gap that ends above this share of its highest value counts as not having fallen."""


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each paradigm, alpha and split at the last epoch.

    Median and `BAND` over the seeds that finished (None where none did) of L(alpha) and of
    L(alpha) - L(alpha + 0.01), in nat, beside their limits (``ceiling``, see `reaches_limits`); the
    epoch at which the median gap is highest, and that value; how many seeds finished.
    """
    return [
        {"paradigm": paradigm, "alpha": alpha, "split": split}
        | _ends(ds.sel(paradigm=paradigm, alpha=alpha), split)
        for paradigm in map(str, ds["paradigm"].values)
        for alpha in map(float, ds["alpha"].values)
        for split in map(str, ds["split"].values)
    ]


def _ends(result: xr.Dataset, split: str) -> Line:
    line: Line = {}
    for name in ("loss", "gap"):
        rows = finished_rows(result, name, split)
        line[name] = {**band_of(rows[:, -1]), "ceiling": float(result[f"{name}_limit"])}
        line["seeds"] = len(rows)
    if not line["seeds"]:
        return line | {"gap": {**line["gap"], "peak": np.nan, "peak_epoch": np.nan}}
    middle = np.median(rows, axis=0)
    peak = int(np.argmax(middle))
    line["gap"] |= {"peak": float(middle[peak]), "peak_epoch": int(result["epoch"][peak])}
    return line


def findings(ds: xr.Dataset) -> list[str]:
    """What the gap does under each paradigm, and where it ends largest: from medians, all bags.

    At alpha = 1 there is no more attention to gain by, and nothing is said.
    """
    lines = [line for line in numbers(ds) if line["split"] == "train" and line["alpha"] < 1]
    lines = [line for line in lines if line["seeds"]]
    last, reaches = int(ds["epoch"][-1]), reaches_limits(ds)
    said = [
        sentence
        for name in map(str, ds["paradigm"].values)
        if (sentence := _course(name, [x for x in lines if x["paradigm"] == name], last, reaches))
    ]
    return said + _orders(lines, last)


def _course(paradigm: str, lines: Sequence[Line], last: int, reaches: bool) -> str:
    """The course of the gap under one paradigm."""
    fell = [x for x in lines if x["gap"]["median"] < LEVEL * x["gap"]["peak"]]
    rose = [x for x in lines if x not in fell]
    parts = []
    if fell:
        epochs = span([x["gap"]["peak_epoch"] for x in fell], "d")
        left = span([100 * x["gap"]["median"] / x["gap"]["peak"] for x in fell], ".0f")
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
        reached = span([100 * x["gap"]["median"] / x["gap"]["ceiling"] for x in lines], ".0f")
        whose = "its limit" if reaches else "a perfect classifier's"
        parts.append(f"ends at {reached} % of {whose} {span(limits, '.4f')}")
    else:
        ends = span([x["gap"]["median"] for x in lines], ".4f")
        where = "on its way to 0" if reaches else "where a perfect classifier's is 0"
        parts.append(f"ends at {ends}, {where}")
    return f"{paradigm}: the gain by 0.01 more attention {'; '.join(parts)}."


def _where(some: Sequence[Line], whole: Sequence[Line]) -> str:
    """The alphas of some lines; nothing where these are all lines."""
    at = ", ".join(f"{x['alpha']:g}" for x in some)
    return "" if len(some) == len(whole) else f" (alpha {at})"


def _orders(lines: Sequence[Line], last: int) -> list[str]:
    """Which paradigm has the largest gap at the end, by alpha; equal orders in one sentence."""
    by_order: dict[str, list[float]] = {}
    for alpha in dict.fromkeys(x["alpha"] for x in lines):
        same = [x for x in lines if x["alpha"] == alpha]
        same.sort(key=lambda x: -x["gap"]["median"])
        order = ranking(same, lambda more, less: more["gap"]["low"] > less["gap"]["high"])
        if len(same) > 1:
            by_order.setdefault(order, []).append(alpha)
    return [
        f"gain by 0.01 more attention at epoch {last}, alpha {', '.join(f'{a:g}' for a in at)}: "
        f"{order}{' (~: bands over seeds overlap)' if '~' in order else ''}."
        for order, at in by_order.items()
    ]
