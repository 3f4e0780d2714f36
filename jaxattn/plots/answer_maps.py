"""Right for the right reason, by how much: attention on the foreground against the answer."""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes, new_grid
from jaxattn.plots.drawing import Drawing, Entry, Story, named_words
from jaxattn.plots.finished_rows import left_out, runs, seeds_words, unknown_words
from jaxattn.plots.frame import clauses, format_axes, set_title
from jaxattn.plots.legends import set_caption
from jaxattn.plots.selection import choose, moment
from jaxattn.plots.style import SMALL
from jaxattn.problems.measures import EDGES

__all__ = ["DRAWINGS", "answer_map", "answer_maps"]

_PUBLISHED = "average-input"
"""The reading of s_y that PAPER 3.5 draws for every paradigm."""

_X = r"$a_z$: attention on the foreground"
_Y = r"$s_y$: chance of the right class"


def answer_map(
    ds: xr.Dataset,
    ax: Axes | None = None,
    paradigm: str = "soft",
    inference: str | None = None,
    axis: str = "step",
    at: float | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
) -> Axes:
    """Share of examples by attention on the foreground and chance of the right class (PAPER 3.5).

    Per cent of the examples whose foreground is known, mean over seeds, in cells with the fixed
    edges 0, 0.2, ..., 1. Upper right: right for the right reason; upper left: right in spite of
    a wrong focus.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        paradigm: the one whose answers are drawn.
        inference: how it answers; by default its own rule. PAPER 3.5 reads all by average-input.
        axis: step, time or gradients: what `at` is a value of.
        at: which save; by default the last.
        split: by default test where there is one.
        learning_rate: as for `jaxattn.plots.learning`.

    Raises:
        InputError: a name, a learning rate or a save that the result does not have.
    """
    # All paradigms are chosen from, so that every panel of a result shows the same learning rate.
    setting = choose(ds, learning_rate, split=split, inference=inference)
    resolve("paradigm", dict.fromkeys(setting.paradigms), paradigm)
    here = moment(setting, axis, at)
    drawn = [runs(setting, "answer_map", paradigm)]
    shares, unknown = drawn[0].values[:, here.save], unknown_words(drawn, here.save)
    ax = new_axes() if ax is None else ax
    if not unknown:
        _cells(ax, shares.mean(axis=0))
    format_axes(ax, _X, _Y)
    ax.grid(False)
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=EDGES, yticks=EDGES)
    set_title(
        ax,
        setting.title_words(setting.split_words, here.words),
        f"{paradigm}, answers by {setting.rule(paradigm)}",
        f"% of examples, mean over {seeds_words(drawn)}",
        left_out(drawn),
        unknown,
    )
    return ax


def answer_maps(
    ds: xr.Dataset,
    axis: str = "step",
    at: float | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
) -> Figure:
    """`answer_map` of each paradigm, a row each: read as published, and by its own rule.

    Raises:
        InputError: as for `answer_map`.
    """
    setting = choose(ds, learning_rate, paradigms, split)
    here = moment(setting, axis, at)
    drawn = [runs(setting, "answer_map", name) for name in setting.paradigms]
    figure, axes = new_grid(len(drawn), 2, height=0.9 + 2.0 * len(drawn))
    for row, name in zip(axes, setting.paradigms, strict=True):
        own = setting.rule(name)
        read = {f"{_PUBLISHED} (published)": _PUBLISHED, f"{own} (own rule)": own}
        for ax, (words, rule) in zip(row, read.items(), strict=True):
            answer_map(setting.ds, ax, name, rule, axis, at, split)
            set_title(ax, f"{name}: {words}", colour=setting.style(name).colour)
            ax.label_outer()
    said = clauses(
        setting.run_words(setting.split_words, here.words),
        f"numbers: % of the examples, mean over {seeds_words(drawn)}",
        left_out(drawn),
    )
    set_caption(figure, f"{said}.")
    return figure


def _cells(ax: Axes, shares: np.ndarray) -> None:
    """A grey cell and its number for each ``[attention_bin, answer_bin]``."""
    # Grey goes by the square root, so that a few per cent differ from none.
    grey = PowerNorm(0.5, vmin=0, vmax=100)
    ax.pcolormesh(EDGES, EDGES, shares.T, cmap="Greys", norm=grey, edgecolors="0.8", lw=0.5)
    middles = (np.asarray(EDGES[:-1]) + np.asarray(EDGES[1:])) / 2
    for (x, y), share in np.ndenumerate(shares):
        ax.text(
            middles[x],
            middles[y],
            f"{share:.1f}",
            ha="center",
            va="center",
            fontsize=SMALL,
            color="white" if share > 30 else "0.1",
            in_layout=False,
        )


def _drawings(story: Story) -> Iterator[Drawing]:
    if drawn := story.runs("answer_map"):
        corner = named_words(
            (run.paradigm, f"{run.values[:, -1, -1, -1].mean():.0f} %") for run in drawn
        )
        yield story.drawing(
            "answer_maps",
            "Attention on the foreground against the answer",
            "Per cent of the examples by attention on the foreground (across) and chance given to "
            "the right class (up), in steps of 0.2, at the end of training, a row of panels a "
            f"paradigm: left by {_PUBLISHED}, as published, right by its own inference rule; "
            f"{story.where}, mean over {story.over}. Above 0.8 in both, by its own rule: {corner}.",
            answer_maps,
        )


DRAWINGS = (Entry(90, _drawings, attention=True),)
