"""What figures of limits share: the learning rates they show, distances, panels of one scale."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from jaxattn.analysis import limit_gaps
from jaxattn.analysis.first_saves import first_save
from jaxattn.core.contracts import InputError
from jaxattn.plots.drawing import Story
from jaxattn.plots.finished_rows import Curves, curves, left_out, paired, seeds_words
from jaxattn.plots.frame import clauses
from jaxattn.plots.legends import one_legend
from jaxattn.plots.selection import Setting, choose

__all__ = [
    "Rate",
    "close_figure",
    "draw_own_errors",
    "finished_limits",
    "mark_crossing",
    "own_error_of",
    "rates_of",
    "same_heights",
    "shares_of",
]

_RAMP = matplotlib.colormaps["viridis"]
_KEYS = 6
"""More keys than these do not fit on one line."""


class Rate(NamedTuple):
    """A learning rate of a result, and how it is drawn."""

    setting: Setting
    rate: float
    colour: str
    label: str

    @property
    def time(self) -> Float[np.ndarray, " save"]:
        """The times of the saves."""
        return self.setting.ds["time"].values


def rates_of(ds: xr.Dataset, paradigm: str | None) -> list[Rate]:
    """The largest first, and darkest; one paradigm is drawn, by default the first.

    Raises:
        InputError: no limits in the result, or no such paradigm.
    """
    if not limit_gaps.limits_in(ds):
        raise InputError(
            "plots: got a result without continuous limits, expected training held against some; "
            "compare with against=('flow', 'modified')."
        )
    values = np.sort(np.atleast_1d(ds["learning_rate"].values)).astype(float)[::-1].tolist()
    rates = []
    for place, rate in enumerate(values):
        setting = choose(ds, rate, None if paradigm is None else [paradigm])
        colour = to_hex(_RAMP(0.85 * place / max(len(values) - 1, 1)))
        label = f"rate {rate:g}" if place == 0 else f"{rate:g}"
        # A figure shows all rates, and the first values of other axes, which its title leaves out.
        rates.append(Rate(setting._replace(at={}), rate, colour, label))
    return rates


def shares_of(
    setting: Setting, paradigm: str, limit: str
) -> tuple[Curves, Float[np.ndarray, "seed save"], float]:
    """Distance, distance over the limit's way, of the seeds that ended under both; median way."""
    train = curves(setting, "distance", paradigm)
    _, far = paired(train, curves(setting, "distance", paradigm, limit))
    _, moved = paired(train, curves(setting, "moved", paradigm, limit))
    way = moved.values.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return far, far.values / way, float(np.median(way)) if way.size else np.nan


def own_error_of(ds: xr.Dataset, paradigm: str, limit: str) -> Float[np.ndarray, " save"]:
    """A limit's own error at each save, at the first point of other axes; NaN: not known."""
    own = limit_gaps.own_errors(ds, limit)
    own = own.sel(paradigm=paradigm) if "paradigm" in own.dims else own
    return own.isel({dim: 0 for dim in own.dims if dim != "save"}).values


def draw_own_errors(
    ax: Axes, x: Float[np.ndarray, " point"], by_label: Mapping[str, Float[np.ndarray, " point"]]
) -> None:
    """Thin grey lines below which distances are the solver's, where they are near.

    The axes reach down for one by a factor of 100 at most, so that what is drawn stays readable:
    one that is further away has no line, and distances are far above it.
    """
    known = {label: at for label, at in by_label.items() if np.any(at > 0)}
    if not (known and ax.lines and x.size > 1):
        return
    low, high = ax.get_ylim()
    bottom = low
    for label, values in known.items():
        seen = values > 0
        most = values[seen].max()
        if most > low / 100:
            ax.plot(x[seen], values[seen], color="0.6", lw=0.8, zorder=1, label=label)
            bottom = min(bottom, 0.5 * most)
    ax.set_ylim(bottom, high)


def mark_crossing(
    ax: Axes, rate: Rate, values: Float[np.ndarray, " save"], level: float, **ring: Any
) -> None:
    """A ring at the first save at which values have reached a level, where there is one."""
    at = int(first_save(values >= level))
    if at >= 0:
        ax.plot(rate.time[at], values[at], marker="o", color=rate.colour, mfc="white", **ring)


def finished_limits(story: Story) -> list[str]:
    """The continuous limits beside training of which some run ended well."""
    return [name for name in limit_gaps.limits_in(story.ds) if story.finished(name)]


def same_heights(axes: Sequence[Axes]) -> None:
    """One scale for all panels: they are to be compared."""
    drawn = [ax for ax in axes if ax.axison]
    ends = np.asarray([ax.get_ylim() for ax in drawn])
    for ax in drawn:
        ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())


def close_figure(
    figure: Figure, axes: Sequence[Axes], setting: Setting, drawn: Sequence[Curves]
) -> None:
    """One legend below all panels, and under it what was run and what was left out."""
    words = setting.run_words(f"medians over {seeds_words(drawn)}")
    legends = [legend for ax in axes if (legend := ax.get_legend()) is not None]
    most = max((len(legend.legend_handles) for legend in legends), default=1)
    columns = most if most <= _KEYS else -(-most // 2)
    one_legend(figure, axes, columns, clauses(words, left_out(drawn), setting.clock_words()))
