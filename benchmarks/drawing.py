"""The figure of `make bench`: error against work, a line for each solver."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxattn.plots.frame import format_axes, set_title
from jaxattn.plots.legends import set_caption
from jaxattn.plots.style import SMALL

# None of the paradigms' colours: a line here is a solver.
OURS = ("#E69F00", "#56B4E9", "#000000", "#882255", "#117733", "#999933")
THEIRS = {
    "scipy LSODA": "#7F7F7F",
    "scipy odeint": "#332288",
    "scipy DOP853": "#AA4499",
    "scipy Radau": "#8B7500",
}
MARKERS = {"scipy LSODA": "s", "scipy odeint": "D", "scipy DOP853": "^", "scipy Radau": "v"}
SOLID, DOTTED, DASHED = "-", (0, (1.3, 1.3)), (0, (6, 2))


def looks(points: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Colour and marker by solver."""
    names = list(dict.fromkeys(point["solver"] for point in points))
    ours = [name for name in names if name not in THEIRS]
    found = {name: (OURS[k % len(OURS)], "o") for k, name in enumerate(ours)}
    return found | {name: (THEIRS[name], MARKERS[name]) for name in names if name in THEIRS}


def lines(ax: Axes, points: list[dict[str, Any]], work: str, style: Any) -> None:
    for solver, (colour, marker) in looks(points).items():
        mine = [point for point in points if point["solver"] == solver and work in point]
        errors = [point["error"] for point in mine]
        spent = [point[work] * (1 if work == "evaluations" else 1e3) for point in mine]
        ax.loglog(errors, spent, color=colour, marker=marker, markersize=3.5, lw=1.2, ls=style)


def work_and_precision(parts: list[dict[str, Any]]) -> Figure:
    """A column for each paradigm: evaluations of the field above, processor time below."""
    figure = Figure(figsize=(10.2, 7.0), layout="constrained")
    axes = figure.subplots(2, len(parts), sharex=True, sharey="row", squeeze=False)
    for (above, below), part in zip(axes.T, parts, strict=True):
        points = part["points"]
        lines(above, points, "evaluations", SOLID)
        lines(below, points, "processor", SOLID)
        lines(below, points, "processor_in_batch", DOTTED)
        closed = part["closed_form"]["processor"]
        below.axhline(1e3 * closed, color="0.35", lw=0.9, ls=DASHED)
        first = part is parts[0]
        format_axes(above, "", "evaluations of the field" if first else "")
        format_axes(
            below, "largest error of mu and nu", "processor time, ms a solve" if first else ""
        )
        set_title(above, part["paradigm"])
    axes[0, 0].invert_xaxis()  # all panels share it
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=name)
        for name, (colour, marker) in looks(parts[0]["points"]).items()
    ]
    handles.append(
        Line2D([], [], color="0.3", ls=DOTTED, label=f"per row, {parts[0]['batch']} in a batch")
    )
    handles.append(Line2D([], [], color="0.35", lw=0.9, ls=DASHED, label="closed form"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=SMALL
    )
    set_caption(
        figure,
        "m = 100, C = 1000, 100 log-spaced times to t = 4e5, error against the closed form; a "
        "marker is a tolerance. scipy's fields are bare Python floats; odeint is LSODA with a "
        "compiled loop.",
    )
    return figure
