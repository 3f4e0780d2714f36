"""The departures experiment in numbers and in sentences, both made from its Dataset alone."""

from itertools import product

import numpy as np
import xarray as xr

from jaxattn.experiments.departures.distances import SMALL, Distance, distance, over_seeds, slope
from jaxattn.experiments.wording import Line, band_of, span

__all__ = ["findings", "numbers"]

_MEASURES = ("mu", "nu", "attention")


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each paradigm, departure and measure (mu, nu and the attention).

    ``off`` is the distance from the reduced system, root mean square over classes, largest over
    time:

    - at the largest size (``size``): median and `BAND` over seeds, ``rms`` over seeds
    - ``order`` in the size with its 95 % interval over seeds, fitted to sizes up to `SMALL` (of
      samples, to all); ``average`` and ``average_order``: of the average of the classes
    - ``predicted`` by theory at the least size, ``found`` there, and ``error``, the standard error
      of that over seeds (scrambles)
    """
    lines = []
    names = (map(str, ds[dim].values) for dim in ("paradigm", "departure"))
    for paradigm, departure, measure in product(*names, _MEASURES):
        far = distance(ds.sel(paradigm=paradigm), departure, measure)
        line = {
            "paradigm": paradigm,
            "departure": departure,
            "measure": measure,
            "size": round(float(far.amount[-1]), 6),
            "seeds": int(np.isfinite(far.each[-1]).sum()),
            "off": _part(far, departure),
        }
        lines.append(line)
    return lines


def _part(far: Distance, departure: str) -> Line:
    small = np.inf if departure == "sample" else SMALL
    least = _finite(far.each[0])
    each, average = (slope(far.amount, cells, small) for cells in (far.each, far.average))
    return {
        **band_of(_finite(far.each[-1])),
        "order": float(each.mean),
        "order_low": float(each.low),
        "order_high": float(each.high),
        "rms": float(far.typical[-1]),
        "average": float(over_seeds(far.average)[-1]),
        "average_order": float(average.mean),
        "found": float(far.typical[0]),
        "predicted": float(far.predicted[0]),
        "error": float(least.std(ddof=1) / np.sqrt(least.size)) if least.size > 1 else np.nan,
    }


def _finite(cells: np.ndarray) -> np.ndarray:
    return cells[np.isfinite(cells)]


def findings(ds: xr.Dataset) -> list[str]:
    """How far, in which order of the size, and whether theory foresaw it: a sentence a departure.

    From the numbers of nu alone. Paradigms without a finished row are left out.
    """
    lines = [line for line in numbers(ds) if line["seeds"] and line["measure"] == "nu"]
    said = []
    for departure in dict.fromkeys(line["departure"] for line in lines):
        same = [line for line in lines if line["departure"] == departure]
        nu = {line["paradigm"]: line["off"] for line in same}
        parts = [
            f"{_WORDS[departure]} {same[0]['size']:.3g}: nu of the classes is off by "
            f"{_listed(nu, 'median', '.3g')} (rms over classes, largest over time)",
            f"by order {_spread(nu, 'order')} in that size{_sureness(nu)}",
        ]
        if all(_apart(part) for part in nu.values()):
            parts.append(
                f"their average by {_listed(nu, 'average', '.3g')}, order "
                f"{_spread(nu, 'average_order')}"
            )
        if all(np.isfinite(part["predicted"]) for part in nu.values()):
            off = [abs(part["found"] / part["predicted"] - 1) for part in nu.values()]
            # The class counts are those of the very samples: chance is on both sides.
            how_sure = _error(nu) if departure == "noise" else ""
            near = f"within {max(off):.1g} of {_BY[departure]}"
            parts.append(f"at the least size {near} (relative{how_sure})")
        said.append("; ".join(parts) + ".")
    return said


_WORDS = {
    "frequency": "class frequencies unequal by",
    "chain": "neighbouring classes correlated by",
    "equal": "all classes correlated by",
    "noise": "noise on the background of sigma",
    "sample": "samples of 1/sqrt(bags)",
}
_BY = {
    "equal": "the exact path",
    "noise": "the path to order sigma^2",
    "sample": "what class counts alone do to first order",
}
_SAME = 0.02
"""An average that is this close to the root mean square is no second thing to tell."""


def _apart(part: Line) -> bool:
    return bool(part["average"] < (1 - _SAME) * part["rms"])


def _listed(parts: dict[str, Line], key: str, form: str) -> str:
    return ", ".join(f"{name} {part[key]:{form}}" for name, part in parts.items())


def _spread(parts: dict[str, Line], key: str) -> str:
    return span([part[key] for part in parts.values()], ".2f")


def _sureness(parts: dict[str, Line]) -> str:
    """Intervals of the orders, where seeds give some."""
    if not all(np.isfinite(part["order_low"]) for part in parts.values()):
        return ""
    each = (f"{n} {p['order_low']:.2f} to {p['order_high']:.2f}" for n, p in parts.items())
    return f" (95 % intervals: {', '.join(each)})"


def _error(parts: dict[str, Line]) -> str:
    if not all(np.isfinite(part["error"]) for part in parts.values()):
        return ""
    shares = [part["error"] / part["found"] for part in parts.values()]
    return f"; standard error {max(shares):.1g}"
