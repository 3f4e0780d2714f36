"""Figures as files."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from jaxattn.core.text import file_name
from jaxattn.results.files import write_bytes

__all__ = ["save"]

DOTS_PER_INCH = 150

_LOOK: Any = {
    "svg.hashsalt": "jaxattn",
    "text.usetex": False,
    # Pictures of one panel would be drawn together first, pixel by pixel: twice as long.
    "image.composite_image": False,
    # Where a figure is told of no layout, there is none.
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}


def save(figure: Figure, folder: str | os.PathLike[str], name: str) -> list[Path]:
    """Write a figure as ``<name>.png`` and ``<name>.svg``, each whole or not at all.

    Equal figures give equal files. The figure stays open.

    Args:
        figure: ``ax.figure`` of what a figure function returned.
        folder: made where it is missing.
        name: of the files, without an ending; see `jaxattn.core.text.file_name`.

    Returns:
        The two paths.

    Raises:
        OSError: the folder cannot be made, or the disk is full or not writable.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with matplotlib.rc_context(_LOOK), _laid_out(figure) as box:
        for ending, metadata in (("png", {}), ("svg", {"Date": None})):
            content = io.BytesIO()
            figure.savefig(
                content,
                format=ending,
                dpi=DOTS_PER_INCH,
                metadata=metadata,
                bbox_inches=box,
                facecolor="white",
            )
            paths.append(folder / f"{file_name(name)}.{ending}")
            write_bytes(paths[-1], content.getvalue())
    return paths


@contextmanager
def _laid_out(figure: Figure) -> Iterator[Bbox]:
    """Within, the layout is made, once for both files, and stays: the box around it, in inches.

    Making it and finding the box takes as long as drawing.
    """
    engine, dpi = figure.get_layout_engine(), figure.get_dpi()
    # A window that shows the figure keeps its size.
    manager, figure.canvas.manager = figure.canvas.manager, None
    try:
        figure.set_dpi(DOTS_PER_INCH)
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        yield figure.get_tightbbox().padded(matplotlib.rcParams["savefig.pad_inches"])
    finally:
        figure.set_layout_engine(engine)
        figure.set_dpi(dpi)
        figure.canvas.manager = manager
