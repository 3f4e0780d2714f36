"""Learning rate times sharpness, along training and its first limit: where the edge is."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis import limit_gaps
from jaxattn.analysis.edge_of_stability import edge_in, products
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.core.contracts import InputError
from jaxattn.plots.canvas import new_axes, panels_of
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import curves, runs
from jaxattn.plots.frame import finish_axes, label_of, set_title
from jaxattn.plots.legends import legend_handles
from jaxattn.plots.limit_panels import Rate, close_figure, finished_limits, rates_of, same_heights
from jaxattn.plots.title_words import left_out, seeds_words, setting_words
from jaxattn.results.derived import first_crossing

__all__ = ["DRAWINGS", "sharpness", "sharpnesses"]

_TRAINING: dict[str, Any] = {"lw": 3.2, "alpha": 0.5}
_FLOW: dict[str, Any] = {"lw": 1.5, "linestyle": (0, (4, 2))}
_BELOW: dict[str, Any] = {"lw": 0.9, "alpha": 0.6}


def sharpness(ds: xr.Dataset, ax: Axes | None = None, paradigm: str | None = None) -> Axes:
    """Learning rate times sharpness against time, a colour a learning rate; log scale.

    Wide and pale along training, dashed along its first limit; medians over seeds. Thin lines are
    the eigenvalues of training below the largest one, where they were measured. The horizontal
    line is the edge of stability where one holds of what was measured (see
    `jaxattn.analysis.edge_of_stability.edge_in`), a ring where training first reaches it.

    Args:
        ds: a result with limits, of which the sharpness was measured.
        ax: where to draw; by default on a new figure.
        paradigm: by default the first.

    Raises:
        InputError: no limits or no sharpness in the result, or a paradigm that it does not have.
    """
    rates, limit = rates_of(ds, paradigm), (*limit_gaps.limits_in(ds), "")[0]
    name = rates[0].setting.paradigms[0]
    if products(ds) is None:
        raise InputError(
            "sharpness: got a result without it, expected one of a constant learning rate; "
            "compare with against=('flow',) and curvature=1."
        )
    ax = new_axes() if ax is None else ax
    ax.set_yscale("log")
    drawn = []
    for one in rates:
        time, train = one.setting.ds["time"].values, curves(one.setting, "sharpness", name)
        drawn.append(train)
        beside = curves(one.setting, "sharpness", name, limit)
        for each, look in ((train, _TRAINING | {"label": one.label}), (beside, _FLOW)):
            if len(each.seeds):
                middle = one.rate * each.quantile(0.5)
                seen = middle > 0
                ax.plot(time[seen], middle[seen], color=one.colour, **look)
        for middle in _below(one, name):
            seen = middle > 0
            ax.plot(time[seen], middle[seen], color=one.colour, **_BELOW)
        level = edge_in(one.setting.ds)
        if level is not None and len(train.seeds):
            at = float(first_crossing(time, one.rate * train.quantile(0.5), float(level)))
            ax.plot([at], [float(level)], marker="o", ms=7, mew=1.4, color=one.colour, mfc="white")
    looks = {limit: _FLOW} | ({"next eigenvalues": _BELOW} if _below(rates[0], name) else {})
    grey = {label: {"color": "0.35", **look} for label, look in looks.items()}
    handles = [*ax.get_legend_handles_labels()[0], *legend_handles(grey)]
    handles += [
        ax.axhline(level, color="black", lw=1.0, zorder=1, label=f"edge: {level:.3g}")
        for level in _levels(rates)
    ]
    setting = rates[0].setting
    title = (
        setting_words(setting._replace(words=""), name),
        f"medians over {seeds_words(drawn)}",
        left_out(drawn),
    )
    labels = label_of(setting.ds["time"].attrs, "time"), "learning rate times sharpness"
    return finish_axes(ax, labels, title, handles, columns=7)


def _below(one: Rate, paradigm: str) -> list[Float[np.ndarray, " save"]]:
    """Learning rate times each eigenvalue of training but the largest: medians over seeds."""
    if "eigenvalues" not in one.setting.ds:
        return []
    found = runs(one.setting, "eigenvalues", paradigm)
    return list(one.rate * found.quantile(0.5).T[1:]) if len(found.seeds) else []


def _levels(rates: Sequence[Rate]) -> list[float]:
    """The edges at these learning rates, each once."""
    found = (edge_in(one.setting.ds) for one in rates)
    return sorted({float(level) for level in found if level is not None})


def sharpnesses(ds: xr.Dataset, paradigms: Sequence[str] | None = None) -> Figure:
    """`sharpness` of every paradigm, a panel each.

    Raises:
        InputError: as for `sharpness`.
    """
    names = rates_of(ds, None)[0].setting.paradigms
    names = names if paradigms is None else tuple(paradigms)
    figure, panels = panels_of(len(names), 2.4, 1.2)
    lost = []
    for (ax, left, bottom), name in zip(panels, names, strict=True):
        sharpness(ds, ax, name)
        lost += [curves(one.setting, "sharpness", name) for one in rates_of(ds, None)]
        ax.set_xlabel("time" if bottom else "")
        ax.set_ylabel(ax.get_ylabel() if left else "")
        set_title(ax, name)
    axes = [panel.ax for panel in panels]
    same_heights(axes)
    close_figure(figure, axes, rates_of(ds, None)[0].setting, lost)
    return figure


_EDGE = (
    "The horizontal line is the edge of stability, above which steps on a quadratic grow; a ring "
    "marks where training first reaches it."
)
_NO_EDGE = "No edge of stability is drawn: for this optimiser none is known of the Hessian itself."


def _drawings(story: Story) -> Iterator[Drawing]:
    ds = story.ds
    if finished_limits(story) and products(ds) is not None:
        yield Drawing(
            "limit_sharpness",
            "Learning rate times sharpness",
            "Learning rate times the largest eigenvalue of the Hessian against time, a colour a "
            "learning rate: wide pale lines along training, dashed ones along "
            f"{limit_words(limit_gaps.limits_in(ds)[0])}; a panel a paradigm, medians over "
            f"{story.over}. {_NO_EDGE if edge_in(ds) is None else _EDGE}",
            partial(sharpnesses, ds),
        )


DRAWINGS = (Entry(30, _drawings),)
