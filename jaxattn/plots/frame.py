"""The frame of every figure: plain axes with labels that fit, a title, one legend, a caption."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import ScaledTranslation

from jaxattn.plots.style import SMALL, TEXT

__all__ = [
    "COLUMN",
    "format_axes",
    "label_of",
    "legend_below",
    "name_ticks",
    "new_axes",
    "new_grid",
    "new_panels",
    "one_legend",
    "set_caption",
    "set_title",
    "width_of",
]

COLUMN = (6.4, 4.0)
"""Inches of a figure that is to be read at the width of a column."""
_LETTER = 0.52
"""Width of a letter of DejaVu Sans, as a share of its size."""

_LEGEND: dict[str, Any] = {
    "fontsize": TEXT,
    "frameon": False,
    "borderpad": 0.0,
    "handlelength": 2.4,
    "columnspacing": 1.4,
}


def new_axes(height: float = COLUMN[1]) -> Axes:
    """Axes of a new pyplot figure, which a notebook shows by itself."""
    return plt.subplots(figsize=(COLUMN[0], height), layout="constrained")[1]


def new_panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of its own, unknown to pyplot, with `count` axes side by side."""
    width = {2: 8.4, 3: 10.2}[count]
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def new_grid(rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    """A figure of its own, unknown to pyplot, as wide as a column: ``[row, column]`` of axes."""
    figure = Figure(figsize=(COLUMN[0], height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def label_of(attributes: Mapping[str, Any], name: str) -> str:
    """``long_name [units]``; without a unit of 1, or one that the name says already."""
    text = str(attributes.get("long_name") or name)
    unit = str(attributes.get("units", "1"))
    said = unit == "1" or re.search(rf"\b{re.escape(unit)}\b", text)
    return text if said else f"{text} [{unit}]"


def format_axes(ax: Axes, x_label: str, y_label: str) -> None:
    """Labels that fit, a light grid, no box."""
    wide, high = _inches(ax)
    ax.set_xlabel(_wrapped(x_label, wide, TEXT), fontsize=TEXT)
    ax.set_ylabel(_wrapped(y_label, high, TEXT), fontsize=TEXT)
    ax.tick_params(which="both", labelsize=TEXT, color="0.6")
    ax.margins(x=0.02)
    ax.set_axisbelow(True)
    ax.grid(True, color="0.9", linewidth=0.7)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("0.6")


def name_ticks(ax: Axes, names: Sequence[str]) -> None:
    """A name at 0, 1, 2, ... of the x axis, and nothing else there."""
    ax.set_xticks(range(len(names)), names, fontsize=TEXT)
    ax.tick_params(axis="x", length=0, labelcolor="black")
    ax.grid(False, axis="x")
    ax.set_xlim(-0.6, len(names) - 0.4)


def set_title(ax: Axes, *parts: str, colour: str = "black") -> None:
    """A left-aligned title: the first part on its own line, the others after it."""
    first, *rest = [part for part in parts if part] or [""]
    wide = _inches(ax)[0]
    lines = [_wrapped(text, wide, TEXT) for text in (first, "; ".join(rest)) if text]
    ax.set_title("\n".join(lines), loc="left", fontsize=TEXT, color=colour)


def set_caption(figure: Figure, caption: str) -> None:
    """Small text below all axes."""
    text = _wrapped(caption, figure.get_size_inches()[0], SMALL)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=SMALL, color="0.25")


def legend_below(ax: Axes, handles: Sequence[Any] | None = None, columns: int = 4) -> Legend | None:
    """A legend under the axis label, where no data can be; none where there is nothing to name."""
    found = ax.get_legend_handles_labels()[0] if handles is None else handles
    if not found:
        return None
    figure = ax.get_figure(root=True)
    assert figure is not None
    names = (label.get_text().count("\n") for label in ax.get_xticklabels())
    lines = ax.get_xlabel().count("\n") + max(names, default=0)
    below = ScaledTranslation(0, -(34 + 11 * lines) / 72, figure.dpi_scale_trans)
    return ax.legend(
        handles=list(found),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=_fitting([str(one.get_label()) for one in found], columns, _inches(ax)[0]),
        borderaxespad=0.0,
        **_LEGEND,
    )


def one_legend(
    figure: Figure, axes: Sequence[Axes], columns: int = 7, caption: str = ""
) -> Legend | None:
    """One legend above all axes in place of each one's own, and a caption below them."""
    legends = [legend for ax in axes if (legend := ax.get_legend()) is not None]
    # Of equals the last: its labels say more where it is drawn by inference rule.
    handles = max((each.legend_handles for each in reversed(legends)), key=len, default=[])
    for legend in legends:
        legend.remove()
    if caption:
        set_caption(figure, caption)
    if not handles:
        return None
    return figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=min(columns, len(handles)),
        **_LEGEND,
    )


def _fitting(labels: list[str], columns: int, inches: float) -> int:
    """At most so many columns of a legend that it is hardly wider than its axes."""
    for count in range(min(columns, len(labels)), 1, -1):
        rows = -(-len(labels) // count)  # matplotlib fills one column after the other
        longest = [max(map(len, labels[at : at + rows])) for at in range(0, len(labels), rows)]
        letters = sum(longest) + len(longest) * 2 * (_LEGEND["handlelength"] + 2.2)
        if letters * _LETTER * TEXT <= 1.2 * inches * 72:
            return count
    return 1


def width_of(ax: Axes) -> float:
    """Inches, before the layout makes room for labels."""
    return _inches(ax)[0]


def _inches(ax: Axes) -> tuple[float, float]:
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_position()
    width, height = figure.get_size_inches()
    return box.width * width, box.height * height


def _wrapped(text: str, inches: float, size: float) -> str:
    return textwrap.fill(text, max(20, int(inches * 72 / (_LETTER * size))))
