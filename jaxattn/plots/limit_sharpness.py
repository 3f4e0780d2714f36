"""Learning rate times sharpness, along training and its first limit: where the edge is."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis.edge_of_stability import edge_in, products
from jaxattn.analysis.limit_gaps import limits_in
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.subject import problem_word
from jaxattn.core.contracts import InputError
from jaxattn.plots.canvas import new_axes, panels_of
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import curves, left_out, runs, seeds_words
from jaxattn.plots.frame import finish_axes, set_title
from jaxattn.plots.legends import legend_handles
from jaxattn.plots.limit_panels import (
    Rate,
    close_figure,
    finished_limits,
    mark_crossing,
    rates_of,
    same_heights,
)

__all__ = ["DRAWINGS", "sharpness", "sharpnesses"]

_TRAINING: dict[str, Any] = {"lw": 3.2, "alpha": 0.5}
_FLOW: dict[str, Any] = {"lw": 1.5, "linestyle": (0, (4, 2))}
_BELOW: dict[str, Any] = {"lw": 0.9, "alpha": 0.6}


def sharpness(ds: xr.Dataset, ax: Axes | None = None, paradigm: str | None = None) -> Axes:
    """Learning rate times sharpness against time, a colour a learning rate; log scale.

    Wide and pale along training, dashed along its first limit; medians over seeds. Thin lines are
    the eigenvalues of training below the largest one, where they were measured. The horizontal
    line is the edge of stability where one holds of what was measured (see
    `jaxattn.analysis.edge_of_stability.edge_in`), a ring the first save at which training has
    reached it.

    Args:
        ds: a result with limits, of which the sharpness was measured.
        ax: where to draw; by default on a new figure.
        paradigm: by default the first.

    Raises:
        InputError: no limits or no sharpness in the result, or a paradigm that it does not have.
    """
    rates = rates_of(ds, paradigm)
    limit, name = limits_in(ds)[0], rates[0].setting.paradigms[0]
    if products(ds) is None:
        raise InputError(
            "sharpness: got a result without it, expected one of a constant learning rate; "
            "compare with against=('flow',) and curvature=1."
        )
    ax = new_axes() if ax is None else ax
    ax.set_yscale("log")
    drawn = []
    for rate in rates:
        train = curves(rate.setting, "sharpness", name)
        beside = curves(rate.setting, "sharpness", name, limit)
        drawn.append(train)
        both = (train, _TRAINING | {"label": rate.label}), (beside, _FLOW)
        lines = [(curve.quantile(0.5), look) for curve, look in both if len(curve.seeds)]
        lines += [(middle, _BELOW) for middle in _below(rate, name)]
        for middle, look in lines:
            seen = middle > 0
            product = rate.rate * middle[seen]
            ax.plot(rate.time[seen], product, color=rate.colour, **look)
        level = edge_in(rate.setting.ds)
        if level is not None and len(train.seeds):
            product = rate.rate * train.quantile(0.5)
            mark_crossing(ax, rate, product, float(level), ms=7, mew=1.4)
    looks = {limit: _FLOW} | ({"next eigenvalues": _BELOW} if _below(rates[0], name) else {})
    grey = {label: {"color": "0.35", **look} for label, look in looks.items()}
    handles = [*ax.get_legend_handles_labels()[0], *legend_handles(grey)]
    handles += [
        ax.axhline(level, color="black", lw=1.0, zorder=1, label=f"edge: {level:.3g}")
        for level in _levels(rates)
    ]
    setting = rates[0].setting
    title = setting.title_words(name), f"medians over {seeds_words(drawn)}", left_out(drawn)
    labels = setting.label("time"), "learning rate times sharpness"
    return finish_axes(ax, labels, title, handles, columns=7)


def _below(rate: Rate, paradigm: str) -> list[Float[np.ndarray, " save"]]:
    """Each eigenvalue of training but the largest: medians over seeds."""
    if "eigenvalues" not in rate.setting.ds:
        return []
    each = runs(rate.setting, "eigenvalues", paradigm)
    return list(each.quantile(0.5).T[1:]) if len(each.seeds) else []


def _levels(rates: Sequence[Rate]) -> list[float]:
    """The edges at these learning rates, each once."""
    levels = (edge_in(rate.setting.ds) for rate in rates)
    return sorted({float(level) for level in levels if level is not None})


def sharpnesses(ds: xr.Dataset, paradigms: Sequence[str] | None = None) -> Figure:
    """`sharpness` of every paradigm, a panel each.

    Raises:
        InputError: as for `sharpness`.
    """
    rates = rates_of(ds, None)
    names = rates[0].setting.paradigms if paradigms is None else tuple(paradigms)
    figure, panels = panels_of(len(names), 2.4, 1.2)
    drawn = []
    for (ax, left, bottom), name in zip(panels, names, strict=True):
        sharpness(ds, ax, name)
        drawn += [curves(rate.setting, "sharpness", name) for rate in rates]
        ax.set_xlabel("time" if bottom else "")
        ax.set_ylabel(ax.get_ylabel() if left else "")
        set_title(ax, name)
    axes = [panel.ax for panel in panels]
    same_heights(axes)
    close_figure(figure, axes, rates[0].setting, drawn)
    return figure


_EDGE = (
    "The horizontal line is the edge of stability, above which steps on a quadratic grow; a ring "
    "marks the first save at which training has reached it."
)
_NO_EDGE = "No edge of stability is drawn: for this optimiser none is known of the Hessian itself."


def _drawings(story: Story) -> Iterator[Drawing]:
    ds = story.ds
    if finished_limits(story) and products(ds) is not None:
        yield story.drawing(
            "limit_sharpness",
            "Learning rate times sharpness",
            "Learning rate times the largest eigenvalue of the Hessian against time, a colour a "
            "learning rate: wide pale lines along training, dashed ones along "
            f"{limit_words(limits_in(ds)[0])}; a panel a {problem_word(ds)}, medians over "
            f"{story.over}. {_NO_EDGE if edge_in(ds) is None else _EDGE}",
            sharpnesses,
        )


DRAWINGS = (Entry(30, _drawings),)
