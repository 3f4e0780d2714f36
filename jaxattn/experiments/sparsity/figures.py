"""What each attention map ends with, and how sparse and right attention becomes on the way."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxattn.analysis.intervals import interval
from jaxattn.experiments.sparsity.published import published
from jaxattn.experiments.sparsity.statistic import COLUMNS, ends_of, task_of
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import palette

__all__ = ["by_map", "where_it_is"]

_THEIRS: Mapping[str, Any] = {"color": "0.4", "marker": "D", "mfc": "none", "lw": 0, "ms": 5}


def by_map(ds: xr.Dataset) -> Figure:
    """A panel for each column of the table: seeds, mean and interval, map by map.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "by_map", "sparsity", "attention", "sparsity", "simplex_distance")
    ends, task = ends_of(ds).isel(learning_rate=0), task_of(ds)
    names = list(map(str, ends["attention"].values))
    figure, axes = new_grid(2, len(COLUMNS) // 2, 5.0)
    colours = dict(zip(names, palette(len(names)), strict=True))
    looks: dict[str, Mapping[str, Any]] = {
        name: {"color": colour, "lw": 2.0} for name, colour in colours.items()
    }
    for ax, (name, column) in zip(axes.flat, COLUMNS.items(), strict=True):
        for place, (attention, colour) in enumerate(colours.items()):
            values = ends[name].sel(attention=attention).values
            known = values[np.isfinite(values)]
            at = np.full(known.size, place - 0.22)
            ax.plot(at, known, ".", color=colour, ms=5, alpha=0.6, mew=0)
            if known.size:
                found = interval(known)
                reach = [[found.mean - found.low], [found.high - found.mean]]
                ax.errorbar(
                    place, found.mean, reach, color=colour, fmt="o", ms=4, lw=1.6, capsize=3
                )
            theirs = published(task, attention, name)
            if theirs is not None:
                ax.plot(place + 0.25, theirs, **_THEIRS)
                looks["published, another protocol"] = _THEIRS
        set_title(ax, f"{column.words} [{column.unit}]" if column.unit else column.words)
        format_axes(ax, "", "")
        ax.grid(False, axis="x")
        ax.set(xticks=[], xlim=(-0.6, len(names) - 0.4))
        if column.unit == "%":
            ax.set_ylim(top=min(ax.get_ylim()[1], 100.5))
    axes[0, 0].legend(handles=legend_handles(looks))
    one_legend(figure, list(axes.flat))
    return figure


def where_it_is(ds: xr.Dataset) -> Figure:
    """Attention on the foreground against the segments that have any, save by save.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "where_it_is", "sparsity", "attention", "sparsity", "attention_foreground")
    one = ds.sel(dynamics="train", split="test").isel(paradigm=0, segments=0, learning_rate=0)
    means = one.isel(entropy_weight=0)[["sparsity", "attention_foreground"]].mean("seed")
    names = list(map(str, means["attention"].values))
    figure, axes = new_grid(1, 1, 3.6)
    ax, looks = axes[0, 0], {}
    for name, colour in zip(names, palette(len(names)), strict=True):
        path = means.sel(attention=name).transpose("save", ...)
        x, y = path["sparsity"].values, path["attention_foreground"].values
        ax.plot(x, y, color=colour, lw=1.6)
        ax.plot(x[:1], y[:1], "o", mfc="none", color=colour, ms=6)
        ax.plot(x[-1:], y[-1:], "o", color=colour, ms=6)
        looks[name] = {"color": colour, "lw": 2.0}
    format_axes(ax, "segments with attention above 0.01", "attention on the foreground")
    ax.legend(handles=legend_handles(looks))
    one_legend(figure, [ax])
    return figure
