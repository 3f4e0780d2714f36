"""The switch experiment's figures: focus by switch time, and how the best switch scales."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from jaxattn.core.contracts import Status
from jaxattn.experiments.cases import UNIT, add_legend, cases_shown, panels_of_sizes, sizes_shown
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.selection import require
from jaxattn.plots.style import palette

__all__ = ["switch_curves", "switch_scaling"]

_NEEDED = ("best_switch", "missing", "switch_time")
_DASHES = (0, (4, 2))
_DOTS = (0, (1, 1.6))
_MARKERS = "osD^vPX<>*"


def switch_curves(ds: xr.Dataset) -> Figure:
    """1 - alpha at the horizon against the switch time: a panel a size, a colour a horizon.

    Args:
        ds: a result of the switch experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "switch_curves", "switch", *_NEEDED)
    labels = (f"switch time, in {UNIT}", r"$1-\alpha$ at the horizon")
    figure, axes = panels_of_sizes(ds, 2.6, 0.0, *labels)
    for ax, case, colour in cases_shown(ds, axes):
        ax.plot(case["switch_time"], case["missing"], color=colour, lw=1.6)
        if int(case["status"]) == Status.DONE:
            best = (float(case["best_switch"]), float(case["best_missing"]))
            ax.plot(*best, "o", color=colour, markersize=5, markeredgecolor="white")
    for ax, (segments, classes) in zip(axes, sizes_shown(ds), strict=True):
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        least = float(ds["missing"].sel(segments=segments, classes=classes).min())
        ax.set_ylim(10.0 ** np.floor(np.log10(least)), 1.3)
    dot = {"best": {"color": "0.3", "marker": "o", "lw": 0, "markeredgecolor": "white"}}
    add_legend(figure, axes[0], ds, dot, f"Horizons are in {UNIT}, too.")
    return figure


def switch_scaling(ds: xr.Dataset) -> Figure:
    """The best switch against the horizon, and at the longest horizon against the segments.

    Args:
        ds: a result of the switch experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "switch_scaling", "switch", *_NEEDED)
    figure, axes = new_grid(1, 2, 3.9)
    left, right = axes[0]
    _by_horizon(left, ds)
    _by_size(right, ds)
    for ax in (left, right):
        ax.legend(loc="upper left", fontsize=8, frameon=False, handlelength=1.8)
    return figure


def _by_horizon(ax: Axes, ds: xr.Dataset) -> None:
    horizon = ds["horizon"].values
    sizes = sizes_shown(ds)
    for place, (segments, classes) in enumerate(sizes):
        case = ds.sel(segments=segments, classes=classes)
        look = {"color": palette(len(sizes))[place], "marker": _MARKERS[place]}
        _draw_best(ax, horizon, case, f"{segments:g}, {classes:g}", **look)
    top = float(ds["best_switch"].max())
    diagonal = np.geomspace(min(float(horizon.min()), top), top, 50)
    ax.plot(diagonal, diagonal, color="0.4", linestyle=_DOTS, label="soft to the end")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.75 * top)
    format_axes(ax, f"horizon, in {UNIT}", f"best switch time, in {UNIT}")
    set_title(ax, "Segments, classes")


def _by_size(ax: Axes, ds: xr.Dataset) -> None:
    classes = _few(list(map(int, ds["classes"].values)))
    top = 0.0
    for place, count in enumerate(classes):
        case = ds.isel(horizon=-1).sel(classes=count)
        look = {"color": palette(len(classes))[place], "marker": _MARKERS[place]}
        best = _draw_best(ax, ds["segments"].values, case, f"{count:g} classes", **look)
        top = max(top, *best, 0.0)
        limit = np.sqrt(np.pi * count / (2 * (count - 1)))
        ax.axhline(limit, color=look["color"], lw=0.9, linestyle=_DASHES, zorder=1)
    ax.plot([], [], color="0.4", lw=0.9, linestyle=_DASHES, label="many segments")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.75 * top if top else 1)
    format_axes(ax, "segments", "")
    set_title(ax, f"At horizon {float(ds['horizon'][-1]):g}")


def _draw_best(
    ax: Axes, x: np.ndarray, cases: xr.Dataset, label: str, **look: Any
) -> Float[np.ndarray, " case"]:
    """The best switch of the cases that were solved, against `x`; these switches."""
    done = (cases["status"] == Status.DONE).values
    best = cases["best_switch"].values[done]
    ax.plot(x[done], best, markersize=4.5, lw=1.6, label=label, **look)
    return best


def _few(values: Sequence[int], most: int = 5) -> list[int]:
    """At most this many of the values, the first and the last among them."""
    places = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [values[place] for place in places]
