"""Legends: what colours and kinds of line say, below axes or once above all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from jaxattn.plots.canvas import LETTER, as_written, inches_of, wrapped
from jaxattn.plots.style import SMALL, TEXT

__all__ = [
    "legend_below",
    "legend_handles",
    "legend_patches",
    "one_legend",
    "set_caption",
    "shown_label",
]

Looks = Mapping[str, Mapping[str, Any]]
"""How lines or patches look, by their labels."""

_LEGEND: dict[str, Any] = {
    "fontsize": TEXT,
    "frameon": False,
    "borderpad": 0.0,
    "handlelength": 2.4,
    "columnspacing": 1.4,
}


def shown_label(label: str) -> str:
    """A label that a legend shows: matplotlib leaves out what begins with an underscore."""
    shown = as_written(label)
    return f"\N{ZERO WIDTH SPACE}{shown}" if shown.startswith("_") else shown


def legend_handles(looks: Looks, *, has_math: bool = False) -> list[Line2D]:
    """Lines for a legend, that are nowhere drawn; with formulas, where all labels are our own."""
    shown = str if has_math else shown_label
    return [Line2D([], [], label=shown(label), **look) for label, look in looks.items()]


def legend_patches(looks: Looks) -> list[Patch]:
    """Patches for a legend, that are nowhere drawn."""
    return [Patch(label=shown_label(label), **look) for label, look in looks.items()]


def set_caption(figure: Figure, caption: str, *, has_math: bool = False) -> None:
    """Small text below all axes, `as_written` unless it is our own and has formulas."""
    text = wrapped(caption if has_math else as_written(caption), figure.get_size_inches()[0], SMALL)
    figure.supxlabel(text, x=0.01, ha="left", fontsize=SMALL, color="0.25")


def legend_below(ax: Axes, handles: Sequence[Any] | None = None, columns: int = 4) -> Legend | None:
    """A legend under the axis label, where no data can be; none where there is nothing to name."""
    shown = ax.get_legend_handles_labels()[0] if handles is None else handles
    if not shown:
        return None
    figure = ax.get_figure(root=True)
    assert figure is not None
    names = (label.get_text().count("\n") for label in ax.get_xticklabels())
    lines = ax.get_xlabel().count("\n") + max(names, default=0)
    below = ScaledTranslation(0, -(34 + 11 * lines) / 72, figure.dpi_scale_trans)
    return ax.legend(
        handles=list(shown),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=_fitting([str(handle.get_label()) for handle in shown], columns, inches_of(ax)[0]),
        borderaxespad=0.0,
        **_LEGEND,
    )


def one_legend(
    figure: Figure, axes: Sequence[Axes], columns: int = 7, caption: str = ""
) -> Legend | None:
    """One legend above all axes in place of each one's own, and a caption below them."""
    legends = [legend for ax in axes if (legend := ax.get_legend()) is not None]
    # The last of equals: its labels say more where it is drawn by inference rule.
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
        if letters * LETTER * TEXT <= 1.2 * inches * 72:
            return count
    return 1
