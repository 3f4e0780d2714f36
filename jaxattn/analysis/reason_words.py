"""Why rows were not solved, in words."""

import numpy as np
import xarray as xr

from jaxattn.analysis.wording import listed
from jaxattn.core.reasons import Reason

__all__ = ["reason_words", "reasons_in"]


def reasons_in(ds: xr.Dataset, dynamics: str | None = None) -> xr.Dataset:
    """Why each row of a result was not solved, and the time at which it ended, loaded.

    Nothing of a result that knows none: of training alone, or of an earlier version.
    """
    if "reason" not in ds:
        return xr.Dataset()
    known = ds[["reason", "time_reached"]]
    return (known if dynamics is None else known.sel(dynamics=dynamics)).load()


def reason_words(rows: xr.Dataset) -> str:
    """Such as: steps used up at t = 12; nothing where no reason is known.

    Args:
        rows: of `reasons_in`.
    """
    said = []
    for one in Reason if "reason" in rows else ():
        here = rows["reason"].values == one
        if not one.words or not here.any():
            continue
        times = rows["time_reached"].values[here]
        times = np.sort(times[np.isfinite(times)])
        ends = list(dict.fromkeys(f"{time:.3g}" for time in times[[0, -1]])) if times.size else []
        said.append(f"{one.words} at t = {' to '.join(ends)}" if ends else one.words)
    return listed(said)
