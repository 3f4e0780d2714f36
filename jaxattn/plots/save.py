"""Figures as files."""

import io
import os
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from jaxattn.core.text import file_name
from jaxattn.results.files import write_bytes

__all__ = ["save"]

DOTS_PER_INCH = 150


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
    for ending, metadata in (("png", {}), ("svg", {"Date": None})):
        content = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "jaxattn", "text.usetex": False}):
            figure.savefig(
                content,
                format=ending,
                dpi=DOTS_PER_INCH,
                metadata=metadata,
                bbox_inches="tight",
                facecolor="white",
            )
        paths.append(folder / f"{file_name(name)}.{ending}")
        write_bytes(paths[-1], content.getvalue())
    return paths
