"""Attention on the tiles of words, one caption word by word, and heat maps of what is written."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxattn.analysis.intervals import interval
from jaxattn.experiments.captions.findings import at_the_end
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.selection import require
from jaxattn.plots.style import SMALL, style_of

__all__ = ["attention_by_word", "words_on_tiles", "written_maps"]


def words_on_tiles(ds: xr.Dataset) -> Figure:
    """Attention on the tile of a word by paradigm: seeds, means and intervals.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "words_on_tiles", "captions", "data", "attention_foreground")
    sets, names = list(map(str, ds["data"].values)), list(map(str, ds["paradigm"].values))
    attention = at_the_end(ds, "attention_foreground")
    figure, axes = new_grid(1, len(sets), 3.0)
    for ax, data in zip(axes.flat, sets, strict=True):
        for place, name in enumerate(names):
            values = attention.sel(data=data, paradigm=name).values
            known, colour = values[np.isfinite(values)], style_of(name, names).colour
            if not known.size:
                continue
            found = interval(known)
            ax.plot(np.full(known.size, place), known, ".", color=colour, alpha=0.55, mew=0)
            reach = [[found.mean - found.low], [found.high - found.mean]]
            ax.errorbar(place + 0.15, found.mean, reach, color=colour, marker="_", capsize=3)
        ax.axhline(1 / ds.sizes["segment"], color="0.4", lw=0.9, ls="--", zorder=0.5)
        format_axes(ax, "", "attention on the tile")
        ax.set(ylim=(-0.02, 1.02))
        ax.set_xticks(np.arange(len(names)), names)
        set_title(ax, data)
    return figure


def attention_by_word(ds: xr.Dataset) -> Figure:
    """Attention on each tile for each word of the first held-out caption, by paradigm.

    Args:
        ds: a finished result of the experiment.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "attention_by_word", "captions", "attention_by_word", "first_caption")
    sets, names = list(map(str, ds["data"].values)), list(map(str, ds["paradigm"].values))
    shown = at_the_end(ds, "attention_by_word").isel(shown=0).mean("seed")
    figure, axes = new_grid(len(sets), len(names), 0.9 + 2.2 * len(sets))
    for row, data in enumerate(sets):
        words = list(map(str, ds["first_caption"].sel(data=data).values))
        for column, name in enumerate(names):
            ax, table = axes[row, column], shown.sel(data=data, paradigm=name)
            grid = table.transpose("word", "segment").values
            ax.imshow(grid, cmap="Greys", vmin=0, vmax=1, aspect="auto")
            ax.set_yticks(np.arange(len(words)), words if column == 0 else [])
            ax.set_xticks(np.arange(grid.shape[1]), np.arange(1, grid.shape[1] + 1))
            ax.set_xlabel("tile")
            ax.grid(False)
            set_title(ax, name, colour=style_of(name, names).colour)
            for place, tile in enumerate(ds["first_tile"].sel(data=data).values):
                if tile >= 0:
                    corner, colour = (tile - 0.5, place - 0.5), style_of(name, names).colour
                    ax.add_patch(Rectangle(corner, 1, 1, fill=False, ec=colour, lw=1.6))
    return figure


def written_maps(ds: xr.Dataset) -> Figure:
    """The heat map of each paradigm, of captions that were written.

    Args:
        ds: a finished result of the experiment.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "written_maps", "captions", "written_map")
    sets, names = list(map(str, ds["data"].values)), list(map(str, ds["paradigm"].values))
    edges = ("0 to .2", ".2 to .3", ".3 to 1")
    figure, axes = new_grid(len(sets), len(names), 0.9 + 2.0 * len(sets))
    for row, data in enumerate(sets):
        for column, name in enumerate(names):
            ax, table = axes[row, column], ds["written_map"].sel(data=data, paradigm=name)
            share = table.mean("seed").transpose("answer_3", "attention_3").values
            ax.imshow(share, cmap="coolwarm", vmin=5, vmax=70, origin="lower", aspect="auto")
            for (y, x), value in np.ndenumerate(share):
                ink = "black" if 20 < value < 55 else "white"
                ax.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=SMALL, color=ink)
            ax.set_xticks(range(3), edges, fontsize=SMALL)
            ax.set_yticks(range(3), edges if column == 0 else [], fontsize=SMALL)
            ax.set_xlabel("attention")
            ax.set_ylabel("chance of the word" if column == 0 else "")
            ax.grid(False)
            set_title(ax, name, colour=style_of(name, names).colour)
    return figure
