"""The verdicts of all claims as a grid: a row a claim, a column a set of images."""

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
    figure, axes = new_grid(1, 1, 0.9 + 0.55 * len(claims))
    ax = axes[0, 0]
    for line in lines:
        x, y = columns.index(line["data"]), claims.index(line["claim"])
        ax.fill_between([x + 0.02, x + 0.98], y + 0.04, y + 0.96, color=_GREYS[line["verdict"]])
        why = f"{line['why_not']}\n" if line.get("why_not") else ""
        words = f"{line['verdict']}\n{why}{_measured(line)}".strip()
        ax.text(x + 0.5, y + 0.5, words, ha="center", va="center", fontsize=SMALL)
    ax.set(xlim=(0, len(columns)), ylim=(len(claims), 0))
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns)
    ax.set_yticks(np.arange(len(claims)) + 0.5, claims)
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
