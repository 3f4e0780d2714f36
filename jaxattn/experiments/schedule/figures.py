"""The schedule experiment's figures: the best schedules, and their switching functions."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from jaxattn.core.contracts import Status
from jaxattn.experiments.cases import UNIT, add_legend, cases_shown, panels_of_sizes
from jaxattn.plots.selection import require

__all__ = ["schedule_shares", "schedule_switching"]

_NEEDED = ("share", "switching", "by_share")
_WRONG = "#CC0000"
_LINEAR = 1e-3
"""The scale of the switching function is linear up to here, and logarithmic beyond."""


def schedule_shares(ds: xr.Dataset) -> Figure:
    """lambda(t) of every start: a panel a size, a colour a horizon, the best start thick.

    Args:
        ds: a result of the schedule experiment.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "schedule_shares", "schedule", *_NEEDED)
    figure, axes = _panels(ds, r"share of soft, $\lambda$")
    for ax, case, colour in cases_shown(ds, axes):
        # Most of the time all lines lie on one another: the longer ones are the wider ones.
        place = int(np.flatnonzero(ds["horizon"].values == float(case["horizon"]))[0])
        width = 1.3 + 2.7 * place / max(1, ds.sizes["horizon"] - 1)
        edges = case["edge_time"].values
        for start in range(case.sizes["start"]):
            if int(case["status"][start]) != Status.DONE:
                continue
            best = start == int(case["best"])
            ax.stairs(
                case["share"].values[start],
                edges,
                baseline=None,
                color=colour,
                lw=width if best else 0.5,
                alpha=1.0 if best else 0.6,
                zorder=10 - place,
            )
        # Where the line ends soft attention is best to the end, and no hybrid switches.
        if float(case["hybrid_switch"]) < float(edges[-1]):
            ax.plot(float(case["hybrid_switch"]), 1.08, "v", color=colour, markersize=6)
    for ax in axes:
        ax.set_ylim(-0.06, 1.16)
    _limit_time(axes, ds)
    add_legend(figure, axes[0], ds, {"best hybrid": {"color": "0.3", "marker": "v", "lw": 0}})
    return figure


def schedule_switching(ds: xr.Dataset) -> Figure:
    """Pontryagin's switching function along the best path, times t, over its largest value.

    Args:
        ds: a result of the schedule experiment.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "schedule_switching", "schedule", *_NEEDED)
    figure, axes = _panels(ds, r"$t\,\sigma(t)$, scaled")
    for ax, case, colour in cases_shown(ds, axes):
        if int(case["status"][int(case["best"])]) != Status.DONE:
            continue
        time, edges = case["time"].values, case["edge_time"].values
        height = time * case["switching"].values
        height = height / np.abs(height).max()
        ax.plot(time, height, color=colour, lw=1.7)
        share = case["share"].isel(start=int(case["best"])).values
        wrong = ((case["by_share"].values > 0) != (share > 0.5)) & ((share == 0) | (share == 1))
        for cell in np.flatnonzero(wrong):
            inside = (time >= edges[cell]) & (time <= edges[cell + 1])
            ax.plot(time[inside], height[inside], color=_WRONG, lw=2.4)
    for ax in axes:
        ax.set_yscale("asinh", linear_width=_LINEAR)
        ax.set_yticks([-1, -0.1, -0.01, 0, 0.01, 0.1, 1])
        ax.yaxis.set_minor_locator(NullLocator())
        ax.axhline(0, color="0.4", lw=0.8, zorder=1)
    _limit_time(axes, ds)
    add_legend(figure, axes[0], ds, {})
    return figure


def _panels(ds: xr.Dataset, y_label: str) -> tuple[Figure, list[Axes]]:
    figure, axes = panels_of_sizes(ds, 2.5, 0.4, f"time, in {UNIT}", y_label)
    for ax in axes:
        ax.xaxis.set_minor_formatter(NullFormatter())
    return figure, axes


def _limit_time(axes: list[Axes], ds: xr.Dataset) -> None:
    horizons = list(map(float, ds["horizon"].values))
    for ax in axes:
        ax.set_xlim(min(0.1, 0.1 * min(horizons)), 1.05 * max(horizons))
