"""The phase diagram in numbers and in sentences, the sentences made from the numbers alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.experiments.wording import Line

__all__ = ["findings", "numbers"]

_WHO = {"three": "soft, hard and lvml", "all": "these and the hybrid"}
_COLUMNS = ("what", "at", "paradigm", "low", "median", "high", "leads_three", "leads_all")


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each paradigm and threshold, paradigm and horizon, and pair of paradigms.

    - ``time to focus`` [m C] at a threshold, ``attention`` at a horizon, and ``takes the lead``
      [m C] of a pair: the lowest, the median and the highest over the map, where there is a value
    - ``leads_three`` and ``leads_all``: the share of the map on which the paradigm is first or has
      the largest attention, among the three and with the hybrid; None for one that takes no part.
      Of a pair, the share on which the lead is taken at all.

    Every line has the same keys. An interrupted run gives what it got to.
    """
    lines = [
        *_of_paradigms(ds, "time to focus", "time_to_focus", "threshold", "first_to_focus"),
        *_of_paradigms(ds, "attention", "attention", "horizon", "largest_attention"),
    ]
    if "takes_lead" in ds:
        for pair, values in zip(ds["pair"].values, ds["takes_lead"].values, strict=True):
            taken = _share(np.isfinite(values))
            lines.append(_line("takes the lead", None, str(pair), values, taken, None))
    return lines


def _of_paradigms(ds: xr.Dataset, what: str, name: str, axis: str, winners: str) -> list[Line]:
    lines = []
    for at in map(float, ds[axis].values):
        for code, paradigm in enumerate(map(str, ds["paradigm"].values)):
            values = ds[name].sel({"paradigm": paradigm, axis: at}).values
            shares: dict[str, float | None] = dict.fromkeys(_WHO)
            if winners in ds:
                codes = ds[winners].sel({axis: at})
                shares = {who: _share(codes.sel(among=who).values == code) for who in _WHO}
            three = None if paradigm == "hybrid" else shares["three"]
            lines.append(_line(what, at, paradigm, values, three, shares["all"]))
    return lines


def _line(what: str, at: float | None, who: str, values: np.ndarray, *shares: Any) -> Any:
    known = values[np.isfinite(values)]
    band = map(float, np.quantile(known, (0, 0.5, 1))) if known.size else (None,) * 3
    return dict(zip(_COLUMNS, (what, at, who, *band, *shares), strict=True))


def _share(holds: np.ndarray) -> float:
    return float(np.mean(holds))


def findings(ds: xr.Dataset) -> list[str]:
    """Who leads on how much of the map, when the lead changes hands, and how long it takes."""
    lines = numbers(ds)
    said = [
        sentence
        for what in ("attention", "time to focus")
        for among in _WHO
        for at in dict.fromkeys(line["at"] for line in lines if line["what"] == what)
        if (sentence := _leads(_select(lines, what, at), what, at, among))
    ]
    said += [_takes(line) for line in lines if line["what"] == "takes the lead"]
    return said + [_takes_long(line) for line in lines if line["what"] == "time to focus"]


def _select(lines: Sequence[Line], what: str, at: float) -> list[Line]:
    return [line for line in lines if line["what"] == what and line["at"] == at]


def _leads(lines: Sequence[Line], what: str, at: float, among: str) -> str:
    shares = {line["paradigm"]: line[f"leads_{among}"] for line in lines}
    shares = {name: share for name, share in shares.items() if share}
    if not shares:
        return ""
    ordered = sorted(shares, key=lambda name: -shares[name])
    parts = [f"{name} on {_percent(shares[name])}" for name in ordered]
    tied = 1.0 - sum(shares.values())
    if tied > 1e-9:
        parts.append(f"a tie on {_percent(tied)}")
    words = {
        "attention": f"largest attention at {at:g} m C",
        "time to focus": f"first to an attention of {at:g}",
    }[what]
    return f"{words}, among {_WHO[among]}: {', '.join(parts)} of the map."


def _takes(line: Line) -> str:
    one, other = line["paradigm"].split(" over ")
    if line["median"] is None:
        return f"{one} never takes the lead from {other} on the map."
    return (
        f"{one} takes the lead in attention from {other} for the last time at {_band(line)} m C"
        f"{_where(line['leads_three'])}."
    )


def _where(share: float) -> str:
    return ", everywhere on the map" if share == 1.0 else f", on {_percent(share)} of the map"


def _takes_long(line: Line) -> str:
    return f"{line['paradigm']}: an attention of {line['at']:g} takes {_band(line)} m C."


def _band(line: Line) -> str:
    if line["median"] is None:
        return "an unknown number of"
    return f"{line['low']:.3g} to {line['high']:.3g} (median {line['median']:.3g})"


def _percent(share: float) -> str:
    """Rounded, but not to nothing or to all."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    if 0.999 < share < 1:
        return "more than 99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"
