"""What a hybrid ends with against when it switches, beside soft and hard attention alone."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxattn.analysis.intervals import interval
from jaxattn.experiments.hybrid.findings import share_of_run
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import style_of

__all__ = ["by_switch"]

_MEASURES = {
    "attention_foreground": "attention on the foreground",
    "time_to_focus": "time to focus",
    "accuracy": "accuracy [%]",
}


def by_switch(ds: xr.Dataset) -> Figure:
    """A panel for each of attention, time to focus and accuracy, on held-out mosaics.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "by_switch", "hybrid", "switch_time", *_MEASURES)
    figure, axes = new_grid(1, len(_MEASURES), 3.4)
    times = ds["switch_time"].values
    shares = np.array([100 * share_of_run(ds, time) for time in times])
    looks = {}
    for ax, (measure, words) in zip(axes[0], _MEASURES.items(), strict=True):
        for name in map(str, ds["paradigm"].values):
            found = interval(_ends(ds, measure, name))
            style = style_of(name)
            looks[name] = {"color": style.colour, "lw": 2.0}
            if name == "hybrid":
                reach = [found.mean - found.low, found.high - found.mean]
                ax.errorbar(shares, found.mean, reach, color=style.colour, lw=1.6, capsize=2)
                continue
            # Alone it never switches: every switch has the same rows.
            ax.axhline(found.mean[0], color=style.colour, lw=1.4)
            ax.axhspan(found.low[0], found.high[0], color=style.colour, alpha=0.15, lw=0)
        ax.set(xlim=(0, 100), xticks=(0, 25, 50, 75, 100))
        format_axes(ax, "soft for [% of run]", words)
    axes[0, 0].legend(handles=legend_handles(looks))
    one_legend(figure, list(axes[0]))
    return figure


def _ends(ds: xr.Dataset, measure: str, name: str) -> np.ndarray:
    """Values ``[switch, seed]`` at the end of training, by the paradigm's own rule, on test."""
    values = ds[measure].sel(paradigm=name, dynamics="train").isel(segments=0, learning_rate=0)
    if "save" in values.dims:
        values = values.isel(save=-1)
    if "split" in values.dims:
        values = values.sel(split="test")
    if "inference" in values.dims:
        rule = str(ds["natural_inference"].sel(paradigm=name).values)
        values = values.sel(inference=rule)
    ended: np.ndarray = values.transpose("switch_time", "seed").values
    return ended
