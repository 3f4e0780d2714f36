"""The reduced system against time, an ODE solver's answer on closed forms, and late laws."""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from jaxattn.core.contracts import Status
from jaxattn.plots.canvas import new_grid, new_panels
from jaxattn.plots.frame import format_axes, label_of, set_title
from jaxattn.plots.legends import legend_below, legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import style_of

__all__ = ["closed_forms", "late_focus", "line_of", "panels"]

_PANELS = ("mu", "nu", "alpha", "beta", "loss")
_TIME = "time: step times learning rate"
_MARKS = 14
"""How many marks of the ODE a curve has."""
_LAW = (0, (1, 1.6))
_DOT: dict[str, Any] = {"color": "0.3", "marker": "o", "mfc": "white", "ls": "none"}


def panels(ds: xr.Dataset) -> Figure:
    """mu, nu and alpha side by side, by the first dynamics of a result, of what was solved.

    Time is drawn on a logarithmic axis where the horizon is so long that all of the rise would lie
    at its left end.

    Args:
        ds: paths of some paradigms, see `jaxattn.experiments.theory.paths`.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "panels", "theory", "mu", "nu", "alpha")
    names = [str(name) for name in ds["paradigm"].values]
    done = (ds["status"] == Status.DONE).all("dynamics").values
    failed = [name for name, well in zip(names, done, strict=True) if not well]
    log = float(ds["time"][-1]) > 100.0 * _unit(ds)
    shown = ds.sel(save=ds["time"].values > 0) if log else ds
    figure, axes = new_panels(3, height=3.6)
    for ax, quantity in zip(axes, _PANELS, strict=False):
        if log:
            ax.set_xscale("log")
        for name in names:
            if name not in failed:
                _draw_line(ax, shown, quantity, name, names)
        if not log:
            ax.set_xlim(left=0)
        format_axes(ax, _TIME, label_of(ds[quantity].attrs, quantity))
        legend_below(ax)
    set_title(axes[0], _size(ds), f"left out, not solved: {', '.join(failed)}" if failed else "")
    one_legend(figure, axes)
    return figure


def closed_forms(ds: xr.Dataset) -> Figure:
    """The published panels mu and nu, and alpha, beta, loss and difference beside the ODE.

    Lines are closed forms, hollow markers the ODE. The last panel is their largest difference so
    far in mu and nu.

    Args:
        ds: a result of the theory experiment, also half finished; what was not solved is left out.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "closed_forms", "theory", "late_law", "beta")
    figure, axes = new_grid(3, 2, height=7.4)
    names = [str(name) for name in ds["paradigm"].values]
    time = ds["time"].values
    marks = _evenly(time)
    for ax, name in zip(axes.flat, _PANELS, strict=False):
        for place, paradigm in enumerate(names):
            solved = _solved(ds, name, paradigm)[1]
            _draw_line(ax, ds, name, paradigm, names)
            # One paradigm's marks between the others': they coincide for most of the time.
            own = np.roll(marks, place) if marks.size < 3 else marks[place % 3 :: 3]
            style = style_of(paradigm, names)
            look: dict[str, Any] = {"color": style.colour, "marker": style.marker, "mew": 1.0}
            ax.plot(time[own], solved[own], ls="none", mfc="white", ms=4.5, **look)
        format_axes(ax, "", label_of(ds[name].attrs, name))
    _draw_difference(axes[2, 1], ds, names)
    for ax in axes.flat:
        _in_thousands(ax)
    for ax in axes[-1]:
        ax.set_xlabel(_TIME, fontsize=9)
    set_title(axes[0, 0], _size(ds))
    axes[0, 0].legend(handles=legend_handles(_lines(names) | {"ODE solver": _DOT}))
    one_legend(figure, list(axes.flat))
    return figure


def late_focus(ds: xr.Dataset) -> Figure:
    """Who is ahead in nu, and how ``1 - alpha`` falls beside its leading law.

    Args:
        ds: a result of the theory experiment.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "late_focus", "theory", "late_law", "takes_lead")
    figure, axes = new_grid(1, 2, height=3.5)
    ahead, falls = axes[0]
    names = [str(name) for name in ds["paradigm"].values]
    unit = _unit(ds)
    time = ds["time"].values[1:] / unit
    soft = _solved(ds, "nu", "soft")[0]
    for name in names:
        nu, alpha = (_solved(ds, what, name)[0] for what in ("nu", "alpha"))
        look = line_of(name, names)
        ahead.plot(time, (nu - soft)[1:], lw=2.0, label=name, **look)
        falls.plot(time, 1.0 - alpha[1:], lw=2.0, label=name, **look)
        law = ds["late_law"].sel(paradigm=name).values[1:]
        late = time > 1.0  # before, the law is far above 1
        falls.plot(time[late], law[late], color=look["color"], linestyle=_LAW, lw=1.6)
        _mark_passes(ahead, ds, name, names)
    format_axes(ahead, "time [m C]", "nu, above that of soft attention")
    format_axes(falls, "time [m C]", r"$1-\alpha$")
    for ax in (ahead, falls):
        ax.set_xscale("log")
        ax.set_xlim(0.2, time[-1])
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
    falls.set_yscale("log")
    set_title(ahead, _size(ds))
    kinds = {
        "leading law": {"color": "0.3", "linestyle": _LAW, "lw": 1.6},
        "takes the lead": _DOT,
    }
    ahead.legend(handles=legend_handles(_lines(names) | kinds))
    one_legend(figure, [ahead, falls])
    return figure


def _solved(ds: xr.Dataset, name: str, paradigm: str) -> Float[np.ndarray, "dynamics save"]:
    """A quantity by each kind of dynamics; NaN where the dynamics did not solve it."""
    paths = ds.sel(paradigm=paradigm)
    return paths[name].where(paths["status"] == Status.DONE).transpose("dynamics", "save").values


def _draw_line(ax: Axes, ds: xr.Dataset, name: str, paradigm: str, names: list[str]) -> None:
    """Draw what the first dynamics gave."""
    values = _solved(ds, name, paradigm)[0]
    ax.plot(ds["time"].values, values, lw=2.0, label=paradigm, **line_of(paradigm, names))


def _unit(ds: xr.Dataset) -> float:
    return float(ds.attrs["segments"]) * float(ds.attrs["classes"])


def _size(ds: xr.Dataset) -> str:
    return f"{ds.attrs['segments']} segments, {ds.attrs['classes']} classes"


def line_of(name: str, names: list[str]) -> dict[str, Any]:
    """The line of a paradigm among all of a result."""
    style = style_of(name, names)
    return {"color": style.colour, "linestyle": style.line}


def _lines(names: list[str]) -> dict[str, dict[str, Any]]:
    """How the lines of paradigms look, for a legend."""
    return {name: {**line_of(name, names), "lw": 2.0} for name in names}


def _evenly(time: Float[np.ndarray, " save"]) -> np.ndarray:
    """Places of saves that are spread about evenly in time."""
    return np.unique(np.searchsorted(time, np.linspace(time[0], time[-1], 3 * _MARKS)))


def _draw_difference(ax: Axes, ds: xr.Dataset, names: list[str]) -> None:
    time = ds["time"].values
    for name in names:
        gaps = [np.abs(np.subtract(*_solved(ds, what, name))) for what in ("mu", "nu")]
        so_far = np.maximum.accumulate(np.max(gaps, axis=0))
        ax.plot(time, np.where(so_far > 0, so_far, np.nan), **line_of(name, names))
    ax.set_yscale("log")
    format_axes(ax, "", "closed form minus ODE in mu and nu, largest so far")


def _in_thousands(ax: Axes) -> None:
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    if ax.get_xlim()[1] > 5e3:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / 1e3:g}K" if at else "0"))


def _mark_passes(ax: Axes, ds: xr.Dataset, name: str, names: list[str]) -> None:
    """A dot where `name` takes the lead in nu from another."""
    time, unit = ds["time"].values, _unit(ds)
    nu, soft = (_solved(ds, "nu", who)[0] for who in (name, "soft"))
    for other in names:
        at = float(ds["takes_lead"].sel(quantity="nu", paradigm=name, other=other))
        if np.isfinite(at):
            height = np.interp(np.log(at), np.log(time[1:]), (nu - soft)[1:])
            colour = style_of(name, names).colour
            ax.plot([at / unit], [height], color=colour, marker="o", mfc="white", ls="none")
