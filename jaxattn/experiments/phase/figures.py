"""Maps over segments and classes: times to focus, who leads, and when the lead changes hands."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_patches, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import SMALL, style_of

__all__ = ["focus_time_maps", "lead_time_maps", "leader_maps"]

_SIZES = ("segments", "classes")
_TIE = "0.82"
_AMONG = {"three": "soft, hard, lvml", "all": "with the hybrid"}
_BY = {
    "horizon": ("largest_attention", "at {:g} m C"),
    "threshold": ("first_to_focus", "first to \N{GREEK SMALL LETTER ALPHA} = {:g}"),
}
_CONTOURS = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95)
"""Shares of a map that contours have on their lower side: spread evenly in time they would crowd in
the corner of small sizes, where times grow."""
_COLOURED = (0.01, 0.95)
"""Shares between which the colours change, for the same reason."""

_DARK_TO_LIGHT = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0, 0.86, 256)))
"""Without the yellow end, which white lines do not stand out from."""

Plane = Float[np.ndarray, "segments classes"]


def focus_time_maps(ds: xr.Dataset, threshold: float | None = None) -> Figure:
    """How soon the attention reaches a threshold, in m C: a map for each paradigm, one scale.

    Args:
        ds: a result of the phase experiment, also half finished.
        threshold: which; by default the middle one.

    Raises:
        InputError: another kind of result, or a threshold that it does not have.
    """
    require(ds, "focus_time_maps", "phase", *_SIZES, "time_to_focus")
    known = [float(value) for value in ds["threshold"].values]
    threshold = known[len(known) // 2] if threshold is None else threshold
    if threshold not in known:
        raise InputError(f"threshold: got {threshold}, expected one of {known}.")
    times = ds["time_to_focus"].sel(threshold=threshold)
    names = [str(name) for name in ds["paradigm"].values]
    figure, axes = new_grid(-(-len(names) // 2), 2, height=2.9 * -(-len(names) // 2))
    norm = _scale(times.values)
    for ax, name in zip(axes.flat, names, strict=False):
        shown = _map(ax, ds, times.sel(paradigm=name).values, norm=norm, cmap=_DARK_TO_LIGHT)
        _contours(ax, ds, times.sel(paradigm=name).values)
        set_title(ax, name)
    for ax in list(axes.flat)[len(names) :]:
        ax.set_axis_off()
    _name_axes(axes)
    _bar(figure, shown, axes, rf"time at which $\alpha$ = {threshold:g} [m C]")
    return figure


def lead_time_maps(ds: xr.Dataset) -> Figure:
    """When one paradigm takes the lead in attention from another for good, in m C.

    Args:
        ds: a result of the phase experiment, finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "lead_time_maps", "phase", *_SIZES, "takes_lead", "pair")
    pairs = [str(pair) for pair in ds["pair"].values]
    figure, axes = new_grid(1, len(pairs), height=3.1)
    norm = _scale(ds["takes_lead"].values)
    for ax, pair in zip(axes.flat, pairs, strict=True):
        times = ds["takes_lead"].sel(pair=pair).values
        shown = _map(ax, ds, times, norm=norm, cmap=_DARK_TO_LIGHT)
        _contours(ax, ds, times)
        set_title(ax, pair)
    _name_axes(axes)
    _bar(figure, shown, axes, "takes the lead at time [m C]; grey: never")
    return figure


def leader_maps(ds: xr.Dataset, by: str = "horizon") -> Figure:
    """Which paradigm leads where: above among the three, below with the hybrid.

    Args:
        ds: a result of the phase experiment, finished.
        by: horizon, the largest attention then; or threshold, the first to have that attention.

    Raises:
        InputError: another kind of result, or neither of the two.
    """
    name, words = resolve("by", _BY, by)
    require(ds, "leader_maps", "phase", *_SIZES, name)
    names = [str(paradigm) for paradigm in ds["paradigm"].values]
    colours = [_TIE, *(style_of(paradigm, names).colour for paradigm in names)]
    norm = BoundaryNorm(np.arange(-1.5, len(names)), len(colours))
    codes = ds[name]
    among, at = [str(value) for value in ds["among"].values], codes[by].values
    figure, axes = new_grid(len(among), len(at), height=2.3 * len(among) + 0.5)
    for row, who in enumerate(among):
        for column, value in enumerate(at):
            ax = axes[row, column]
            plane = codes.sel(among=who, **{by: value}).values.astype(float)
            _map(ax, ds, plane, norm=norm, cmap=ListedColormap(colours))
            set_title(
                ax, words.format(value) if row == 0 else "", _AMONG[who] if column == 0 else ""
            )
    _name_axes(axes)
    seen = np.unique(codes.values)
    looks = {
        label: {"color": colour}
        for code, (colour, label) in enumerate(zip(colours, ["tie", *names], strict=True), -1)
        if code in seen
    }
    axes[0, 0].legend(handles=legend_patches(looks))
    one_legend(figure, list(axes.flat))
    return figure


def _scale(values: np.ndarray) -> LogNorm:
    """The one scale of colours for all maps of a figure."""
    known = values[np.isfinite(values) & (values > 0)]
    return LogNorm(*np.quantile(known, _COLOURED))


def _edges(centres: np.ndarray) -> np.ndarray:
    """The edges of cells whose centres are spread evenly in their logarithm."""
    log = np.log(centres)
    half = (log[1] - log[0]) / 2
    return np.exp(np.append(log - half, log[-1] + half))


def _map(ax: Axes, ds: xr.Dataset, plane: Plane, **look: Any) -> Any:
    """Classes to the right, segments upward; grey where nothing is known."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    x, y = _edges(ds["classes"].values), _edges(ds["segments"].values)
    shown = ax.pcolormesh(x, y, np.ma.masked_invalid(plane), rasterized=True, **look)
    format_axes(ax, "", "")
    ax.set_facecolor(_TIE)
    ax.grid(False)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(base=100))
        axis.set_minor_locator(NullLocator())
    return shown


def _contours(ax: Axes, ds: xr.Dataset, plane: Plane) -> QuadContourSet | None:
    known = plane[np.isfinite(plane) & (plane > 0)]
    levels = np.unique([float(f"{value:.3g}") for value in np.quantile(known, _CONTOURS)])
    if levels.size < 2:
        return None
    # Through the centres of cells.
    x, y = np.meshgrid(ds["classes"].values, ds["segments"].values)
    drawn = ax.contour(x, y, plane, levels, colors="white", linewidths=0.8)
    ax.clabel(drawn, fmt=FuncFormatter(lambda value, _: f"{value:g}"), fontsize=SMALL - 1)
    return drawn


def _name_axes(axes: np.ndarray) -> None:
    for ax in axes[-1]:
        ax.set_xlabel("classes C")
    for ax in axes[:, 0]:
        ax.set_ylabel("segments m")
    for ax in axes[:-1].flat:
        ax.tick_params(labelbottom=False)
    for ax in axes[:, 1:].flat:
        ax.tick_params(labelleft=False)


def _bar(figure: Figure, shown: Any, axes: Sequence[Axes] | np.ndarray, label: str) -> None:
    bar = figure.colorbar(shown, ax=axes, location="bottom", aspect=45, pad=0.02, extend="both")
    bar.set_label(label, fontsize=SMALL + 1)
    bar.ax.tick_params(which="both", labelsize=SMALL)
    low, high = bar.mappable.norm.vmin, bar.mappable.norm.vmax
    ticks = [at for decade in (0.1, 1, 10, 100) for at in decade * np.asarray([1, 1.5, 2, 3, 5, 7])]
    bar.set_ticks([at for at in ticks if low <= at <= high])
    bar.ax.xaxis.set_minor_locator(NullLocator())
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
