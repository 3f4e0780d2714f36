"""Training, gradient flow and theory of the solvable setting on one time axis."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes, new_panels
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, curves
from jaxattn.plots.frame import finish_axes, label_of, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import Setting, choose, names_of, split_of, style_in
from jaxattn.plots.style import SYMBOLS
from jaxattn.plots.title_words import left_out, run_words, setting_words
from jaxattn.plots.train_beside_flow import DASHES, MARKS, paradigm_handles, switch_handles

__all__ = ["DRAWINGS", "QUANTITIES", "mu_nu", "population"]

QUANTITIES = tuple(SYMBOLS)
"""The state of the reduced system, and the attention that follows from nu."""

_PROCESSES: dict[str, tuple[dict[str, Any], str]] = {
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
    resolve("quantity", dict.fromkeys(QUANTITIES), quantity)
    setting = choose(ds, learning_rate, paradigms)
    split = split_of(setting.ds, split, first="train")
    drawn = _reduced_curves(setting, quantity, split)
    ax = new_axes() if ax is None else ax
    time = setting.ds["time"].values
    shown = time > 0 if log else np.ones(time.shape, bool)
    if log:
        ax.set_xscale("log")
    # In the order of the processes: theory lies below, the markers of training on top.
    for one in drawn:
        if len(one.seeds):
            style, look = style_in(setting, one.paradigm), dict(_PROCESSES[one.process][0])
            if one.process == "train":
                look |= {"marker": style.marker, "markevery": MARKS}
            ax.plot(time[shown], one.quantile(0.5)[shown], color=style.colour, **look)
    words = label_of(setting.ds[quantity].attrs, quantity)
    labels = label_of(setting.ds["time"].attrs, "time"), f"{SYMBOLS[quantity]}: {words}"
    title = setting_words(setting), left_out(drawn)
    handles = _handles(setting, drawn)
    handles += switch_handles(ax, setting, drawn) if handles else []
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
    setting = choose(ds, learning_rate)
    figure, axes = new_panels(len(QUANTITIES), height=3.9)
    for ax, quantity in zip(axes, QUANTITIES, strict=True):
        mu_nu(ds, ax, quantity, learning_rate, split, log)
        set_title(ax)
        ax.set_xlabel("time")  # what it is, the caption says once
    lost = left_out(_reduced_curves(setting, "mu", split_of(setting.ds, split, first="train")))
    clock = label_of(setting.ds["time"].attrs, "time")
    said = [run_words(setting), lost, clock if clock != "time" else ""]
    one_legend(figure, axes, columns=8, caption="; ".join(part for part in said if part))
    return figure


def _reduced_curves(setting: Setting, quantity: str, split: str) -> list[Curves]:
    there = names_of(setting.ds, "process")
    return [
        curves(setting, quantity, paradigm, process, split=split)
        for process in _PROCESSES
        if process in there
        for paradigm in setting.paradigms
    ]


def _handles(setting: Setting, drawn: list[Curves]) -> list[Line2D]:
    """What the colours and what the kinds of line say."""
    there = [one for one in drawn if len(one.seeds)]
    found = {one.paradigm for one in there}
    processes = {one.process for one in there}
    kinds = {
        words: {"color": "0.35", "marker": "o" if process == "train" else "", **look}
        for process, (look, words) in _PROCESSES.items()
        if process in processes
    }
    paradigms = [name for name in setting.paradigms if name in found]
    return paradigm_handles(setting, paradigms) + legend_handles(kinds)


def _drawings(story: Story) -> Iterator[Drawing]:
    if {*QUANTITIES} <= set(story.ds.data_vars):
        yield Drawing(
            "population",
            "The solvable setting: training, flow and theory",
            "The logit gap mu (left), the score gap nu (middle) and the attention on the "
            f"foreground (right) against time; {setting_words(story.setting)}. Wide pale lines are "
            "the exact reduced system, dashed lines the gradient flow of all parameters, markers "
            "training: where they agree one sees one curve.",
            partial(population, story.ds),
        )


DRAWINGS = (Entry(140, _drawings, process="theory", solvable=True),)
