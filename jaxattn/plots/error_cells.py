"""The four cells of PAPER 1.6 as stacked bars: is the focus true, and is the answer?"""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxattn.plots.canvas import new_axes
from jaxattn.plots.cell_bars import WORDS, cell_patches, stacked_bar
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, left_out, runs, seeds_words, unknown_words
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_below
from jaxattn.plots.selection import choose, moment, name_paradigms

__all__ = ["DRAWINGS", "error_cells"]


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
        whiskers |= stacked_bar(ax, place, shares, setting.style(run.paradigm).colour)
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
    legend_below(ax, [] if unknown else cell_patches(), columns=2)
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
    shares = zip(run.values[:, -1].mean(axis=0), WORDS, strict=True)
    return ", ".join(f"{share:.0f} % {words}" for share, words in shares)


DRAWINGS = (Entry(80, _drawings, attention=True),)
