"""The verdicts of all claims as a grid: a row a claim, a column a set of images."""

from collections.abc import Iterable
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxattn.analysis.wording import number_words, unit_words
from jaxattn.experiments.claims.findings import FAILS, HOLDS, UNDECIDED, numbers
from jaxattn.experiments.wording import Line
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.curves import focus
from jaxattn.plots.selection import require
from jaxattn.plots.style import SMALL

__all__ = ["focus_on", "verdicts"]

_LETTERS, _LINE = 84, 0.155
"""Small letters that all columns hold beside each other, and the height of a line in inches."""

_GREYS = {HOLDS: "#b7dfc9", FAILS: "#f3c6bd", UNDECIDED: "0.93"}


def verdicts(ds: xr.Dataset) -> Figure:
    """Every claim on theory and on every set, with what was measured of it.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "verdicts", "all", "data", "attention_foreground")
    lines = numbers(ds)
    claims = list(dict.fromkeys(str(line["claim"]) for line in lines))
    columns = list(dict.fromkeys(str(line["data"]) for line in lines))
    width = _LETTERS // len(columns)
    told = [(line["verdict"], line.get("why_not"), _measured(line)) for line in lines]
    said = [_wrapped(parts, width) for parts in told]
    rows = [claims.index(line["claim"]) for line in lines]
    # A line of air in every row, and each as high as its longest words.
    heights = np.full(len(claims), 3)
    np.maximum.at(heights, rows, [words.count("\n") + 2 for words in said])
    tops = np.cumsum([0, *heights])
    figure, axes = new_grid(1, 1, 0.9 + _LINE * tops[-1])
    ax = axes[0, 0]
    for line, words, row in zip(lines, said, rows, strict=True):
        x, top, bottom = columns.index(line["data"]), tops[row] + 0.1, tops[row + 1] - 0.1
        ax.fill_between([x + 0.02, x + 0.98], top, bottom, color=_GREYS[line["verdict"]])
        ax.text(x + 0.5, (top + bottom) / 2, words, ha="center", va="center", fontsize=SMALL)
    ax.set(xlim=(0, len(columns)), ylim=(tops[-1], 0))
    names = [_wrapped([column], width) for column in columns]
    ax.set_xticks(np.arange(len(columns)) + 0.5, names, fontsize=SMALL)
    ax.set_yticks((tops[1:] + tops[:-1]) / 2, claims)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return figure


def focus_on(one: xr.Dataset) -> Figure:
    """Attention on the foreground against training, on one set."""
    figure = focus(one).get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def _measured(line: Line) -> str:
    if not np.isfinite(line.get("difference", np.nan)):
        return ""
    return f"{number_words(line['difference'])}{unit_words(line['unit'])}"


def _wrapped(parts: Iterable[object], width: int) -> str:
    """Those that say something, each on lines of its own which fit into a column."""
    return "\n".join(fill(str(part), width) for part in parts if part)
