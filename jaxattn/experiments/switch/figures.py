"""The switch experiment's figures: focus by switch time, and how the best switch scales."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from jaxattn.core.contracts import Status
from jaxattn.experiments.fixed_focus.figures import palette
from jaxattn.plots.canvas import new_grid, panels_of
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require

__all__ = ["horizon_handles", "sizes_shown", "switch_curves", "switch_scaling"]

_NEEDED = ("best_switch", "missing", "switch_time")
_UNIT = "segments x classes"
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
    horizons = list(map(float, ds["horizon"].values))
    sizes = sizes_shown(ds)
    figure, panels = panels_of(len(sizes), 2.6)
    for (ax, left, bottom), (segments, classes) in zip(panels, sizes, strict=True):
        for horizon, colour in zip(horizons, palette(len(horizons)), strict=True):
            one = ds.sel(segments=segments, classes=classes, horizon=horizon)
            ax.plot(one["switch_time"], one["missing"], color=colour, lw=1.6)
            if int(one["status"]) == Status.DONE:
                best = (float(one["best_switch"]), float(one["best_missing"]))
                ax.plot(*best, "o", color=colour, markersize=5, markeredgecolor="white")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        least = float(ds["missing"].sel(segments=segments, classes=classes).min())
        ax.set_ylim(10.0 ** np.floor(np.log10(least)), 1.3)
        label = f"switch time, in {_UNIT}" if bottom else ""
        format_axes(ax, label, r"$1-\alpha$ at the horizon" if left else "")
        set_title(ax, f"{segments} segments, {classes} classes")
    dot = {"best": {"color": "0.3", "marker": "o", "lw": 0, "markeredgecolor": "white"}}
    first = panels[0].ax
    first.legend(handles=[*horizon_handles(horizons), *legend_handles(dot)])
    one_legend(figure, [first], columns=4, caption=f"Horizons are in {_UNIT}, too.")
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


def sizes_shown(ds: xr.Dataset) -> list[tuple[int, int]]:
    """At most four sizes: the corners of the grid, from few segments and classes to many."""
    some = [list(map(int, ds[name].values)) for name in ("segments", "classes")]
    ends = [list(dict.fromkeys((values[0], values[-1]))) for values in some]
    return [(m, c) for m in ends[0] for c in ends[1]]


def horizon_handles(horizons: Sequence[float]) -> list[Line2D]:
    """What the colours of horizons are, for a legend."""
    colours = zip(horizons, palette(len(horizons)), strict=True)
    return legend_handles(
        {f"horizon {at:g}": {"color": colour, "lw": 2.2} for at, colour in colours}
    )


def _by_horizon(ax: Axes, ds: xr.Dataset) -> None:
    sizes, horizon = sizes_shown(ds), ds["horizon"].values
    for (segments, classes), colour, marker in zip(
        sizes, palette(len(sizes)), _MARKERS, strict=False
    ):
        one = ds.sel(segments=segments, classes=classes)
        done = (one["status"] == Status.DONE).values
        ax.plot(
            horizon[done],
            one["best_switch"].values[done],
            color=colour,
            marker=marker,
            markersize=4.5,
            lw=1.6,
            label=f"{segments:g}, {classes:g}",
        )
    top = float(ds["best_switch"].max())
    diagonal = np.geomspace(min(float(horizon.min()), top), top, 50)
    ax.plot(diagonal, diagonal, color="0.4", linestyle=_DOTS, label="soft to the end")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.75 * top)
    format_axes(ax, f"horizon, in {_UNIT}", f"best switch time, in {_UNIT}")
    set_title(ax, "Segments, classes")


def _by_size(ax: Axes, ds: xr.Dataset) -> None:
    last = ds.isel(horizon=-1)
    segments, classes = ds["segments"].values, list(map(int, ds["classes"].values))
    classes = _few(classes)
    top = 0.0
    for count, colour, marker in zip(classes, palette(len(classes)), _MARKERS, strict=False):
        one = last.sel(classes=count)
        done = (one["status"] == Status.DONE).values
        best = one["best_switch"].values[done]
        top = max(top, *best, 0.0)
        ax.plot(
            segments[done],
            best,
            color=colour,
            marker=marker,
            markersize=4.5,
            lw=1.6,
            label=f"{count:g} classes",
        )
        limit = np.sqrt(np.pi * count / (2 * (count - 1)))
        ax.axhline(limit, color=colour, lw=0.9, linestyle=_DASHES, zorder=1)
    ax.plot([], [], color="0.4", lw=0.9, linestyle=_DASHES, label="many segments")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.75 * top if top else 1)
    format_axes(ax, "segments", "")
    set_title(ax, f"At horizon {float(ds['horizon'][-1]):g}")


def _few(values: Sequence[int], most: int = 5) -> list[int]:
    """At most so many, the first and the last among them."""
    places = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))
    return [values[place] for place in places]
