"""Medians over seeds as lines, with the band of the seeds: what all curves are drawn with."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxattn.plots.finished_rows import Curves
from jaxattn.plots.legends import shown_label
from jaxattn.plots.selection import Setting

__all__ = [
    "BAND",
    "BAND_WORDS",
    "FLAT",
    "Line",
    "draw_lines",
    "falls_over_decades",
    "fill_band",
    "mark_switch",
    "spans_decades",
]

BAND = (0.1, 0.9)
"""Quantiles over seeds between which the band lies."""

BAND_WORDS = "median and {:.0f} to {:.0f} % band".format(*(100 * share for share in BAND))

FLAT = 100.0
"""What is smaller than this part of an axis of a column's height is no higher than a line on it is
wide: its curve lies on the axis."""


class Line(NamedTuple):
    """A curve of some seeds, and how it looks; `curve` has one value a seed and save."""

    curve: Curves
    x: Shaped[np.ndarray, " save"]
    colour: str
    line: Any
    label: str
    width: float = 1.9
    alpha: float = 1.0
    shade: float = 0.13
    """Of the band."""


def draw_lines(ax: Axes, lines: Sequence[Line]) -> None:
    """The median of each line and its band, in order; nothing of those without a finished seed."""
    for line in lines:
        if not len(line.curve.seeds):
            continue
        # What a logarithmic axis cannot show is no part of a line on it.
        seen = line.x > 0 if ax.get_xscale() == "log" else np.ones(len(line.x), bool)
        x, middle = line.x[seen], line.curve.quantile(0.5)[seen]
        if ax.get_yscale() == "log":
            middle = np.where(middle > 0, middle, np.nan)
        ax.plot(
            x,
            middle,
            color=line.colour,
            linestyle=line.line,
            lw=line.width,
            alpha=line.alpha,
            label=shown_label(line.label),
        )
        fill_band(ax, x, line.curve.values[:, seen], line.colour, alpha=line.shade)


def fill_band(
    ax: Axes,
    x: Shaped[np.ndarray, " save"],
    values: Float[np.ndarray, "seed save"],
    colour: str,
    alpha: float,
) -> None:
    """Fill what lies between the quantiles `BAND` of several seeds."""
    if len(values) > 1:
        low, high = np.quantile(values, BAND, axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)


def spans_decades(x: Shaped[np.ndarray, " save"]) -> bool:
    """Whether saves are spaced over decades: on a linear axis half of them are in its first tenth.

    Saves in equal ratios are so where they span more than two decades; those in equal steps, or
    spaced like their squares, never are. A first save at 0 does not count.
    """
    after = np.sort(x[x > 0])
    return after.size > 2 and bool(np.median(after) < after[-1] / 10)


def falls_over_decades(lines: Sequence[Line]) -> bool:
    """Whether a median falls so far that its end lies flat on a linear axis, and none is negative.

    What rises over decades ends where it can be read; of what falls a linear axis shows the start
    alone.
    """
    middles = [line.curve.quantile(0.5) for line in lines if len(line.curve.seeds)]
    known = [middle[np.isfinite(middle)] for middle in middles]
    known = [middle for middle in known if middle.size]
    if any((middle < 0).any() for middle in known):
        return False
    return any(_falls(middle) for middle in known)


def _falls(middle: Float[np.ndarray, " save"]) -> bool:
    positive = middle[middle > 0]
    return positive.size > 1 and bool(max(positive[-1], middle[-1]) * FLAT <= middle[0])


def mark_switch(ax: Axes, setting: Setting, axis: str, drawn: Sequence[Curves]) -> list[Line2D]:
    """The line where the hybrid switches; [] where none is drawn, or it switches outside."""
    ds = setting.ds
    switches = any(curve.paradigm == "hybrid" and len(curve.seeds) for curve in drawn)
    if not switches or "switch_time" not in ds.coords:
        return []
    switch, time = float(ds["switch_time"].item()), ds["time"].values
    if not time[0] <= switch <= time[-1]:
        return []
    at, colour = np.interp(switch, time, ds[axis].values), setting.style("hybrid").colour
    return [ax.axvline(at, color=colour, lw=0.8, alpha=0.7, zorder=1, label="hybrid switches")]
