"""The phase portrait of the reduced system: its vector field and its exact orbits."""

from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from jaxattn.experiments.theory.figures import line_of
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import SMALL, style_of

__all__ = ["phase_portrait"]

_LIGHT_GREYS = ListedColormap(matplotlib.colormaps["Greys"](np.linspace(0, 0.45, 256)))

_TIMES = (1.0, 1.5, 3.0)
"""Times in m C that are marked on the orbits from zero where the run has got so far."""


def phase_portrait(ds: xr.Dataset) -> Figure:
    """A panel for each paradigm, and one with the orbits from zero of all.

    Grey arrows follow the field, all equally long whatever its strength; shades of grey are its
    speed ``|(mu', nu')|``, on one logarithmic scale. Coloured lines are exact orbits from zero and
    from both axes, on each of which ``A(nu) - R(mu)`` keeps its value. In the last panel grey lines
    join the states of equal time.

    Args:
        ds: a result of the theory experiment.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "phase_portrait", "theory", "field_mu", "orbit_nu")
    names = [str(name) for name in ds["paradigm"].values]
    rows = -(-(len(names) + 1) // 2)
    figure, axes = new_grid(rows, 2, height=3.1 * rows + 0.6)
    speed = (ds["field_mu"] ** 2 + ds["field_nu"] ** 2) ** 0.5
    # Of the corner that is never visited, all that need be known is that nothing moves there.
    slowest, fastest = float(speed.quantile(0.02)), float(speed.max())
    norm = LogNorm(slowest, fastest)
    for ax, name in zip(axes.flat, names, strict=False):
        shown = _draw_field(ax, ds.sel(paradigm=name), speed.sel(paradigm=name).values, norm)
        style = style_of(name, names)
        for start in range(ds.sizes["start"]):
            _draw_orbit(ax, ds, name, start, color=style.colour, lw=2.4 if start == 0 else 1.3)
        set_title(ax, name, colour=style.colour)
    last = list(axes.flat)[len(names)]
    _draw_from_zero(last, ds, names)
    for ax in list(axes.flat)[len(names) + 1 :]:
        ax.set_axis_off()
    for ax in axes.flat:
        format_axes(ax, "", "")
        ax.grid(False)
        ax.set(xlim=(0, ds["at_mu"].values[-1]), ylim=(0, ds["at_nu"].values[-1]))
    for ax in axes[-1]:
        ax.set_xlabel(r"$\mu$")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\nu$")
    one_legend(figure, list(axes.flat))
    bar = figure.colorbar(shown, ax=axes, location="bottom", aspect=45, pad=0.02, extend="min")
    bar.set_label("speed [1/time]", fontsize=SMALL + 1)
    bar.ax.tick_params(labelsize=SMALL)
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:g}"))
    few = fastest < 100 * slowest
    bar.ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    bar.ax.xaxis.set_minor_formatter(NullFormatter())
    return figure


def _draw_field(ax: Axes, field: xr.Dataset, speed: np.ndarray, norm: LogNorm) -> Any:
    mu, nu = field["at_mu"].values, field["at_nu"].values
    shown = ax.pcolormesh(
        mu, nu, speed, norm=norm, cmap=_LIGHT_GREYS, shading="nearest", rasterized=True
    )
    every = max(1, mu.size // 15)
    at = np.s_[every // 2 :: every]
    # Directions on paper, where a unit of mu and one of nu are not equally long.
    u, v = field["field_mu"].values[at, at] / mu[-1], field["field_nu"].values[at, at] / nu[-1]
    length = np.hypot(u, v)
    ax.quiver(
        *(mu[at], nu[at], u / length, v / length),
        angles="uv",
        pivot="mid",
        color="0.25",
        scale=26,
        width=0.004,
        headwidth=4,
    )
    return shown


def _draw_orbit(ax: Axes, ds: xr.Dataset, name: str, start: int, **look: Any) -> None:
    orbit = ds.isel(start=start)
    ax.plot(orbit["orbit_mu"].values, orbit["orbit_nu"].sel(paradigm=name).values, **look)


def _draw_from_zero(ax: Axes, ds: xr.Dataset, names: list[str]) -> None:
    time = ds["time"].values
    unit = float(ds.attrs["segments"]) * float(ds.attrs["classes"])
    for name in names:
        _draw_orbit(ax, ds, name, 0, lw=2.0, label=name, **line_of(name, names))
    for at in (at for at in _TIMES if at * unit <= time[-1]):
        states = []
        for name in names:
            exact = ds.sel(paradigm=name, dynamics="closed-form")
            mu, nu = (np.interp(at * unit, time, exact[what].values) for what in ("mu", "nu"))
            style = style_of(name, names)
            look: dict[str, Any] = {"color": style.colour, "marker": style.marker}
            ax.plot([mu], [nu], mfc="white", ms=5, zorder=3, **look)
            states.append((mu, nu))
        states.sort()
        ax.plot(*zip(*states, strict=True), color="0.4", lw=0.8, zorder=2)
        top = max(states, key=lambda state: state[1])
        words: dict[str, Any] = {"fontsize": SMALL, "color": "0.25", "ha": "right"}
        ax.annotate(f"{at:g}", top, (-5, 4), textcoords="offset points", **words)
    set_title(ax, "from zero, at times [m C]")
    looks = {
        f"{name}, exact orbits": {"color": style_of(name, names).colour, "lw": 2.0}
        for name in names
    }
    ax.legend(handles=legend_handles(looks))
