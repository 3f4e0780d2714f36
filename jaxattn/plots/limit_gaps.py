"""Training against its continuous limits: how far apart."""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis.limit_gaps import TOLERANCE, limits_in
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.subject import problem_word
from jaxattn.analysis.wording import listed
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes, new_grid
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import left_out, seeds_words
from jaxattn.plots.frame import finish_axes, set_title
from jaxattn.plots.limit_panels import (
    close_figure,
    draw_own_errors,
    finished_limits,
    mark_crossing,
    own_error_of,
    rates_of,
    same_heights,
    shares_of,
)
from jaxattn.plots.lines import fill_band

__all__ = ["DRAWINGS", "distance", "distances"]


def distance(
    ds: xr.Dataset, ax: Axes | None = None, limit: str | None = None, paradigm: str | None = None
) -> Axes:
    """How far training is from a limit against time, a line a learning rate: medians over seeds.

    In shares of the limit's own way, the furthest that it comes from its start: above the dotted
    line training has left the limit, and a ring marks the first save at which it has. Lines are
    straight between saves. Bands reach from 10 to 90 % of the seeds.
    The limit's own error is a thin grey line, where it is known and near.

    Args:
        ds: a result with limits.
        ax: where to draw; by default on a new figure.
        limit: by default the first.
        paradigm: by default the first.

    Raises:
        InputError: no limits in the result, or a name that it does not have.
    """
    rates, limits = rates_of(ds, paradigm), limits_in(ds)
    limit = limits[0] if limit is None else limit
    resolve("limit", dict.fromkeys(limits), limit)
    name, drawn, ways = rates[0].setting.paradigms[0], [], []
    ax = new_axes() if ax is None else ax
    ax.set_yscale("log")
    for rate in rates:
        both, shares, way = shares_of(rate.setting, name, limit)
        drawn.append(both)
        if not len(shares):
            continue
        middle = np.median(shares, axis=0)
        ways.append(way)
        seen = (rate.time > 0) & (middle > 0)
        ax.plot(rate.time[seen], middle[seen], color=rate.colour, lw=1.6, label=rate.label)
        fill_band(ax, rate.time[seen], shares[:, seen], rate.colour, alpha=0.15)
        mark_crossing(ax, rate, middle, TOLERANCE, ms=5, mew=1.2)
    if ax.lines:
        own = own_error_of(ds, name, limit) / np.median(ways)
        draw_own_errors(ax, rates[0].time, {"own error of the limit": own})
        words = f"{100 * TOLERANCE:g} % of its way"
        ax.axhline(TOLERANCE, color="0.3", lw=1.0, ls=(0, (1, 1.6)), zorder=1, label=words)
    setting, called = rates[0].setting, limit_words(limit)
    title = (
        setting.title_words(name),
        f"medians over {seeds_words(drawn)}, as a share of the way of {called}",
        left_out(drawn),
    )
    labels = setting.label("time"), f"distance from {called}"
    return finish_axes(ax, labels, title, columns=7)


def distances(ds: xr.Dataset, paradigms: Sequence[str] | None = None) -> Figure:
    """`distance` from every limit, one beside the other, a row a paradigm.

    Raises:
        InputError: as for `distance`.
    """
    rates, limits = rates_of(ds, None), limits_in(ds)
    names = rates[0].setting.paradigms if paradigms is None else tuple(paradigms)
    figure, axes = new_grid(len(names), len(limits), height=2.0 * len(names) + 1.2)
    drawn = []
    for row, name in zip(axes, names, strict=True):
        for ax, limit in zip(row, limits, strict=True):
            distance(ds, ax, limit, name)
            drawn += [shares_of(rate.setting, name, limit)[0] for rate in rates]
            # What time is, the caption says once.
            ax.set_xlabel("time" if name == names[-1] else "")
            ax.set_ylabel("distance, share of its way" if limit == limits[0] else "")
            set_title(ax, f"{name} and {limit_words(limit)}")
            if not ax.lines:
                ax.set_axis_off()
                set_title(ax, f"{name}: no run is done")
    same_heights(list(axes.flat))
    close_figure(figure, list(axes.flat), rates[0].setting, drawn)
    return figure


def _drawings(story: Story) -> Iterator[Drawing]:
    if limits := finished_limits(story):
        yield story.drawing(
            "limit_distances",
            "How far training is from its continuous limits",
            f"Distance of the parameters of training from {listed(map(limit_words, limits))}, as a "
            "share of the furthest that the limit comes from its start, against time, both at a "
            f"logarithmic height; a row a {problem_word(story.ds)}, a column a limit, a colour a "
            "learning rate, "
            f"medians over {story.over}, straight between saves. A ring marks the first save above "
            f"the dotted line: by then training has left the limit, by {100 * TOLERANCE:g} % of "
            "its way. Thin "
            "and grey, where near: the limit's own error, below which distances are the solver's.",
            distances,
        )


DRAWINGS = (Entry(10, _drawings),)
