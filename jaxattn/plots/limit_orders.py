"""Training against its continuous limits: of which order in the learning rate they part."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxattn.analysis.limit_gaps import limits_in, order_records
from jaxattn.analysis.limit_wording import limit_words, slope_words
from jaxattn.analysis.wording import listed
from jaxattn.flow import LIMITS
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, left_out, seeds_words
from jaxattn.plots.frame import finish_axes, number_ticks
from jaxattn.plots.legends import shown_label
from jaxattn.plots.limit_panels import (
    draw_own_errors,
    finished_limits,
    own_error_of,
    rates_of,
    shares_of,
)
from jaxattn.plots.lines import BAND
from jaxattn.plots.selection import choose
from jaxattn.plots.style import SMALL

__all__ = ["DRAWINGS", "orders"]

_LIMIT_LINES: tuple[Any, ...] = ((0, ()), (0, (5, 2)), (0, (1.3, 1.3)), (0, (5, 1.4, 1.2, 1.4)))


def orders(ds: xr.Dataset, ax: Axes | None = None, paradigms: Sequence[str] | None = None) -> Axes:
    """Largest distance of training from each limit against the learning rate, both logarithmic.

    Medians over seeds, bars from 10 to 90 % of them. The legend has the fitted slope with its 95 %
    interval; grey lines have the power that is expected of a limit, thin level ones are at its own
    error, the largest of the paradigms', where it is near. No slope is given of a stochastic limit.

    Args:
        ds: a result with limits and several learning rates.
        ax: where to draw; by default on a new figure.
        paradigms: which to draw; by default all.

    Raises:
        InputError: no limits in the result, or a paradigm that it does not have.
    """
    rates, limits = rates_of(ds, None), limits_in(ds)
    setting = choose(ds, rates[0].rate, paradigms)
    fitted = _fitted(ds)
    values = np.asarray([rate.rate for rate in rates])
    ax = new_axes(4.4) if ax is None else ax
    ax.set_xscale("log")
    ax.set_yscale("log")
    drawn = []
    for limit, line in zip(limits, _LIMIT_LINES * len(limits), strict=False):
        lowest, power = np.inf, _power(limit)
        for name in setting.paradigms:
            by_rate = [shares_of(rate.setting, name, limit)[0] for rate in rates]
            drawn += by_rate
            low, middle, high = np.transpose([_largest(curve) for curve in by_rate])
            known = np.isfinite(middle) & (middle > 0)
            if not known.any():
                continue
            style = setting.style(name)
            ax.plot(
                values[known],
                middle[known],
                color=style.colour,
                lw=1.5,
                linestyle=line,
                marker=style.marker,
                markersize=5,
                mfc=style.colour if limit == limits[0] else "white",
                label=shown_label(f"{name}, {limit}{fitted.get((limit, name), '')}"),
            )
            ax.vlines(values[known], low[known], high[known], color=style.colour, lw=1.0)
            lowest = min(lowest, middle[known][-1] / values[known][-1] ** power)
        if np.isfinite(lowest) and power > 0 and len(values) > 1:
            _guide(ax, values, 0.6 * lowest * values**power, power)
    levels = {}
    for limit in limits:
        own = np.asarray([own_error_of(ds, name, limit) for name in setting.paradigms])
        level = np.full(values.shape, np.max(own[np.isfinite(own)], initial=0.0))
        levels[shown_label(f"own error of {limit_words(limit)}")] = level
    draw_own_errors(ax, values, levels)
    number_ticks(ax.xaxis, values.tolist())
    title = (
        rates[0].setting.title_words(),
        f"medians over {seeds_words(drawn)}; slopes with 95 % intervals",
        left_out(drawn),
    )
    labels = "learning rate", "largest distance from the limit"
    return finish_axes(ax, labels, title, columns=2)


def _power(limit: str) -> float:
    known = LIMITS.get(limit)
    return float(known.convergence_order) if known is not None and not known.stochastic else 0.0


def _fitted(ds: xr.Dataset) -> dict[tuple[str, str], str]:
    """Slopes as they are written, by limit and paradigm, at the first point of other axes."""
    words: dict[tuple[str, str], str] = {}
    for line in order_records(ds):
        if np.isfinite(line["slope"]):
            words.setdefault((line["dynamics"], line["paradigm"]), f": {slope_words(line)}")
    return words


def _largest(curve: Curves) -> list[float]:
    """Low end of the band, median and high end of the seeds' largest distances."""
    if not len(curve.seeds):
        return [np.nan] * 3
    return np.quantile(curve.values.max(axis=1), (BAND[0], 0.5, BAND[1])).tolist()


def _guide(ax: Axes, rates: np.ndarray, heights: np.ndarray, power: float) -> None:
    ax.plot(rates, heights, color="0.6", lw=1.0, zorder=1)
    # At the smallest rate: there guides are apart even where limits cross.
    ax.annotate(
        f"power {power:g}",
        (rates[-1], heights[-1]),
        (6, -2),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=SMALL,
        color="0.4",
    )


def _drawings(story: Story) -> Iterator[Drawing]:
    limits = finished_limits(story)
    if limits and story.ds.sizes.get("learning_rate", 1) > 1:
        yield story.drawing(
            "limit_orders",
            "Of which order training follows its limits",
            f"Largest distance of training from {listed(map(limit_words, limits))} against the "
            f"learning rate, both logarithmic, medians over {story.over}, bars from 10 to 90 % of "
            "them. Slopes are in the legend with their 95 % intervals; grey lines have the power "
            "that is expected; thin level ones, where near, are at a limit's own error. The "
            "steeper a line, the more a smaller learning rate helps.",
            orders,
        )


DRAWINGS = (Entry(20, _drawings),)
