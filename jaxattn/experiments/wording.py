"""Numbers and words that the findings of several experiments share."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.plots.lines import BAND
from jaxattn.results.dataset import DATA_CARD

__all__ = ["Line", "band_of", "learnt_from", "ranking", "span"]

Line = dict[str, Any]
"""Numbers behind a figure, by name."""


def band_of(values: np.ndarray) -> dict[str, float | None]:
    """The median of these values and the quantiles `BAND`; None of no values."""
    if not len(values):
        return {"median": None, "low": None, "high": None}
    median, low, high = map(float, np.quantile(values, (0.5, *BAND)))
    return {"median": median, "low": low, "high": high}


def learnt_from(ds: xr.Dataset) -> list[str]:
    """What the data are and what of them had to be decided, where a task says so; else nothing."""
    card = ds.attrs.get(DATA_CARD, "").strip(" .")
    return [f"Learnt from {card}."] if card else []


def span(values: Sequence[int | float], form: str = ".3g") -> str:
    """``0.2 to 3``, from the least to the largest; one number where both read alike."""
    low, high = (format(value, form) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def ranking(lines: Sequence[Line], ahead: Callable[[Line, Line], bool]) -> str:
    """``soft > hard ~ lvml``: paradigms in this order, ``~`` where one is not ahead of the next."""
    words = lines[0]["paradigm"]
    for more, less in pairwise(lines):
        words += f" {'>' if ahead(more, less) else '~'} {less['paradigm']}"
    return words
