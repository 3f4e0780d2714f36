"""The published figure: the reduced system against time, one line a paradigm."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes, new_panels
from jaxattn.plots.frame import finish_axes
from jaxattn.plots.legends import one_legend
from jaxattn.plots.style import SYMBOLS, style_of
from jaxattn.problems.measures import MEASURES

__all__ = ["QUANTITIES", "theory_figure", "theory_panels"]

QUANTITIES = {"mu": "mu", "nu": "nu", "attention": "attention_foreground"}
"""Attributes of a path, and the measures that say in words what they are."""


def theory_figure(
    paths: Mapping[str, Any],
    ax: Axes | None = None,
    quantity: str = "mu",
    log: bool = False,
    title: str = "",
) -> Axes:
    """The reduced system against time.

    Args:
        paths: by paradigm, what has the arrays ``time``, ``mu``, ``nu`` and ``attention``, such
            as a `jaxattn.reduced.ReducedPath`. One whose ``status`` is not done is left out.
        ax: where to draw; by default on a new figure.
        quantity: mu, nu or attention.
        log: time on a logarithmic axis, without its start at 0.
        title: what was solved, such as "100 segments, 1000 classes".

    Raises:
        InputError: no such quantity, or no path.
    """
    resolve("quantity", QUANTITIES, quantity)
    if not paths:
        raise InputError("paths: got none, expected at least one paradigm's; solve one first.")
    ax = new_axes() if ax is None else ax
    if log:
        ax.set_xscale("log")
    failed = []
    for name, path in paths.items():
        if int(getattr(path, "status", Status.DONE)) != Status.DONE:
            failed.append(name)
            continue
        style, time = style_of(name, list(paths)), np.asarray(path.time)
        shown = time > 0 if log else np.ones(time.shape, bool)
        values = np.asarray(getattr(path, quantity))
        ax.plot(
            time[shown],
            values[shown],
            color=style.colour,
            linestyle=style.line,
            lw=2.2,
            label=name,
        )
    if not log:
        ax.set_xlim(left=0)
    measure = next(spec for spec in MEASURES if spec.name == QUANTITIES[quantity])
    # All examples are alike here, so there is no mean to speak of.
    words = f"{SYMBOLS[measure.name]}: {measure.long_name.removesuffix(', mean')}"
    left_out = f"left out, not solved: {', '.join(failed)}" if failed else ""
    return finish_axes(ax, ("time: step times learning rate", words), (title, left_out))


def theory_panels(paths: Mapping[str, Any], log: bool = False, title: str = "") -> Figure:
    """`theory_figure` for mu, nu and the attention, side by side; the title is above the first.

    Raises:
        InputError: no path.
    """
    figure, axes = new_panels(len(QUANTITIES), height=3.6)
    for ax, quantity in zip(axes, QUANTITIES, strict=True):
        theory_figure(paths, ax, quantity, log, title if ax is axes[0] else "")
    one_legend(figure, axes)
    return figure
