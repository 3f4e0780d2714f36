"""Curves of a measure: of training alone, and with all that stands beside it."""

from collections.abc import Sequence
from typing import Any

import xarray as xr
from matplotlib.axes import Axes

from jaxattn.plots.canvas import new_axes
from jaxattn.plots.dynamics_lines import Request, draw_request
from jaxattn.plots.finished_rows import curves as curves_of
from jaxattn.plots.finished_rows import left_out, seeds_words, unknown_words
from jaxattn.plots.frame import finish_axes
from jaxattn.plots.lines import BAND_WORDS, Line, draw_lines, mark_switch
from jaxattn.plots.selection import choose

__all__ = ["accuracy", "curves", "focus", "learning"]


def focus(
    ds: xr.Dataset,
    ax: Axes | None = None,
    axis: str = "step",
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
) -> Axes:
    """Attention on the foreground against training: `learning` of that measure."""
    ax = learning(ds, ax, "attention_foreground", axis, split, learning_rate, paradigms)
    ax.set_ylim(-0.02, 1.02)
    return ax


def accuracy(
    ds: xr.Dataset,
    ax: Axes | None = None,
    axis: str = "step",
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """Accuracy against training, each paradigm by its own inference rule unless one is given."""
    ax = learning(ds, ax, "accuracy", axis, split, learning_rate, paradigms, inference)
    ax.set_ylim(-2, 102)
    return ax


def learning(
    ds: xr.Dataset,
    ax: Axes | None = None,
    measure: str = "objective",
    axis: str | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """Any measure against training: the median, and the band from 10 to 90 %, over seeds.

    A thin vertical line is where the hybrid switches. `curves` draws limits and theories beside. Of
    problems without training it is the flow's.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        measure: a variable of the result with one value a seed and save.
        axis: step, time or gradients; by default step, or time where nothing was trained.
        split: by default test where there is one.
        learning_rate: one of the result's; by default the largest at which training of every
            paradigm has a finished seed.
        paradigms: which to draw; by default all.
        inference: an inference rule for all; by default each paradigm's own.

    Raises:
        InputError: a name or a learning rate that the result does not have.
    """
    setting = choose(ds, learning_rate, paradigms, split, inference)
    axis = setting.axis(axis)
    drawn = [curves_of(setting, measure, name, setting.run) for name in setting.paradigms]
    names, by_own_rules = setting.names(measure), setting.by_own_rules(measure)
    ax = new_axes() if ax is None else ax
    x = setting.along(axis)
    styles = (setting.style(curve.paradigm) for curve in drawn)
    draw_lines(
        ax,
        [
            Line(curve, x, style.colour, style.line, names[curve.paradigm])
            for curve, style in zip(drawn, styles, strict=True)
        ],
    )
    mark_switch(ax, setting, axis, drawn)
    title = (
        setting.measured_words(measure),
        f"{BAND_WORDS} over {seeds_words(drawn)}",
        "in brackets: how it answers" if by_own_rules else "",
        left_out(drawn),
        unknown_words(drawn),
    )
    labels = setting.label(axis), setting.label(measure)
    return finish_axes(ax, labels, title, columns=2 if by_own_rules else 5)


def curves(
    ds: xr.Dataset,
    measure: str = "objective",
    *,
    axis: str | None = None,
    log: str = "",
    dynamics: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    **sel: Any,
) -> Axes:
    """A measure along training and all that was run beside it: median and 10 to 90 % band.

    A colour is a paradigm or problem, and a line a dynamics: full is training (the first that is
    drawn, where there is none), broken lines are continuous limits and theories, as the legend
    says. A measure with labels of its own has a line for each of them, and so has a list in `sel`.

    Args:
        ds: a result.
        measure: a variable of the result along its saves.
        axis: step, time or gradients; by default step where training is drawn, else time.
        log: which axes are logarithmic: x, y, xy, or auto: x where saves are spaced over more than
            two decades, y where a positive curve falls by a factor of 100 or more.
        dynamics: which to draw, a name or several; by default all.
        ax: where to draw; by default on a new figure.
        **sel: labels along any axis of the result, one or a list, as ``mode=[0, 1]``,
            ``learning_rate=0.1``, ``split="train"``. By default the test split where there is one,
            the largest learning rate at which training finished, and the first value of whatever
            else was swept.

    Raises:
        InputError: a name or a label that the result does not have, or more than ten lines for each
            run.
    """
    return draw_request(ds, Request(measure, axis, log, dynamics, sel), ax)
