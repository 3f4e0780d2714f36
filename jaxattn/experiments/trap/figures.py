"""How far runs are trapped in the class that is left, how many are, and which class it is."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn import plots
from jaxattn.analysis.intervals import share_interval
from jaxattn.experiments.trap.findings import most_apart
from jaxattn.experiments.trap.statistic import MOST_BY_CHANCE, trap_of
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import Style, style_of

__all__ = ["by_class", "depth", "share_of_seeds"]

_APART = 0.19
"""Between two paradigms side by side, as a share of what is between two lengths."""

Draw = Callable[[Axes, float, np.ndarray, Style], None]


def depth(ds: xr.Dataset) -> Figure:
    """How far each seed is trapped, against the images of a mosaic.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "depth", "trap", "classes", "error_cell_by_class")

    def seeds(ax: Axes, at: float, trap: np.ndarray, style: Style) -> None:
        ax.plot(np.full(trap.size, at), trap, ".", color=style.colour, ms=5, alpha=0.55, mew=0)
        ax.hlines(trap.mean(), at - 0.42 * _APART, at + 0.42 * _APART, color=style.colour, lw=2.0)

    figure, axes = _panels(ds, "how far trapped", seeds)
    for ax in axes.flat:
        ax.axhline(MOST_BY_CHANCE, color="0.4", lw=0.9, ls="--", zorder=0.5)
        ax.set(ylim=(-0.04, 1.04), yticks=(0, 0.5, 1))
    return figure


def share_of_seeds(ds: xr.Dataset) -> Figure:
    """The share of seeds that are trapped, against the images of a mosaic.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "share_of_seeds", "trap", "classes", "error_cell_by_class")

    def share(ax: Axes, at: float, trap: np.ndarray, style: Style) -> None:
        found = share_interval(int((trap > MOST_BY_CHANCE).sum()), trap.size)
        mean, low, high = (100 * value for value in found[:3])
        reach = [[mean - low], [high - mean]]
        marker, colour = style.marker, style.colour
        ax.errorbar(at, mean, reach, color=colour, marker=marker, ms=4, lw=1.6, capsize=2)

    figure, axes = _panels(ds, "trapped seeds [%]", share)
    for ax in axes.flat:
        ax.set(ylim=(-4, 104), yticks=(0, 50, 100))
    return figure


def by_class(ds: xr.Dataset) -> Figure:
    """The cells of each class where a paradigm is trapped furthest beyond soft attention.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "by_class", "trap", "classes", "error_cell_by_class")
    classes, segments, rate = most_apart(ds)
    # Of fewer classes than another number has, the others are NaN.
    one = ds.sel({"classes": classes, "segments": segments, "class": np.arange(classes)})
    return plots.error_cells_by_class(one, learning_rate=rate)


def _panels(ds: xr.Dataset, words: str, draw: Draw) -> tuple[Figure, np.ndarray]:
    """A column for each number of classes, a row for each rate; paradigms side by side."""
    trap = trap_of(ds)["trap"]
    counts, rates, lengths = (trap[n].values for n in ("classes", "learning_rate", "segments"))
    names = list(map(str, trap["paradigm"].values))
    figure, axes = new_grid(len(rates), len(counts), 1.0 + 1.9 * len(rates))
    for row, rate in enumerate(rates):
        for column, count in enumerate(counts):
            ax = axes[row, column]
            for place, name in enumerate(names):
                of_name = trap.sel(paradigm=name, classes=count, learning_rate=rate)
                for at, values in enumerate(of_name.transpose("segments", "seed").values):
                    if (known := values[np.isfinite(values)]).size:
                        x = at + _APART * (place - (len(names) - 1) / 2)
                        draw(ax, x, known, style_of(name, names))
            last = row == len(rates) - 1
            format_axes(ax, "images of a mosaic" if last else "", "" if column else words)
            ax.grid(False, axis="x")
            ax.set_xlim(-0.5, len(lengths) - 0.5)
            ax.set_xticks(np.arange(len(lengths)), [f"{length}" for length in lengths])
            set_title(ax, f"{count} classes, rate {rate:g}")
    looks = {name: {"color": style_of(name, names).colour, "lw": 2.0} for name in names}
    axes[0, 0].legend(handles=legend_handles(looks))
    one_legend(figure, list(axes.flat))
    return figure, axes
