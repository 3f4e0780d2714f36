"""The theory figure in numbers and in sentences, the sentences made from the numbers alone."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.experiments.wording import Line, ranking

__all__ = ["EARLY", "findings", "numbers"]

EARLY = 0.1
"""The early order is looked at the saved time nearest to this, in m C."""

TIE = 1e-9
"""Values closer than this, relative to themselves, have no order here."""


def numbers(ds: xr.Dataset) -> list[Line]:
    """Lines ``{"paradigm", "what", "at", "value", "in_mC", "apart"}``, all with the same keys.

    For each paradigm whose closed form is there:

    - ``mu``, ``nu``, ``alpha``, ``beta``, ``loss`` at the end (``at`` is the time, ``in_mC`` the
      same in m C), with ``apart``, the largest distance from the ODE over all times; and mu and nu
      early, at about `EARLY`
    - ``time to alpha`` at each threshold; None where it is not reached
    - ``1 - alpha`` at the end; ``its law``, the leading one, there; ``its exponent``, the slope of
      its logarithm in that of time over the last two saves
    - ``takes the lead in mu`` and ``in nu`` from the paradigm ``at``, the last time; None if never

    An interrupted run gives what it got to.
    """
    unit = float(ds.attrs["segments"]) * float(ds.attrs["classes"])
    status = ds["status"].sel(dynamics="closed-form")
    lines = []
    for name in map(str, ds["paradigm"].values):
        if int(status.sel(paradigm=name)) == Status.DONE:
            lines += _of_one(ds.sel(paradigm=name), name, unit)
    return lines


def _of_one(paths: xr.Dataset, name: str, unit: float) -> list[Line]:
    exact, solved = (paths.sel(dynamics=way) for way in ("closed-form", "ode"))
    time = paths["time"].values
    lines: list[Line] = []

    def add(what: str, at: Any, value: float, in_mc: float | None, apart: float | None) -> None:
        numbers = (value, in_mc, apart)
        known = (float(x) if x is not None and np.isfinite(x) else None for x in numbers)
        keys = ("paradigm", "what", "at", "value", "in_mC", "apart")
        lines.append(dict(zip(keys, (name, what, at, *known), strict=True)))

    whole = int(solved["status"]) == Status.DONE
    early = int(np.argmin(np.abs(time / unit - EARLY)))
    for what in ("mu", "nu", "alpha", "beta", "loss"):
        values = exact[what].values
        apart = np.max(np.abs(values - solved[what].values)) if whole else None
        add(what, float(time[-1]), values[-1], time[-1] / unit, apart)
        if what in ("mu", "nu"):
            add(f"{what}, early", float(time[early]), values[early], time[early] / unit, None)
    if "time_to_focus" in paths:
        for threshold, at in zip(
            paths["threshold"].values, paths["time_to_focus"].values, strict=True
        ):
            add("time to alpha", float(threshold), at, at / unit, None)
    left = 1.0 - exact["alpha"].values[-2:]
    add("1 - alpha", float(time[-1]), left[-1], time[-1] / unit, None)
    add("its law", float(time[-1]), exact["late_law"].values[-1], time[-1] / unit, None)
    slope = np.diff(np.log(left))[0] / np.diff(np.log(time[-2:]))[0]
    add("its exponent", float(time[-1]), slope, time[-1] / unit, None)
    if "takes_lead" in paths:
        for quantity, other in product(*(paths[dim].values for dim in ("quantity", "other"))):
            if other != name:
                at = float(paths["takes_lead"].sel(quantity=quantity, other=other))
                add(f"takes the lead in {quantity}", str(other), at, at / unit, None)
    return lines


def findings(ds: xr.Dataset) -> list[str]:
    """How far the ODE is away, who leads early and at the end, when that changes, late laws."""
    lines = numbers(ds)
    if not lines:
        return []
    said = [_apart(lines)]
    for what in ("mu", "nu"):
        said += [_order(lines, f"{what}, early", what), _order(lines, what, what)]
        said += _passes(lines, what)
    return [sentence for sentence in [*said, *_focus(lines), *_late(lines)] if sentence]


def _of(lines: Sequence[Line], what: str) -> list[Line]:
    return [line for line in lines if line["what"] == what]


def _apart(lines: Sequence[Line]) -> str:
    distances = [line["apart"] for what in ("mu", "nu") for line in _of(lines, what)]
    known = [distance for distance in distances if distance is not None]
    lost = (len(distances) - len(known)) // 2
    words = f"; {lost} were not solved" if lost else ""
    if not known:
        return "The ODE solver gave no answer to hold the closed forms against."
    return f"Closed forms and ODE solver: mu and nu at most {max(known):.1e} apart{words}."


def _order(lines: Sequence[Line], what: str, quantity: str) -> str:
    """The paradigms, the largest first; ~ stands where there is no order."""
    ordered = sorted(_of(lines, what), key=lambda line: -line["value"])
    words = ranking(
        ordered, lambda more, less: more["value"] - less["value"] > TIE * abs(more["value"])
    )
    values = ", ".join(f"{line['value']:.5g}" for line in ordered)
    tied = " (~: equal to rounding)" if "~" in words else ""
    return f"{quantity} at {ordered[0]['in_mC']:.2g} m C: {words}{tied}: {values}."


def _passes(lines: Sequence[Line], quantity: str) -> list[str]:
    known = _of(lines, f"takes the lead in {quantity}")
    taken = [line for line in known if line["value"]]
    if known and not taken:
        return [f"{quantity}: nobody passes another before the end."]
    return [
        f"{quantity}: {line['paradigm']} takes the lead from {line['at']} at "
        f"{line['in_mC']:.4g} m C (t = {line['value']:.5g})."
        for line in sorted(taken, key=lambda line: line["value"])
    ]


def _focus(lines: Sequence[Line]) -> list[str]:
    times = _of(lines, "time to alpha")
    said = []
    for threshold in dict.fromkeys(line["at"] for line in times):
        same = [line for line in times if line["at"] == threshold]
        reached = sorted((x for x in same if x["value"]), key=lambda line: line["value"])
        words = [f"{line['paradigm']} at {line['in_mC']:.4g} m C" for line in reached]
        words += [f"{x['paradigm']} not before the end" for x in same if not x["value"]]
        said.append(f"alpha passes {threshold:g}: {', '.join(words)}.")
    return said


def _late(lines: Sequence[Line]) -> list[str]:
    def by_name(what: str) -> Mapping[str, Line]:
        return {line["paradigm"]: line for line in _of(lines, what)}

    left, law, slope = (by_name(what) for what in ("1 - alpha", "its law", "its exponent"))
    return [
        f"{name}: 1 - alpha is {left[name]['value']:.3g} at {left[name]['in_mC']:.2g} m C, "
        f"{left[name]['value'] / law[name]['value']:.3g} times its leading law, and falls there "
        f"as t^{slope[name]['value']:.2f}."
        for name in left
    ]
