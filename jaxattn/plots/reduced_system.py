"""Training, gradient flow and theory of the solvable setting on one time axis."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes, new_panels
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, curves, left_out
from jaxattn.plots.frame import clauses, finish_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.lines import mark_switch
from jaxattn.plots.selection import Setting, choose, names_of
from jaxattn.plots.style import SYMBOLS
from jaxattn.plots.train_beside_flow import DASHES, MARKS, paradigm_handles

__all__ = ["DRAWINGS", "mu_nu", "population"]

_QUANTITIES = tuple(SYMBOLS)
"""The state of the reduced system, and the attention that follows from nu."""

_DYNAMICS: dict[str, tuple[dict[str, Any], str]] = {
    "theory": ({"lw": 6.0, "alpha": 0.3, "solid_capstyle": "butt"}, "theory"),
    "flow": ({"lw": 1.5, "linestyle": DASHES}, "gradient flow"),
    "train": ({"linestyle": "none", "markersize": 5.0, "mfc": "white", "mew": 1.2}, "training"),
}


def mu_nu(
    ds: xr.Dataset,
    ax: Axes | None = None,
    quantity: str = "mu",
    learning_rate: float | None = None,
    split: str | None = None,
    log: bool = False,
    paradigms: Sequence[str] | None = None,
) -> Axes:
    """Where the reduced system, the flow of all parameters and training are, against time.

    Theory is a wide pale line, the flow a dashed one and training a few markers: where they
    agree one sees one curve. Each is the median over its finished seeds; what a result does not
    have is not drawn.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        quantity: mu, nu or attention_foreground.
        learning_rate: as for `jaxattn.plots.learning`.
        split: by default train, of which the theory speaks.
        log: time on a logarithmic axis, without its start at 0.
        paradigms: which to draw; by default all.

    Raises:
        InputError: a name or a learning rate that the result does not have.
    """
    resolve("quantity", dict.fromkeys(_QUANTITIES), quantity)
    setting = choose(ds, learning_rate, paradigms, split, first="train")
    drawn = _reduced_curves(setting, quantity)
    ax = new_axes() if ax is None else ax
    time = setting.ds["time"].values
    shown = time > 0 if log else np.ones(time.shape, bool)
    if log:
        ax.set_xscale("log")
    # In the order of the all_dynamics: theory lies below, the markers of training on top.
    for curve in drawn:
        if len(curve.seeds):
            style, look = setting.style(curve.paradigm), dict(_DYNAMICS[curve.dynamics][0])
            if curve.dynamics == "train":
                look |= {"marker": style.marker, "markevery": MARKS}
            ax.plot(time[shown], curve.quantile(0.5)[shown], color=style.colour, **look)
    labels = setting.label("time"), f"{SYMBOLS[quantity]}: {setting.label(quantity)}"
    title = setting.title_words(), left_out(drawn)
    handles = _handles(setting, drawn)
    handles += mark_switch(ax, setting, "time", drawn) if handles else []
    return finish_axes(ax, labels, title, handles)


def population(
    ds: xr.Dataset,
    learning_rate: float | None = None,
    split: str | None = None,
    log: bool = False,
) -> Figure:
    """`mu_nu` for mu, nu and the attention on the foreground, side by side.

    Raises:
        InputError: as for `mu_nu`.
    """
    setting = choose(ds, learning_rate, split=split, first="train")
    figure, axes = new_panels(len(_QUANTITIES), height=3.9)
    for ax, quantity in zip(axes, _QUANTITIES, strict=True):
        mu_nu(ds, ax, quantity, learning_rate, split, log)
        set_title(ax)
        ax.set_xlabel("time")  # what it is, the caption says once
    lost = left_out(_reduced_curves(setting, "mu"))
    caption = clauses(setting.run_words(), lost, setting.clock_words())
    one_legend(figure, axes, columns=8, caption=caption)
    return figure


def _reduced_curves(setting: Setting, quantity: str) -> list[Curves]:
    present = names_of(setting.ds, "dynamics")
    return [
        curves(setting, quantity, paradigm, dynamics)
        for dynamics in _DYNAMICS
        if dynamics in present
        for paradigm in setting.paradigms
    ]


def _handles(setting: Setting, drawn: list[Curves]) -> list[Line2D]:
    """What the colours and what the kinds of line say."""
    shown = [curve for curve in drawn if len(curve.seeds)]
    finished = {curve.paradigm for curve in shown}
    all_dynamics = {curve.dynamics for curve in shown}
    kinds = {
        words: {"color": "0.35", "marker": "o" if dynamics == "train" else "", **look}
        for dynamics, (look, words) in _DYNAMICS.items()
        if dynamics in all_dynamics
    }
    paradigms = [name for name in setting.paradigms if name in finished]
    return paradigm_handles(setting, paradigms) + legend_handles(kinds)


def _drawings(story: Story) -> Iterator[Drawing]:
    if {*_QUANTITIES} <= set(story.ds.data_vars):
        flows = story.finished("flow")
        flow = "dashed lines the gradient flow of all parameters, " if flows else ""
        yield story.drawing(
            "population",
            f"The solvable setting: training{', flow' if flows else ''} and theory",
            "The logit gap mu (left), the score gap nu (middle) and the attention on the "
            f"foreground (right) against time; {story.setting.title_words()}. Wide pale lines are "
            f"the exact reduced system, {flow}markers training: where they agree one sees one "
            "curve.",
            population,
        )


DRAWINGS = (Entry(140, _drawings, dynamics="theory", solvable=True, attention=True),)
