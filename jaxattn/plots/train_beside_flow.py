"""Training, gradient flow and theory on one time axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.plots.selection import (
    Curves,
    Setting,
    choose,
    curves,
    left_out,
    names_of,
    paired,
    run_words,
    seeds_words,
    setting_words,
    split_of,
    style_in,
    switch_on,
)
from jaxattn.plots.style import (
    SYMBOLS,
    dress,
    label_of,
    legend_below,
    new_axes,
    new_panels,
    one_legend,
    set_title,
)

__all__ = ["QUANTITIES", "beside_flow", "mu_nu", "population"]

QUANTITIES = tuple(SYMBOLS)
"""The state of the reduced system, and the attention that follows from nu."""

_PAIR = ("train", "flow")
_DASHES = (0, (4, 2))
_PROCESSES: dict[str, tuple[dict[str, Any], str]] = {
    "theory": ({"lw": 6.0, "alpha": 0.3, "solid_capstyle": "butt"}, "theory"),
    "flow": ({"lw": 1.5, "linestyle": _DASHES}, "gradient flow"),
    "train": ({"linestyle": "none", "markersize": 5.0, "mfc": "white", "mew": 1.2}, "training"),
}
_MARKS = 0.09
"""Distance between the markers of training, as a share of the axes' diagonal."""


def beside_flow(
    ds: xr.Dataset,
    ax: Axes | None = None,
    measure: str = "attention_foreground",
    learning_rate: float | None = None,
    split: str | None = None,
    paradigms: Sequence[str] | None = None,
) -> Axes:
    """Training beside its gradient flow on the time axis, of the seeds that have both.

    Wide pale lines are medians of training and thin ones its seeds; dashed lines are medians of
    the flow.

    Args:
        ds: a result with a flow.
        ax: where to draw; by default on a new figure.
        measure: a variable of the result with one value a seed and save.
        learning_rate: as for `jaxattn.plots.learning`.
        split: by default test where there is one.
        paradigms: which to draw; by default all.

    Raises:
        InputError: no flow in the result, or a name or learning rate that it does not have.
    """
    if "flow" not in names_of(ds, "process"):
        raise InputError(
            "beside_flow: got a result without a gradient flow, expected one; compare with "
            "flow_seeds=2."
        )
    setting = choose(ds, learning_rate, paradigms)
    split = split_of(setting.ds, split)
    pairs = [
        paired(*(curves(setting, measure, name, process, split=split) for process in _PAIR))
        for name in setting.paradigms
    ]
    drawn = [flow for _, flow in pairs]
    time = setting.ds["time"].values
    ax = new_axes() if ax is None else ax
    for train, flow in pairs:
        if not len(flow.seeds):
            continue
        style = style_in(setting, flow.paradigm)
        colour = style.colour
        if len(train.seeds) > 1:
            ax.plot(time, train.values.T, color=colour, lw=0.7, alpha=0.5)
        ax.plot(time, train.quantile(0.5), color=colour, lw=3.2, alpha=0.4)
        ax.plot(
            time,
            flow.quantile(0.5),
            color=colour,
            lw=1.5,
            linestyle=_DASHES,
            marker=style.marker,
            markersize=4.5,
            markerfacecolor="white",
            markevery=2 * _MARKS,
        )
    variable = setting.ds[measure]
    dress(ax, label_of(setting.ds["time"].attrs, "time"), label_of(variable.attrs, measure))
    over = seeds_words(drawn)
    set_title(
        ax,
        setting_words(setting, f"{split} split" if "split" in variable.dims else ""),
        "" if over == "1 seed" else f"medians over {over} with a flow",
        _learnt_from(setting.ds),
        left_out(drawn),
    )
    found = [one.paradigm for one in drawn if len(one.seeds)]
    keys = [
        *_paradigm_keys(setting, found),
        Line2D([], [], color="0.35", lw=3.2, alpha=0.4, label="training"),
        Line2D([], [], color="0.35", lw=1.5, linestyle=_DASHES, label="gradient flow"),
        *_switch(ax, setting, drawn),
    ]
    legend_below(ax, keys if found else [])
    return ax


def _learnt_from(ds: xr.Dataset) -> str:
    """What the flow learns from, where that is not what training learns from."""
    if "learning_examples" not in ds.coords:
        return ""
    train, flow = (int(ds["learning_examples"].sel(process=name)) for name in _PAIR)
    return "" if train == flow else f"the flow learns from the first {flow} of {train} examples"


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
                look |= {"marker": style.marker, "markevery": _MARKS}
            ax.plot(time[shown], one.quantile(0.5)[shown], color=style.colour, **look)
    words = label_of(setting.ds[quantity].attrs, quantity)
    dress(ax, label_of(setting.ds["time"].attrs, "time"), f"{SYMBOLS[quantity]}: {words}")
    set_title(ax, setting_words(setting), left_out(drawn))
    keys = _keys(setting, drawn)
    legend_below(ax, [*keys, *_switch(ax, setting, drawn)] if keys else [])
    return ax


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


def _keys(setting: Setting, drawn: list[Curves]) -> list[Line2D]:
    """What the colours and what the kinds of line say."""
    there = [one for one in drawn if len(one.seeds)]
    found = {one.paradigm for one in there}
    keys = _paradigm_keys(setting, [name for name in setting.paradigms if name in found])
    for process in (name for name in _PROCESSES if name in {one.process for one in there}):
        look, words = _PROCESSES[process]
        marker = "o" if process == "train" else ""
        keys.append(Line2D([], [], color="0.35", marker=marker, label=words, **look))
    return keys


def _paradigm_keys(setting: Setting, paradigms: list[str]) -> list[Line2D]:
    styles = ((name, style_in(setting, name)) for name in paradigms)
    return [
        Line2D([], [], color=style.colour, marker=style.marker, ms=5, mfc="white", label=name)
        for name, style in styles
    ]


def _switch(ax: Axes, setting: Setting, drawn: list[Curves]) -> list[Line2D]:
    if (switch := switch_on(setting, "time", drawn)) is None:
        return []
    colour = style_in(setting, "hybrid").colour
    line = ax.axvline(switch, color=colour, lw=0.8, alpha=0.7, zorder=1, label="hybrid switches")
    return [line]
