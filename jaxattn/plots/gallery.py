"""The figures that a result allows, in the order a reader should see them."""

import xarray as xr

from jaxattn.core.lookup import discover
from jaxattn.plots.drawing import Drawing, Entry, Story

__all__ = ["entries", "gallery"]


def entries() -> list[Entry]:
    """Every one of the `DRAWINGS` of this folder's modules, by place."""
    found = (one for group in discover("jaxattn.plots", "DRAWINGS") for one in group)
    return sorted(found, key=lambda one: one.place)


def gallery(results: xr.Dataset, solved: xr.Dataset | None = None) -> list[Drawing]:
    """Every figure that a result allows; what it cannot give (no flow, no pictures) is not there.

    Args:
        results: of `jaxattn.compare` or `jaxattn.open`.
        solved: the same paradigms in the solvable setting, where that was run beside.

    Returns:
        Drawings of different names. Each makes a new figure, unknown to pyplot, when asked to.

    Raises:
        InputError: not a result.
    """
    story = Story(results)
    beside = story if solved is None else Story(solved)
    found: list[Drawing] = []
    for entry in entries():
        of = beside if entry.solvable else story
        if of.finished(entry.process):
            found += entry.drawings(of)
    return found
