"""What a reader sees of axes: the title and the legend."""

from matplotlib.axes import Axes

__all__ = ["legend", "said"]


def said(ax: Axes) -> str:
    """The title, on one line."""
    return ax.get_title(loc="left").replace("\n", " ")


def legend(ax: Axes) -> list[str]:
    """The entries of the legend; [] where there is none."""
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]
