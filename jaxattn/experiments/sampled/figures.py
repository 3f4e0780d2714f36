"""Gradients of estimators along training, and whole runs by them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from jaxattn.analysis.intervals import interval
from jaxattn.experiments.sampled.estimators import EXACT, Estimator, estimators_of
from jaxattn.experiments.sampled.findings import ends_of
from jaxattn.plots.canvas import new_grid
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.selection import require
from jaxattn.plots.style import palette, style_of

__all__ = ["gradients_along_training", "training"]

_ROWS = {"along": "along the exact one", "bias": "squared bias", "variance": "variance"}
_NEAR = 0.01
"""Up to it a squared bias is drawn to scale, and to both sides of 0; beyond, logarithmically."""


def _looks(ds: xr.Dataset) -> dict[str, Mapping[str, Any]]:
    """Colour, line and marker of each estimator, and of exact hard attention."""
    every = estimators_of(ds)
    names = list(map(str, ds["paradigm"].values))
    warm = [one.label for one in every if one.paradigm == "gumbel-softmax"]
    colours = dict(zip(warm, palette(len(warm)), strict=True))
    looks: dict[str, Mapping[str, Any]] = {}
    for one in (Estimator(EXACT, EXACT, {}), *every):
        style = style_of(one.paradigm, names)
        alone = one.paradigm == "reinforce" and not one.has_baseline
        looks[one.label] = {
            "color": colours.get(one.label, style.colour),
            "ls": (0, (1.5, 1.5)) if alone else "-",
            "marker": style.marker,
            "ms": 4,
            "mfc": "white" if alone else None,
        }
    return looks


def gradients_along_training(ds: xr.Dataset) -> Figure:
    """How far gradients go along the exact one, their squared bias and their variance.

    Args:
        ds: a result of the experiment.

    Raises:
        InputError: another kind of result, or one whose gradients are not compared yet.
    """
    require(ds, "gradients", "sampled", "estimator", *_ROWS)
    parts, steps = list(map(str, ds["part"].values)), ds["look"].values
    figure, axes = new_grid(len(_ROWS), len(parts), 1.2 + 1.9 * len(_ROWS))
    looks = {name: look for name, look in _looks(ds).items() if name != EXACT}
    for row, (measure, words) in enumerate(_ROWS.items()):
        for column, part in enumerate(parts):
            ax = axes[row, column]
            for place, (name, look) in enumerate(looks.items()):
                found = interval(ds[measure].sel(estimator=name, part=part).values)
                mean, low, high = (np.asarray(value) for value in found[:3])
                # Side by side, as many lie on each other.
                at = steps + 0.012 * np.ptp(steps) * (place - (len(looks) - 1) / 2)
                reach = [np.nan_to_num(mean - low), np.nan_to_num(high - mean)]
                ax.errorbar(at, mean, reach, lw=1.3, elinewidth=1.0, capsize=1.5, **look)
            format_axes(ax, "step of training" if row == len(_ROWS) - 1 else "", words)
            if column:
                ax.set_ylabel("")
            if measure == "along":
                ax.axhline(1.0, color="0.4", lw=0.9, zorder=0.5)
                set_title(ax, f"gradient of {part}")
            elif measure == "bias":
                ax.set_yscale("symlog", linthresh=_NEAR)
                ax.axhline(0.0, color="0.4", lw=0.9, zorder=0.5)
            else:
                ax.set_yscale("log", nonpositive="clip")
    axes[0, 0].legend(handles=legend_handles(looks))
    one_legend(figure, list(axes.flat), columns=3)
    return figure


def training(ds: xr.Dataset) -> Figure:
    """Time to focus and accuracy of runs by every estimator, seed by seed.

    Args:
        ds: a result of the experiment, also half finished.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "training", "sampled", "gumbel_temperature", "time_to_focus", "accuracy")
    looks = _looks(ds)
    every = [Estimator(EXACT, EXACT, {}), *estimators_of(ds)]
    ends = {one.label: ends_of(ds, one) for one in every}
    rates = ds["learning_rate"].values
    figure, axes = new_grid(len(rates), 2, 1.0 + 2.3 * len(rates))
    for row, rate in enumerate(rates):
        for column, (measure, words) in enumerate(
            {"time_to_focus": "time to focus", "accuracy": "accuracy [%]"}.items()
        ):
            ax = axes[row, column]
            for place, (name, look) in enumerate(looks.items()):
                values = ends[name][measure].values[row]
                known = values[np.isfinite(values)]
                spread = place + np.linspace(-0.2, 0.2, known.size)
                ax.plot(spread, known, ".", color=look["color"], ms=4.5, alpha=0.6, mew=0)
                if known.size:
                    ax.hlines(known.mean(), place - 0.32, place + 0.32, color=look["color"], lw=2)
                missed = int(np.sum(np.isinf(values)))
                if missed:
                    at = (place, 0.98)
                    more = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "top"}
                    ax.annotate(f"{missed} never", at, fontsize=7, rotation=90, **more)
            format_axes(ax, "", words)
            ax.set_xlim(-0.6, len(looks) - 0.4)
            names = [name.replace(", ", "\n").replace(" at ", "\n") for name in looks]
            labels = names if row == len(rates) - 1 else [""] * len(names)
            ax.set_xticks(range(len(looks)), labels, fontsize=7, rotation=90)
            ax.grid(False, axis="x")
            set_title(ax, f"learning rate {rate:g}")
    return figure
