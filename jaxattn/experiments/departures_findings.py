"""The departures experiment in numbers and in sentences, both made from its Dataset alone."""

from typing import Any

import numpy as np
import xarray as xr

from jaxattn.distances import SMALL, Cells, Distance, distance, over_seeds, slope
from jaxattn.plots.curves import BAND

__all__ = ["findings", "numbers"]

_MEASURES = ("mu", "nu", "attention")


def numbers(ds: xr.Dataset) -> list[dict[str, Any]]:
    """One line for each paradigm and departure, with a part for mu, nu and the attention each.

    At the largest size (``size``): median and `BAND` over seeds of the distance from the reduced
    system, root mean square over classes, largest over time. ``slope`` with its 95 % interval over
    seeds: the order in the size, fitted to sizes up to `SMALL` (all samples). ``average`` and
    ``average_slope``: the same of the average of the classes. ``predicted`` by theory at the least
    size, ``found`` there, and ``error``, the standard error of that over seeds (scrambles).
    """
    lines = []
    for paradigm in map(str, ds["paradigm"].values):
        for departure in map(str, ds["departure"].values):
            one = ds.sel(paradigm=paradigm)
            parts = {name: distance(one, departure, name) for name in _MEASURES}
            line = {"paradigm": paradigm, "departure": departure}
            line["size"] = float(parts["nu"].amount[-1])
            line["seeds"] = int(np.isfinite(parts["nu"].each[-1]).sum())
            lines.append(line | {name: _part(far, departure) for name, far in parts.items()})
    return lines


def _part(far: Distance, departure: str) -> dict[str, Any]:
    small = np.inf if departure == "sample" else SMALL
    last, least = _there(far.each[-1]), _there(far.each[0])
    of_seeds = dict.fromkeys(("median", "low", "high"))
    if last.size:
        ends = map(float, np.quantile(last, (0.5, *BAND)))
        of_seeds = dict(zip(of_seeds, ends, strict=True))
    each, average = (slope(far.amount, cells, small) for cells in (far.each, far.average))
    several = least.size > 1
    return {
        **of_seeds,
        "slope": float(each.mean),
        "slope_low": float(each.low),
        "slope_high": float(each.high),
        "average": float(over_seeds(far.average)[-1]),
        "average_slope": float(average.mean),
        "found": float(far.typical[0]),
        "predicted": float(far.predicted[0]),
        "error": float(least.std(ddof=1) / np.sqrt(least.size)) if several else np.nan,
    }


def _there(cells: np.ndarray) -> np.ndarray:
    return cells[np.isfinite(cells)]


def findings(ds: xr.Dataset) -> list[str]:
    return []
