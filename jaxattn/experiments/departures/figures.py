"""Figures of the departures experiment: how far from the reduced system, and one case in time."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from jaxattn.core.contracts import Status
from jaxattn.core.lookup import resolve
from jaxattn.experiments.departures.distances import SMALL, Distance, distance, over_seeds, slope
from jaxattn.plots.canvas import panels_of
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, set_caption
from jaxattn.plots.lines import BAND
from jaxattn.plots.selection import require
from jaxattn.plots.style import SMALL as SMALL_TEXT
from jaxattn.plots.style import SYMBOLS, Style, style_of
from jaxattn.results.dataset import spec_of

__all__ = ["departing_classes", "departures"]

_SYMBOLS = {"mu": SYMBOLS["mu"], "nu": SYMBOLS["nu"], "attention": SYMBOLS["attention_foreground"]}

_PANELS = {
    "frequency": ("Unequal frequencies", r"rms of $C\pi_c-1$"),
    "chain": ("Neighbours correlated", r"correlation $\rho$"),
    "equal": ("All correlated alike", r"correlation $\rho$"),
    "noise": ("Noise on the background", r"$\sigma$"),
    "sample": ("A finite sample", "1 / square root of bags"),
}

_HOLLOW_FROM = 0.02
"""The average is drawn on its own where it is closer than the classes by more than this share."""

_DOTS = (0, (1, 1.6))
_GREY = {"ls": "none", "color": "0.3", "marker": "o", "markersize": 4.5}
_KINDS: dict[str, dict[str, Any]] = {
    "rms over classes": _GREY,
    "average of the classes": {**_GREY, "mfc": "white"},
    "theory": {"color": "black", "lw": 1.0, "linestyle": _DOTS},
}


def departures(ds: xr.Dataset, measure: str = "nu") -> Figure:
    """Distance from the reduced system against the size of each departure, both logarithmic.

    Filled: root mean square over classes, largest over time, and over seeds; bars from 10 to 90 %
    of the seeds. Hollow: of the average of the classes. Dotted: what theory predicts.

    Args:
        ds: a result of the departures experiment, also half finished.
        measure: mu, nu or attention.

    Raises:
        InputError: another kind of result, or no such measure.
    """
    require(ds, "departures", "departures", "reduced_nu", "planar_nu")
    names = list(map(str, ds["paradigm"].values))
    symbol = resolve("measure", _SYMBOLS, measure)
    figure = Figure(figsize=(8.4, 6.0), layout="constrained")
    axes = list(figure.subplots(2, 3).flat)
    for ax, departure in zip(axes, _PANELS, strict=False):
        ax.set_xscale("log")
        ax.set_yscale("log")
        slopes = []
        for name in names:
            far = distance(ds.sel(paradigm=name), departure, measure)
            if np.isfinite(far.each).any():
                slopes.append(_draw(ax, far, style_of(name, names), departure))
        title, words = _PANELS[departure]
        left = ax.get_subplotspec()
        first = left is not None and left.is_first_col()
        format_axes(ax, words, f"largest distance in {symbol}" if first else "")
        ax.margins(x=0.06)
        ax.yaxis.set_major_locator(LogLocator(numticks=8))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_minor_formatter(NullFormatter())
        set_title(ax, title)
        _write_slopes(ax, slopes)
    _draw_legend(axes[-1], names)
    set_caption(figure, _caption(ds), has_math=True)
    return figure


def _draw(ax: Axes, far: Distance, style: Style, departure: str) -> tuple[str, float, float]:
    """Draw one paradigm in one panel; its colour, its slope and that of its average, or NaN."""
    amount, typical, average = far.amount, far.typical, over_seeds(far.average)
    look = _mark(style)
    ax.plot(amount, typical, lw=1.2, linestyle=style.line, **look)
    if far.each.shape[1] > 1 and np.isfinite(far.each[:, 1:]).any():
        known = np.isfinite(typical)
        low, high = np.nanquantile(far.each[known], BAND, axis=1)
        ax.vlines(amount[known], low, high, color=style.colour, lw=1.2, alpha=0.6)
    if np.isfinite(far.predicted).all():
        ax.plot(amount, far.predicted, color="black", lw=1.0, linestyle=_DOTS, zorder=3)
    small = np.inf if departure == "sample" else SMALL
    order = float(slope(amount, far.each, small).mean)
    if not np.nanmax(1 - average / typical) > _HOLLOW_FROM:
        return style.colour, order, np.nan
    ax.plot(amount, average, ls="none", mfc="white", mew=1.0, **look)
    return style.colour, order, float(slope(amount, far.average, small).mean)


def _mark(style: Style) -> dict[str, Any]:
    return {"color": style.colour, "marker": style.marker, "markersize": 4.5}


def _write_slopes(ax: Axes, slopes: list[tuple[str, float, float]]) -> None:
    """The slopes stand at the lower right, under the data, which rise from the left."""
    both = any(np.isfinite(average) for *_, average in slopes)
    lines = [("0.25", "slope, average's" if both else "slope")]
    for colour, order, average in slopes:
        lines.append((colour, f"{order:.2f}" + (f", {average:.2f}" if both else "")))
    for place, (colour, text) in enumerate(reversed(lines)):
        ax.annotate(
            text,
            (0.99, 0.02),
            (0, 10.5 * place),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            fontsize=SMALL_TEXT,
            color=colour,
        )


def _draw_legend(ax: Axes, names: list[str]) -> None:
    """The legend fills a panel of its own, which has room for it."""
    ax.set_axis_off()
    looks: dict[str, dict[str, Any]] = {}
    for name in names:
        style = style_of(name, names)
        looks[name] = {"lw": 1.2, "linestyle": style.line, **_mark(style)}
    ax.legend(
        handles=legend_handles(looks | _KINDS),
        loc="center left",
        fontsize=SMALL_TEXT + 1,
        frameon=False,
    )


def _caption(ds: xr.Dataset) -> str:
    spec = spec_of(ds)
    lost = int(((ds["status"] >= 0) & (ds["status"] != Status.DONE)).sum())
    parts = [
        f"{spec.get('classes')} classes, {spec.get('segments')} segments; gradient flow of all "
        f"parameters from zero up to time {float(ds['time'][-1]):g}; largest distance over time",
        r"neighbours: $G_{cc'}=\rho^{|c-c'|}$",
        f"slopes fitted up to a size of {SMALL:g}, for samples to all",
        f"bars: 10 to 90 % over {spec.get('seeds')} samples and {spec.get('scrambles')} scrambles "
        "of the noise's quasi-random draws",
        f"{lost} runs that failed are left out" if lost else "",
    ]
    return f"{'; '.join(part for part in parts if part)}."


def departing_classes(ds: xr.Dataset) -> Figure:
    """The nu of each class against time where class frequencies are most unequal, by paradigm.

    Args:
        ds: a result of the departures experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "departing_classes", "departures", "reduced_nu", "planar_nu")
    names = list(map(str, ds["paradigm"].values))
    at = ds.sel(departure="frequency", seed=0)
    at = at.isel(size=int(np.isfinite(at["amount"].values).sum()) - 1)
    share, time = at["frequency"].values, at["time"].values
    shown = time >= 1  # before, nothing has moved
    figure, panels = panels_of(len(names), 2.5, 0.7)
    for panel in panels[1:]:
        panel.ax.sharex(panels[0].ax)
        panel.ax.sharey(panels[0].ax)
    for (ax, left, bottom), name in zip(panels, names, strict=True):
        ax.tick_params(labelbottom=bottom, labelleft=left)
        paths, colour = at.sel(paradigm=name), style_of(name, names).colour
        for label in np.argsort(share):
            shade = _shade(colour, (share[label] - share.min()) / np.ptp(share))
            ax.plot(time[shown], paths["nu"].values[shown, label], color=shade, lw=1.6)
        reduced = paths["reduced_nu"].values[shown]
        ax.plot(time[shown], reduced, color="black", lw=1.2, ls=(0, (4, 2)))
        ax.set_xscale("log")
        format_axes(
            ax,
            "time" if bottom else "",
            rf"{SYMBOLS['nu']} of each class" if left else "",
        )
        set_title(ax, name, colour=colour)
    rarest, commonest = share.min(), share.max()
    set_caption(
        figure,
        f"A line for each class, from the rarest (pale, {100 * rarest:.1f} % of the bags) to the "
        f"most frequent (dark, {100 * commonest:.1f} %); dashed: the reduced system, all classes "
        f"equally frequent. {ds.sizes['class']} classes, {spec_of(ds).get('segments')} segments.",
    )
    return figure


def _shade(colour: str, depth: float) -> tuple[float, ...]:
    """From three quarters of the way to white, at depth 0, to the colour itself."""
    pale = 0.7 * (1 - depth)
    return tuple(pale + (1 - pale) * part for part in to_rgb(colour))
