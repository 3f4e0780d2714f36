"""FTPT against the length of a bag: a panel for each set of mosaics, a line for each paradigm."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

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
    looks = {}
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
            looks[name] = {"color": style.colour, "lw": 2.0}
        format_axes(ax, "images of a mosaic", "" if column else "FTPT [%]")
        ax.set_xticks(np.arange(len(lengths)), [f"{length}" for length in lengths])
        ax.set_ylim(top=100.5)
        if column:
            ax.sharey(axes[0, 0])
        set_title(ax, split)
    axes[0, 0].legend(handles=legend_handles(looks))
    one_legend(figure, list(axes[0]))
    return figure


def cells_of(ds: xr.Dataset, length: int) -> Figure:
    """FTPT, FFPT, FTPF and FFPF of held-out mosaics of one length.

    Args:
        ds: a result of the experiment, also half finished.
        length: one of its bags.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "cells_of", "sdc", "error_cell", "segments")
    figure = error_cells(ds.sel(segments=length)).figure
    assert isinstance(figure, Figure)
    return figure
