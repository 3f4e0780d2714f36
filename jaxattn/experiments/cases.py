"""What experiments on hybrids share: a grid of sizes and horizons, and how it is told and drawn.

A case is one number of segments, one of classes, and one horizon, in units of segments x classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import ArrayLike, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.core.contracts import Status
from jaxattn.experiments.labels import spec_json
from jaxattn.experiments.wording import Line
from jaxattn.plots.canvas import panels_of
from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import legend_handles, one_legend
from jaxattn.plots.style import palette
from jaxattn.results.dataset import SCHEMA_VERSION

__all__ = [
    "CASES",
    "UNIT",
    "add_legend",
    "cases_shown",
    "dataset_of_cases",
    "missing",
    "most_gained",
    "panels_of_sizes",
    "sizes_shown",
    "solved_cases",
]

CASES = "segments classes horizon"
"""Dims of a case."""
UNIT = "segments x classes"

Looks = Mapping[str, Mapping[str, Any]]


def dataset_of_cases(
    experiment: str, config: Any, variables: Mapping[str, Any], coords: Mapping[str, Any]
) -> xr.Dataset:
    """Variables and further coordinates of all cases; of the first horizons where not all are done.

    `config` has ``segments``, ``classes`` and ``horizons``.
    """
    horizons = config.horizons[: variables["status"][1].shape[2]]
    cases: dict[str, Any] = {
        "segments": list(config.segments),
        "classes": list(config.classes),
        "horizon": ("horizon", list(horizons), {"units": UNIT}),
    }
    attributes = {"spec": spec_json(experiment, config), "schema_version": SCHEMA_VERSION}
    return xr.Dataset(variables, {**cases, **coords}, attributes)


def missing(nu: Real[ArrayLike, "..."], segments: Real[ArrayLike, "..."]) -> Any:
    """``1 - alpha``, the attention off the foreground, right to rounding where it is small too."""
    return 1.0 / (1.0 + np.exp(nu - np.log(np.asarray(segments) - 1.0)))


def solved_cases(ds: xr.Dataset) -> Iterator[xr.Dataset]:
    """Each case of which something was solved."""
    for values in product(*(ds[name].values for name in CASES.split())):
        case = ds.sel(dict(zip(CASES.split(), values, strict=True)))
        if (case["status"] == Status.DONE).any():
            yield case


def most_gained(lines: Sequence[Line]) -> str:
    """Where the better of soft and hard attention alone leaves most against what was found best."""

    def gain(line: Line) -> float:
        return float(min(line["missing_soft"], line["missing_hard"]) / line["missing"])

    most = max(lines, key=gain)
    return (
        f"gains most at horizon {most['horizon']:g} with {most['segments']} segments and "
        f"{most['classes']} classes: they leave {gain(most):.3g} times as much"
    )


def sizes_shown(ds: xr.Dataset) -> list[tuple[int, int]]:
    """At most four sizes: the corners of the grid, from few segments and classes to many."""
    axes = [list(map(int, ds[name].values)) for name in ("segments", "classes")]
    ends = [list(dict.fromkeys((values[0], values[-1]))) for values in axes]
    return [(m, c) for m in ends[0] for c in ends[1]]


def panels_of_sizes(
    ds: xr.Dataset, height: float, more: float, x_label: str, y_label: str
) -> tuple[Figure, list[Axes]]:
    """A new figure with a panel for each of `sizes_shown`, its x axis logarithmic.

    Inches: `height` of a row of panels, and `more` above and below all rows.
    """
    sizes = sizes_shown(ds)
    figure, panels = panels_of(len(sizes), height, more)
    for (ax, left, bottom), (segments, classes) in zip(panels, sizes, strict=True):
        ax.set_xscale("log")
        format_axes(ax, x_label if bottom else "", y_label if left else "")
        set_title(ax, f"{segments} segments, {classes} classes")
    return figure, [panel.ax for panel in panels]


def cases_shown(ds: xr.Dataset, axes: Sequence[Axes]) -> Iterator[tuple[Axes, xr.Dataset, str]]:
    """Each case of `sizes_shown`: its panel out of `axes`, its results, its horizon's colour."""
    horizons = ds["horizon"].values
    for ax, (segments, classes) in zip(axes, sizes_shown(ds), strict=True):
        for horizon, colour in zip(horizons, palette(len(horizons)), strict=True):
            yield ax, ds.sel(segments=segments, classes=classes, horizon=horizon), colour


def add_legend(figure: Figure, ax: Axes, ds: xr.Dataset, more: Looks, caption: str = "") -> None:
    """One legend above all axes: the colours of horizons, and `more`; a caption below."""
    horizons = list(map(float, ds["horizon"].values))
    looks: dict[str, Any] = {
        f"horizon {at:g}": {"color": colour, "lw": 2.2}
        for at, colour in zip(horizons, palette(len(horizons)), strict=True)
    }
    ax.legend(handles=legend_handles({**looks, **more}))
    one_legend(figure, [ax], columns=4, caption=caption)
