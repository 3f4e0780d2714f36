"""The first save at which something is seen: a save that there is, not a time between two."""

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int

__all__ = ["NEVER", "first_save", "lower_median", "value_at"]

NEVER = -1
"""In place of the number of a save."""


def first_save(seen: Bool[np.ndarray, "*row save"]) -> Int[np.ndarray, "*row"]:
    """The number of the first save of each row at which it is so; `NEVER` where it is at none."""
    return np.where(seen.any(axis=-1), np.argmax(seen, axis=-1), NEVER)


def value_at(values: xr.DataArray, saves: xr.DataArray) -> xr.DataArray:
    """What stands at these saves; NaN where there is none.

    Args:
        values: with a dim ``save``, and perhaps some of the dims of `saves`.
        saves: numbers of saves, of any rows; below 0: none.
    """
    picked = values.reset_coords(drop=True).isel(save=saves.reset_coords(drop=True).clip(min=0))
    return picked.where(saves >= 0).transpose(*saves.dims)


def lower_median(saves: Int[np.ndarray, " seed"]) -> int:
    """Of those that there are, the save by which at least half have come; `NEVER` of none.

    The median of an even number would lie between two saves, where nothing was measured.
    """
    there = np.sort(saves[saves >= 0])
    return int(there[(there.size - 1) // 2]) if there.size else NEVER
