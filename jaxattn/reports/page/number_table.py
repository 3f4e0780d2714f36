"""Nested numbers, a dict a line, as one table with readable columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.reports.page.page import Cell, Table, cell

__all__ = ["BAND_WORDS", "has_bands", "numbers_sheet"]

BAND = ("median", "low", "high")
"""Keys that, all three in one dict, become one column."""

BAND_WORDS = "median [10 %, 90 %] over the seeds that finished"

_BAND_NOTE = (
    "Median and, in brackets, 10 to 90 % band over the seeds that finished; columns sort by the "
    "median."
)
_SAME_UNIT = {*BAND, "mean", "least", "most", "peak", "ceiling", "limit"}
"""What of a quantity has the quantity's unit; of all else (a count, a share, a p) it is not known.
"""

Path = tuple[str, ...]


def has_bands(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column of these numbers is ``median [low, high]``."""
    return any(_is_band(value) for line in lines for _, value in _leaves(line))


def numbers_sheet(
    lines: Sequence[Mapping[str, Any]], ds: xr.Dataset, most: int, rest: str = "", digits: int = 4
) -> Table:
    """The numbers of an experiment: a dict inside a line becomes columns of its own.

    A number named like a variable of `ds` has the unit of that variable, and its long name below
    the title. What a line lacks is a dash.

    Args:
        lines: any of them may lack a key, or hold None in the place of a dict.
        ds: the results, for their labels.
        most: how many lines are shown, from the first on.
        rest: where all of them are, said where some are not shown.
        digits: significant ones.
    """
    flat = [dict(_leaves(line)) for line in lines[:most]]
    paths = dict.fromkeys(path for line in flat for path in line)
    # Where nothing finished a line may say None for what is a dict in another.
    inner = {path[:depth] for path in paths for depth in range(1, len(path))}
    shown = [
        path
        for path in paths
        if path not in inner or any(line.get(path) is not None for line in flat)
    ]
    cut = f"The first {len(flat)} of {len(lines)} lines; {rest}" if len(flat) < len(lines) else ""
    notes = [cut, _BAND_NOTE if has_bands(lines[:most]) else "", _long_names(shown, ds)]
    return Table(
        "Behind the figures",
        " ".join(note for note in notes if note),
        [_heading(path, ds) for path in shown],
        [[_read(line.get(path), digits) for path in shown] for line in flat],
    )


def _leaves(line: Mapping[str, Any], at: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, value in line.items():
        here = (*at, str(name))
        if not isinstance(value, Mapping):
            yield here, value
        elif _is_band(value):
            yield here, {key: value[key] for key in BAND}
            yield from _leaves({k: v for k, v in value.items() if k not in BAND}, here)
        else:
            yield from _leaves(value, here)


def _is_band(value: Any) -> bool:
    return isinstance(value, Mapping) and set(BAND) <= set(value)


def _read(value: Any, digits: int) -> Cell:
    if _is_band(value):
        middle, low, high = (_read(value[key], digits) for key in BAND)
        missing = middle == cell(None)
        return middle if missing else Cell(f"{middle.text} [{low.text}, {high.text}]", middle.by)
    if isinstance(value, float | np.floating) and np.isinf(value):
        sign = "\N{MINUS SIGN}" if value < 0 else ""
        return Cell(f"{sign}\N{INFINITY}", float(value))
    return cell(value, digits)


def _heading(path: Path, ds: xr.Dataset) -> str:
    unit = _labels(path[-1], ds).get("units", "")
    if len(path) > 1 and path[-1] in _SAME_UNIT:
        unit = _labels(path[-2], ds).get("units", "")
    words = ": ".join(name.replace("_", " ") for name in path)
    return words if unit in ("", "1") else f"{words} [{unit}]"


def _long_names(paths: Sequence[Path], ds: xr.Dataset) -> str:
    known = {path[0]: str(_labels(path[0], ds).get("long_name", "")) for path in paths}
    said = [f"{name.replace('_', ' ')}: {text}" for name, text in known.items() if text]
    return f"{'; '.join(said)}." if said else ""


def _labels(name: str, ds: xr.Dataset) -> Mapping[Any, Any]:
    return ds.variables[name].attrs if name in ds.variables else {}
