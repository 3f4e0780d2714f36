"""Training against its continuous limits: how far apart, of which order, where the edge is."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jaxattn import gaps
from jaxattn.contracts import InputError
from jaxattn.edges import edge_in, products
from jaxattn.flow import LIMITS
from jaxattn.gap_findings import limit_words
from jaxattn.measures import first_crossing
from jaxattn.names import resolve
from jaxattn.plots.curves import BAND
from jaxattn.plots.rows import (
    Curves,
    Setting,
    choose,
    curves,
    left_out,
    paired,
    run_words,
    runs,
    seeds_words,
    setting_words,
    style_in,
)
from jaxattn.plots.style import (
    SMALL,
    dress,
    label_of,
    legend_below,
    new_axes,
    new_grid,
    one_legend,
    set_title,
)

__all__ = ["distance", "distances", "orders", "sharpness", "sharpnesses"]

_RAMP = plt.get_cmap("viridis")
_TRAINING: dict[str, Any] = {"lw": 3.2, "alpha": 0.5}
_FLOW: dict[str, Any] = {"lw": 1.5, "linestyle": (0, (4, 2))}
_BELOW: dict[str, Any] = {"lw": 0.9, "alpha": 0.6}
_LIMIT_LINES: tuple[Any, ...] = ((0, ()), (0, (5, 2)), (0, (1.3, 1.3)), (0, (5, 1.4, 1.2, 1.4)))
_KEYS = 6
"""More keys than these do not fit on one line."""
_NUMBERED = 8
"""More learning rates than these are marked by powers of ten instead of one by one."""


class _Rate(NamedTuple):
    """A learning rate of a result, and how it is drawn."""

    setting: Setting
    rate: float
    colour: str
    label: str


def _rates(ds: xr.Dataset, paradigm: str | None) -> list[_Rate]:
    """The largest first, and darkest; one paradigm is drawn, by default the first."""
    limits = gaps.limits_in(ds)
    if not limits:
        raise InputError(
            "plots: got a result without continuous limits, expected training held against some; "
            "compare with against=('flow', 'modified')."
        )
    values = np.sort(np.atleast_1d(ds["learning_rate"].values)).astype(float)[::-1]
    found = []
    for place, rate in enumerate(values):
        setting = choose(ds, float(rate), None if paradigm is None else [paradigm])
        colour = to_hex(_RAMP(0.85 * place / max(len(values) - 1, 1)))
        label = f"rate {rate:g}" if place == 0 else f"{rate:g}"
        found.append(_Rate(setting, float(rate), colour, label))
    return found


def distance(
    ds: xr.Dataset, ax: Axes | None = None, limit: str | None = None, paradigm: str | None = None
) -> Axes:
    """How far training is from a limit against time, a line a learning rate: medians over seeds.

    In shares of the limit's own way, the furthest that it comes from its start: where a line
    crosses the dotted one, training has left the limit. Bands reach from 10 to 90 % of the seeds.

    Args:
        ds: a result with limits.
        ax: where to draw; by default on a new figure.
        limit: by default the first.
        paradigm: by default the first.

    Raises:
        InputError: no limits in the result, or a name that it does not have.
    """
    rates, limits = _rates(ds, paradigm), gaps.limits_in(ds)
    limit = limits[0] if limit is None else limit
    resolve("limit", dict.fromkeys(limits), limit)
    name, drawn = rates[0].setting.paradigms[0], []
    ax = new_axes() if ax is None else ax
    ax.set_yscale("log")
    for one in rates:
        both, shares = _shares(one.setting, name, limit)
        drawn.append(both)
        time = one.setting.ds["time"].values
        if not len(shares):
            continue
        low, middle, high = np.quantile(shares, (BAND[0], 0.5, BAND[1]), axis=0)
        seen = (time > 0) & (middle > 0)
        ax.plot(time[seen], middle[seen], color=one.colour, lw=1.6, label=one.label)
        if len(shares) > 1:
            ax.fill_between(
                time[seen], low[seen], high[seen], color=one.colour, alpha=0.15, linewidth=0
            )
        at = float(first_crossing(time, middle, gaps.TOLERANCE))
        ax.plot([at], [gaps.TOLERANCE], marker="o", ms=5, mew=1.2, color=one.colour, mfc="white")
    if ax.lines:
        words = f"{100 * gaps.TOLERANCE:g} % of its way"
        ax.axhline(gaps.TOLERANCE, color="0.3", lw=1.0, ls=(0, (1, 1.6)), zorder=1, label=words)
    setting = rates[0].setting
    dress(ax, label_of(setting.ds["time"].attrs, "time"), f"distance from {limit_words(limit)}")
    set_title(
        ax,
        setting_words(setting._replace(words=""), name),
        f"medians over {seeds_words(drawn)}, as a share of the way of {limit_words(limit)}",
        left_out(drawn),
    )
    legend_below(ax, columns=7)
    return ax


def _shares(
    setting: Setting, paradigm: str, limit: str
) -> tuple[Curves, Float[np.ndarray, "seed save"]]:
    """Distance over the limit's way, of the seeds that ended under both."""
    train = curves(setting, "distance", paradigm)
    _, far = paired(train, curves(setting, "distance", paradigm, limit))
    _, moved = paired(train, curves(setting, "moved", paradigm, limit))
    way = moved.values.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return far, far.values / way


def distances(ds: xr.Dataset, paradigms: Sequence[str] | None = None) -> Figure:
    """`distance` from every limit, one beside the other, a row a paradigm.

    Raises:
        InputError: as for `distance`.
    """
    names, limits = _rates(ds, None)[0].setting.paradigms, gaps.limits_in(ds)
    names = names if paradigms is None else tuple(paradigms)
    figure, axes = new_grid(len(names), len(limits), height=2.0 * len(names) + 1.2)
    lost = []
    for row, name in zip(axes, names, strict=True):
        for ax, limit in zip(row, limits, strict=True):
            distance(ds, ax, limit, name)
            lost += [_shares(one.setting, name, limit)[0] for one in _rates(ds, name)]
            # What time is, the caption says once.
            ax.set_xlabel("time" if name == names[-1] else "")
            ax.set_ylabel("distance, share of its way" if limit == limits[0] else "")
            set_title(ax, f"{name} and {limit_words(limit)}")
            if not ax.lines:
                ax.set_axis_off()
                set_title(ax, f"{name}: no run is done")
    _same_heights(axes)
    _close(figure, axes, _rates(ds, None)[0].setting, lost)
    return figure


def orders(ds: xr.Dataset, ax: Axes | None = None, paradigms: Sequence[str] | None = None) -> Axes:
    """Largest distance of training from each limit against the learning rate, both logarithmic.

    Medians over seeds, bars from 10 to 90 % of them. The legend has the fitted slope with its 95 %
    interval; grey lines have the power that is expected of a limit. No slope is given of a
    stochastic limit.

    Args:
        ds: a result with limits and several learning rates.
        ax: where to draw; by default on a new figure.
        paradigms: which to draw; by default all.

    Raises:
        InputError: no limits in the result, or a paradigm that it does not have.
    """
    rates, limits = _rates(ds, None), gaps.limits_in(ds)
    setting = choose(ds, rates[0].rate, paradigms)
    fitted = _fitted(ds)
    values = np.asarray([one.rate for one in rates])
    ax = new_axes(4.4) if ax is None else ax
    ax.set_xscale("log")
    ax.set_yscale("log")
    drawn = []
    for limit, line in zip(limits, _LIMIT_LINES * len(limits), strict=False):
        lowest = np.inf
        for name in setting.paradigms:
            found = [_shares(one.setting, name, limit)[0] for one in rates]
            drawn += found
            low, middle, high = np.transpose([_largest(one) for one in found])
            known = np.isfinite(middle) & (middle > 0)
            if not known.any():
                continue
            style = style_in(setting, name)
            ax.plot(
                values[known],
                middle[known],
                color=style.colour,
                lw=1.5,
                linestyle=line,
                marker=style.marker,
                markersize=5,
                mfc=style.colour if limit == limits[0] else "white",
                label=f"{name}, {limit}{fitted.get((limit, name), '')}",
            )
            ax.vlines(values[known], low[known], high[known], color=style.colour, lw=1.0)
            lowest = min(lowest, middle[known][-1] / values[known][-1] ** _power(limit))
        if np.isfinite(lowest) and _power(limit) > 0 and len(values) > 1:
            _guide(ax, values, 0.6 * lowest * values ** _power(limit), _power(limit))
    dress(ax, "learning rate", "largest distance from the limit")
    _number(ax, values)
    set_title(
        ax,
        setting_words(setting._replace(words="")),
        f"medians over {seeds_words(drawn)}; slopes with 95 % intervals",
        left_out(drawn),
    )
    legend_below(ax, columns=2)
    return ax


def _power(limit: str) -> float:
    known = LIMITS.get(limit)
    return float(known.order) if known is not None and not known.stochastic else 0.0


def _fitted(ds: xr.Dataset) -> dict[tuple[str, str], str]:
    """Slopes as they are written, by limit and paradigm, at the first point of other axes."""
    words: dict[tuple[str, str], str] = {}
    for line in gaps.orders(ds).to_dict("records"):
        if np.isfinite(line["slope"]):
            text = f": {line['slope']:.2f}"
            if np.isfinite(line["low"]):
                text += f" [{line['low']:.2f}, {line['high']:.2f}]"
            words.setdefault((line["process"], line["paradigm"]), text)
    return words


def _largest(one: Curves) -> list[float]:
    if not len(one.seeds):
        return [np.nan] * 3
    return np.quantile(one.values.max(axis=1), (BAND[0], 0.5, BAND[1])).tolist()


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


def _number(ax: Axes, rates: np.ndarray) -> None:
    if len(rates) <= _NUMBERED:
        ax.xaxis.set_major_locator(FixedLocator(list(rates)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        ax.xaxis.set_minor_locator(NullLocator())


def sharpness(ds: xr.Dataset, ax: Axes | None = None, paradigm: str | None = None) -> Axes:
    """Learning rate times sharpness against time, a colour a learning rate; log scale.

    Wide and pale along training, dashed along its first limit; medians over seeds. Thin lines are
    the eigenvalues of training below the largest one, where they were measured. The horizontal
    line is the edge of stability where one holds of what was measured (see
    `jaxattn.edges.edge_in`), a ring where training first reaches it.

    Args:
        ds: a result with limits, of which the sharpness was measured.
        ax: where to draw; by default on a new figure.
        paradigm: by default the first.

    Raises:
        InputError: no limits or no sharpness in the result, or a paradigm that it does not have.
    """
    rates, limit = _rates(ds, paradigm), (*gaps.limits_in(ds), "")[0]
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
    keys = [*ax.get_legend_handles_labels()[0], Line2D([], [], color="0.35", **_FLOW, label=limit)]
    if _below(rates[0], name):
        keys.append(Line2D([], [], color="0.35", **_BELOW, label="next eigenvalues"))
    keys += [
        ax.axhline(level, color="black", lw=1.0, zorder=1, label=f"edge: {level:.3g}")
        for level in _levels(rates)
    ]
    setting = rates[0].setting
    dress(ax, label_of(setting.ds["time"].attrs, "time"), "learning rate times sharpness")
    set_title(
        ax,
        setting_words(setting._replace(words=""), name),
        f"medians over {seeds_words(drawn)}",
        left_out(drawn),
    )
    legend_below(ax, keys, columns=7)
    return ax


def _below(one: _Rate, paradigm: str) -> list[Float[np.ndarray, " save"]]:
    """Learning rate times each eigenvalue of training but the largest: medians over seeds."""
    if "eigenvalues" not in one.setting.ds:
        return []
    found = runs(one.setting, "eigenvalues", paradigm)
    return list(one.rate * found.quantile(0.5).T[1:]) if len(found.seeds) else []


def _levels(rates: Sequence[_Rate]) -> list[float]:
    """The edges at these learning rates, each once."""
    found = (edge_in(one.setting.ds) for one in rates)
    return sorted({float(level) for level in found if level is not None})


def sharpnesses(ds: xr.Dataset, paradigms: Sequence[str] | None = None) -> Figure:
    """`sharpness` of every paradigm, a panel each.

    Raises:
        InputError: as for `sharpness`.
    """
    names = _rates(ds, None)[0].setting.paradigms
    names = names if paradigms is None else tuple(paradigms)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure, axes = new_grid(rows, columns, height=2.4 * rows + 1.2)
    lost = []
    for place, ax in enumerate(axes.flat):
        if place >= len(names):
            ax.set_axis_off()
            continue
        sharpness(ds, ax, names[place])
        lost += [curves(one.setting, "sharpness", names[place]) for one in _rates(ds, None)]
        ax.set_xlabel("time" if place >= len(names) - columns else "")
        ax.set_ylabel(ax.get_ylabel() if place % columns == 0 else "")
        set_title(ax, names[place])
    _same_heights(axes)
    _close(figure, axes, _rates(ds, None)[0].setting, lost)
    return figure


def _same_heights(axes: np.ndarray) -> None:
    """One scale for all panels: they are to be compared."""
    drawn = [ax for ax in axes.flat if ax.axison]
    ends = np.asarray([ax.get_ylim() for ax in drawn])
    for ax in drawn:
        ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())


def _close(figure: Figure, axes: np.ndarray, setting: Setting, drawn: Sequence[Curves]) -> None:
    words = run_words(setting._replace(words=""), f"medians over {seeds_words(drawn)}")
    clock = label_of(setting.ds["time"].attrs, "time")
    said = [words, left_out(drawn), clock if clock != "time" else ""]
    legends = [legend for ax in axes.flat if (legend := ax.get_legend()) is not None]
    most = max((len(legend.legend_handles) for legend in legends), default=1)
    columns = most if most <= _KEYS else -(-most // 2)
    one_legend(figure, list(axes.flat), columns, "; ".join(part for part in said if part))
