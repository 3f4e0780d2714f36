"""Figures to draw on, and what fits on them."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.core.text import printable

__all__ = [
    "LETTER",
    "Panel",
    "as_written",
    "inches_of",
    "new_axes",
    "new_grid",
    "new_panels",
    "own_figures",
    "panels_of",
    "wrapped",
]

_COLUMN = (6.4, 4.0)
"""Inches of a figure that is to be read at the width of a column."""
LETTER = 0.52
"""Width of a letter of DejaVu Sans, as a share of its size."""


_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


@contextmanager
def own_figures() -> Iterator[None]:
    """Within, all new figures are unknown to pyplot, whose backend may need a screen, or be none.

    Nor does a person's matplotlibrc reach them where it could make them fail: no TeX.
    """
    before = _ALONE.set(True)
    try:
        with matplotlib.rc_context({"text.usetex": False}):
            yield
    finally:
        _ALONE.reset(before)


def new_axes(height: float = _COLUMN[1]) -> Axes:
    """Axes of a new pyplot figure, which a notebook shows by itself; see `own_figures`."""
    size = (_COLUMN[0], height)
    if _ALONE.get():
        return Figure(figsize=size, layout="constrained").subplots()
    # Not before somebody wants it: it starts the backend that the environment names.
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def new_panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of its own, unknown to pyplot, with `count` axes side by side."""
    width = {2: 8.4, 3: 10.2}[count]
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def new_grid(
    rows: int, columns: int, height: float, heights: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray]:
    """A figure of its own, unknown to pyplot, as wide as a column: ``[row, column]`` of axes.

    Args:
        rows: of axes.
        columns: of axes.
        height: of the figure, in inches.
        heights: how high the rows are beside each other; by default they are equally high.
    """
    figure = Figure(figsize=(_COLUMN[0], height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, height_ratios=heights)


class Panel(NamedTuple):
    """Axes among others of one scale, and whether they are in the first column, the last row."""

    ax: Axes
    left: bool
    bottom: bool


def panels_of(count: int, height: float, more: float = 0.0) -> tuple[Figure, list[Panel]]:
    """A new figure with `count` panels, two in a row, unknown to pyplot.

    Args:
        count: of panels; where their last row is not full, the rest of it stays empty.
        height: of a row, in inches.
        more: inches for what stands above and below all rows.
    """
    columns = min(2, count)
    rows = -(-count // columns)
    figure, axes = new_grid(rows, columns, height * rows + more)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    every = enumerate(axes.flat[:count])
    return figure, [Panel(ax, at % columns == 0, at + columns >= count) for at, ax in every]


def inches_of(ax: Axes) -> tuple[float, float]:
    """Width and height of axes, before the layout makes room for labels."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_position()
    width, height = figure.get_size_inches()
    return box.width * width, box.height * height


def as_written(text: str) -> str:
    """Text from users as matplotlib shows it letter by letter: between two ``$`` is no mathematics.

    Once for each text: the escape itself is not escaped.
    """
    return printable(text).replace("$", r"\$")


def wrapped(text: str, inches: float, size: float) -> str:
    """Text of this size in lines that are no longer than so many inches."""
    return textwrap.fill(text, max(20, int(inches * 72 / (LETTER * size))))
