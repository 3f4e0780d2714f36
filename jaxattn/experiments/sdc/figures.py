"""FTPT against the length of a bag: a panel for each set of mosaics, a line for each paradigm."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxattn.analysis.best_rates import best_of_rates
from jaxattn.analysis.intervals import interval
from jaxattn.experiments.sdc.findings import at_best_rate
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.error_cells import error_cells
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import style_of

__all__ = ["by_length", "cells_of"]


def by_length(ds: xr.Dataset) -> Figure:
    """FTPT at the last step, each paradigm by its own rule at its best rate.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "by_length", "sdc", "error_cell", "segments")
    splits = [str(split) for split in ds["split"].values if split != "validation"]
    names = list(map(str, ds["paradigm"].values))
    lengths = ds["segments"].values
    figure, axes = new_grid(1, len(splits), 3.6)
    ends = at_best_rate(ds)
    looks, lowest = {}, 100.0
    for column, (ax, split) in enumerate(zip(axes[0], splits, strict=True)):
        for place, name in enumerate(names):
            own = ends.sel(paradigm=name, split=split, cell="FTPT")
            own = own.sel(inference=str(own["natural_inference"].values))
            found = interval(own["error_cell"].transpose("segments", "seed").values)
            style = style_of(name, names)
            # Side by side, so that intervals do not hide each other.
            at = np.arange(len(lengths)) + 0.03 * (place - (len(names) - 1) / 2)
            reach = [found.mean - found.low, found.high - found.mean]
            ax.errorbar(at, found.mean, reach, color=style.colour, lw=1.6, capsize=2)
            lowest = min([lowest, *found.low[np.isfinite(found.low)]])
            looks[name] = {"color": style.colour, "lw": 2.0}
        format_axes(ax, "images of a mosaic", "" if column else "FTPT [%]")
        ax.set_xticks(np.arange(len(lengths)), [f"{length}" for length in lengths])
        set_title(ax, split)
    for ax in axes[0]:
        ax.set_ylim(lowest - 2, 100.5)
    axes[0, 0].legend(handles=legend_handles(looks))
    one_legend(figure, list(axes[0]))
    return figure


def _best_for_most(ds: xr.Dataset) -> float:
    """The learning rate that is best for more paradigms than any other; of several the smallest."""
    best = best_of_rates(ds)
    assert best is not None
    found, counts = np.unique(best["index"].values, return_counts=True)
    return float(ds["learning_rate"].values[found[counts.argmax()]])


def cells_of(ds: xr.Dataset, length: int) -> Figure:
    """FTPT, FFPT, FTPF and FFPF of held-out mosaics of one length, at one learning rate for all.

    That which is best for most paradigms; the table has each at its own.

    Args:
        ds: a result of the experiment, also half finished.
        length: one of its bags.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "cells_of", "sdc", "error_cell", "segments")
    one = ds.sel(segments=length)
    figure = error_cells(one, learning_rate=_best_for_most(one)).figure
    assert isinstance(figure, Figure)
    return figure
