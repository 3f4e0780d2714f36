"""The four cells of PAPER 1.6 as stacked bars: is the focus true, and is the answer?"""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from jaxattn.analysis.intervals import interval
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, left_out, runs, seeds_words, unknown_words
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_below, legend_patches
from jaxattn.plots.selection import choose, moment, name_paradigms
from jaxattn.plots.style import SMALL
from jaxattn.problems.measures import CELLS

__all__ = ["DRAWINGS", "error_cells"]

_WORDS = (
    "focus and answer true",
    "focus false, answer true",
    "focus true, answer false",
    "focus and answer false",
)
"""What each of `CELLS` is."""

_STRENGTH = (1.0, 0.55, 0.3, 0.12)
"""The share of the paradigm's colour: strong where the answer is true."""
_HATCH = ("", "////", "", "////")
"""Cells are hatched where the focus is false."""
_LOOKS = {
    f"{cell}: {words}": {
        "facecolor": str(1 - 0.65 * strength),
        "hatch": hatch,
        "edgecolor": "white",
    }
    for cell, words, strength, hatch in zip(CELLS, _WORDS, _STRENGTH, _HATCH, strict=True)
}
"""How the patches of the legend look, in grey."""
_WIDTH = 0.56
_LEAST = 3.5
"""Per cent: a thinner part has no room for its number."""


def error_cells(
    ds: xr.Dataset,
    ax: Axes | None = None,
    axis: str = "step",
    at: float | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """FTPT, FFPT, FTPF and FFPF as one stacked bar a paradigm.

    The parts are means over seeds, which add up to 100 %. A whisker is the 95 % interval of the
    mean height of the edge it is at (`jaxattn.analysis.intervals.interval`): of FTPT, of FTPT +
    FFPT, which is the accuracy, and of all but FFPF.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        axis: step, time or gradients: what `at` is a value of.
        at: which save; by default the last.
        split: by default test where there is one.
        learning_rate: as for `jaxattn.plots.learning`.
        paradigms: which to draw; by default all.
        inference: an inference rule for all; by default each paradigm's own.

    Raises:
        InputError: a name, a learning rate or a save that the result does not have.
    """
    setting = choose(ds, learning_rate, paradigms, split, inference)
    here = moment(setting, axis, at)
    drawn = [runs(setting, "error_cell", name) for name in setting.paradigms]
    ax = new_axes() if ax is None else ax
    whiskers = False
    for place, run in enumerate(drawn):
        shares = run.values[:, here.save]
        if not np.isfinite(shares).any():
            continue
        colour = np.asarray(to_rgb(setting.style(run.paradigm).colour))
        means = shares.mean(axis=0)
        for part, (mean, top) in enumerate(zip(means, np.cumsum(means), strict=True)):
            ax.bar(
                place,
                mean,
                _WIDTH,
                top - mean,
                color=1 - _STRENGTH[part] * (1 - colour),
                hatch=_HATCH[part],
                edgecolor="white",
                linewidth=0.8,
            )
            if mean >= _LEAST:
                x, y = place + _WIDTH / 2 + 0.04, top - mean / 2
                ax.text(x, y, f"{mean:.0f} %", va="center", fontsize=SMALL, color="0.15")
        # The last edge is 100 %. Side by side, so that whiskers do not cover each other.
        edges = interval(np.cumsum(shares, axis=1).T[:-1])
        across = place + _WIDTH * np.array([-0.25, 0.0, 0.25])
        low, high = (np.clip(limit, 0, 100) for limit in (edges.low, edges.high))
        ax.vlines(across, low, high, color="0.1", lw=1.1)
        for limit in (low, high):
            ax.plot(across, limit, ls="none", marker="_", color="0.1", markersize=6, mew=1.1)
        whiskers |= bool(np.isfinite(low).any())
    format_axes(ax, "", "share of examples [%]")
    name_paradigms(ax, setting, "error_cell")
    ax.set_ylim(0, 103)
    answers = f"answers by {inference}" if inference else ""
    unknown = unknown_words(drawn, here.save)
    set_title(
        ax,
        setting.title_words(setting.split_words, answers, here.words),
        f"means over {seeds_words(drawn)}",
        "whiskers: 95 % interval of the mean height of an edge" if whiskers else "",
        left_out(drawn),
        unknown,
    )
    legend_below(ax, [] if unknown else legend_patches(_LOOKS), columns=2)
    return ax


def _drawings(story: Story) -> Iterator[Drawing]:
    if drawn := story.runs("error_cell"):
        parts = "; ".join(f"{run.paradigm}: {_shares_words(run)}" for run in drawn)
        yield story.drawing(
            "error_cells",
            "Right for the right reason?",
            "Examples by whether most attention is on the foreground (focus) and whether the "
            "answer is right, at the end of training, as one stacked bar a paradigm; "
            f"{story.where}. Parts are means over {story.over}, whiskers 95 % intervals. {parts}.",
            error_cells,
        )


def _shares_words(run: Curves) -> str:
    shares = zip(run.values[:, -1].mean(axis=0), _WORDS, strict=True)
    return ", ".join(f"{share:.0f} % {words}" for share, words in shares)


DRAWINGS = (Entry(80, _drawings),)
