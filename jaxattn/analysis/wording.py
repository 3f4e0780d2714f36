"""What sentences about results share: a finding, values, amounts, intervals, lists."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Finding",
    "capital",
    "interval_words",
    "listed",
    "number_words",
    "setting_words",
    "unit_words",
    "value_words",
]


def setting_words(at: Mapping[Any, Any]) -> str:
    """Values by name as they are spoken of: "learning rate 0.05, optimiser adam"."""
    words = (f"{str(name).replace('_', ' ')} {value_words(value)}" for name, value in at.items())
    return ", ".join(words)


def value_words(value: Any) -> str:
    """One value of an axis: a number, a name, or yes and no."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)


class Finding(NamedTuple):
    """One statement: what it speaks of, and the sentence.

    `setting` is where it holds ("learning rate 0.05"), `measure` what was compared; both are
    empty for what holds of the whole result. `sure` tells whether it names a difference.
    """

    setting: str
    measure: str
    text: str
    sure: bool = False


_UNITS = {"1": "", "%": "points"}
"""How a unit is said of a difference. Of shares it is in points: 2 % more of 10 % would be
something else."""


def unit_words(unit: str) -> str:
    """What stands behind a difference: `` points``, nothing where it has no unit."""
    return f" {_UNITS.get(unit, unit)}".rstrip()


def number_words(value: float) -> str:
    """Three digits; infinite where open."""
    if np.isinf(value):
        return ("-" if value < 0 else "") + "\N{INFINITY}"
    # Rounded first, so that what rounds to nothing is 0 and not -0; no number is as small as an end
    # that is open at 0.
    rounded = float(f"{value:.3g}") if abs(value) > np.nextafter(0.0, 1.0) else 0.0
    return f"{rounded + 0.0:g}"


def interval_words(low: float, high: float) -> str:
    """``[0.1, 0.3]``; round brackets where an end is open, nothing where it is not known."""
    if np.isnan(low) or np.isnan(high):
        return ""
    # What lies next to 0 is an end that is open there.
    past_0 = np.nextafter(0.0, 1.0)
    start = "(" if np.isinf(low) or abs(low) == past_0 else "["
    end = ")" if np.isinf(high) or abs(high) == past_0 else "]"
    return f"{start}{number_words(low)}, {number_words(high)}{end}"


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def capital(text: str) -> str:
    """The text with a capital letter in front."""
    return text[:1].upper() + text[1:]
