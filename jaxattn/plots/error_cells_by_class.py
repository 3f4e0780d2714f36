"""The four cells of PAPER 1.6 of each class of the label: is it one class whose focus is wrong?"""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.figure import Figure

from jaxattn.core.contracts import InputError
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.cell_bars import cell_patches, stacked_bar
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, left_out, runs, seeds_words, unknown_words
from jaxattn.plots.frame import clauses, format_axes, set_title
from jaxattn.plots.legends import legend_below, one_legend
from jaxattn.plots.selection import choose, moment
from jaxattn.problems.measures import CELLS, MOST_CLASSES

__all__ = ["DRAWINGS", "error_cells_by_class"]

_MEASURE = "error_cell_by_class"

_LEAST = 6.0
"""Per cent: what a number is high, in a panel that is lower than a figure of its own."""

_BESIDE = 5
"""More classes than these need the width of the figure for each paradigm."""


def error_cells_by_class(
    ds: xr.Dataset,
    axis: str = "step",
    at: float | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Figure:
    """FTPT, FFPT, FTPF and FFPF of each class of the label, a panel a paradigm.

    As `jaxattn.plots.error_cells`, of the examples of one class alone, which add up to 100 %.

    Args:
        ds: a result of a task of at most `MOST_CLASSES` classes.
        axis: step, time or gradients: what `at` is a value of.
        at: which save; by default the last.
        split: by default test where there is one.
        learning_rate: as for `jaxattn.plots.learning`.
        paradigms: which to draw; by default all.
        inference: an inference rule for all; by default each paradigm's own.

    Raises:
        InputError: a name, a learning rate or a save that the result does not have; a result that
            does not tell its classes apart.
    """
    setting = choose(ds, learning_rate, paradigms, split, inference)
    if _MEASURE not in setting.ds:
        raise InputError(
            f"error_cells_by_class: got a result without {_MEASURE}, expected one of a task of at "
            f"most {MOST_CLASSES} classes, run by this version; draw error_cells."
        )
    here = moment(setting, axis, at)
    drawn = [runs(setting, _MEASURE, name) for name in setting.paradigms]
    classes = setting.ds["class"].values
    columns = 1 if len(drawn) == 1 or classes.size > _BESIDE else 2
    rows = -(-len(drawn) // columns)
    figure, grid = new_grid(rows, columns, 1.5 + 2.0 * rows)
    names = setting.names(_MEASURE)
    whiskers, unknown = False, unknown_words(drawn, here.save)
    for number, (ax, run) in enumerate(zip(grid.flat, drawn, strict=False)):
        style = setting.style(run.paradigm)
        for place, shares in enumerate(_of_class(run, here.save)):
            if shares.size:
                whiskers |= stacked_bar(ax, place, shares, style.colour, "", _LEAST)
        left, bottom = number % columns == 0, number + columns >= len(drawn)
        format_axes(
            ax, "class of the label" if bottom else "", "share of the class [%]" if left else ""
        )
        set_title(ax, names[run.paradigm], colour=style.colour)
        ax.set_xticks(range(classes.size), [str(one) for one in classes])
        ax.tick_params(axis="x", length=0, labelcolor="black")
        ax.grid(False, axis="x")
        ax.set(xlim=(-0.5, classes.size - 0.3), ylim=(0, 103))
        legend_below(ax, [] if unknown else cell_patches())
    for ax in list(grid.flat)[len(drawn) :]:
        ax.set_axis_off()
    said = clauses(
        setting.title_words(setting.split_words, here.words),
        f"numbers: % of the examples of a class, means over {seeds_words(drawn)}",
        "whiskers: 95 % interval of the mean height of an edge" if whiskers else "",
        left_out(drawn),
        unknown,
    )
    one_legend(figure, list(grid.flat), columns=2, caption=f"{said}.")
    return figure


def _of_class(run: Curves, save: int) -> Iterator[Float[np.ndarray, "seed cell"]]:
    """For each class the shares of its examples, of the seeds that have such examples."""
    for of_all in np.moveaxis(run.values[:, save], 1, 0):
        whole = of_all.sum(axis=-1)
        # NaN where no foreground is known: a class without examples has no shares either.
        here = whole > 0
        yield 100 * of_all[here] / whole[here, None]


def _drawings(story: Story) -> Iterator[Drawing]:
    if drawn := story.runs(_MEASURE):
        labels = story.setting.ds["class"].values
        yield story.drawing(
            "error_cells_by_class",
            "Which class is right for the wrong reason?",
            "As the error cells, of the examples of each class of the label alone, a panel a "
            f"paradigm; {story.where}. Parts are means over {story.over}, whiskers 95 % "
            f"intervals. {' '.join(_wrong_words(run, labels) for run in drawn)}",
            error_cells_by_class,
        )


def _wrong_words(run: Curves, labels: np.ndarray) -> str:
    """Of which class most examples are on which the focus is wrong, and how they are answered."""
    cells = run.values[:, -1].mean(axis=0)
    right, wrong = (cells[:, CELLS.index(name)] for name in ("FFPT", "FFPF"))
    missed = right + wrong
    if not missed.sum() > 0:
        return f"The focus of {run.paradigm} is wrong on no example."
    most = int(missed.argmax())
    return (
        f"Of the examples on which the focus of {run.paradigm} is wrong ({missed.sum():.0f} % of "
        f"all), {100 * missed[most] / missed.sum():.0f} % are of class {labels[most]}, and "
        f"{100 * right[most] / missed[most]:.0f} % of those are answered right."
    )


DRAWINGS = (Entry(85, _drawings, attention=True),)
