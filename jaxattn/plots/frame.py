"""The frame of every figure: plain axes with labels that fit, a title, a legend below."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jaxattn.plots.canvas import as_written, inches_of, wrapped
from jaxattn.plots.legends import legend_below
from jaxattn.plots.style import TEXT

__all__ = [
    "clauses",
    "finish_axes",
    "format_axes",
    "label_of",
    "number_ticks",
    "set_title",
    "words_of",
]

_NUMBERED = 8
"""More values than these are marked by powers of ten instead of one by one."""


def label_of(attributes: Mapping[str, Any], name: str) -> str:
    """`words_of` a variable, `as_written`."""
    return as_written(words_of(attributes, name))


def words_of(attributes: Mapping[str, Any], name: str) -> str:
    """``long_name [units]``; without a unit of 1, or one that the name says already."""
    text = str(attributes.get("long_name") or name)
    unit = str(attributes.get("units", "1"))
    said = unit == "1" or re.search(rf"\b{re.escape(unit)}\b", text)
    return text if said else f"{text} [{unit}]"


def clauses(*parts: str) -> str:
    """The parts that say something, one after the other."""
    return "; ".join(part for part in parts if part)


def finish_axes(
    ax: Axes,
    labels: tuple[str, str],
    title: Sequence[str],
    handles: Sequence[Any] | None = None,
    columns: int = 4,
) -> Axes:
    """Dress axes on which all is drawn: labels, title, and a legend below.

    Args:
        ax: the axes.
        labels: of x and y.
        title: parts, see `set_title`.
        handles: of the legend; by default what has a label.
        columns: of the legend, at most.
    """
    format_axes(ax, *labels)
    set_title(ax, *title)
    legend_below(ax, handles, columns)
    return ax


def format_axes(ax: Axes, x_label: str, y_label: str) -> None:
    """Labels that fit, a light grid, no box."""
    wide, high = inches_of(ax)
    ax.set_xlabel(wrapped(x_label, wide, TEXT), fontsize=TEXT)
    ax.set_ylabel(wrapped(y_label, high, TEXT), fontsize=TEXT)
    ax.tick_params(which="both", labelsize=TEXT, color="0.6")
    ax.margins(x=0.02)
    ax.set_axisbelow(True)
    ax.grid(True, color="0.9", linewidth=0.7)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("0.6")


def number_ticks(axis: Axis, values: Sequence[float]) -> None:
    """The values themselves as ticks of an axis, where they are few."""
    if len(values) <= _NUMBERED:
        axis.set_major_locator(FixedLocator(list(values)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def set_title(ax: Axes, *parts: str, colour: str = "black") -> None:
    """A left-aligned title, `as_written`: the first part on its own line, the others after it."""
    first, *rest = [as_written(part) for part in parts if part] or [""]
    wide = inches_of(ax)[0]
    lines = [wrapped(text, wide, TEXT) for text in (first, clauses(*rest)) if text]
    ax.set_title("\n".join(lines), loc="left", fontsize=TEXT, color=colour)
