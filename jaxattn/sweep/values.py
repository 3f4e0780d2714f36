"""From what is written for an axis to its values: lists, ranges, values that move together, draws.

Values are written out in the spec and are part of its hash, so they are computed exactly rounded:
the same file gives the same numbers on every machine.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from hashlib import sha256
from math import isfinite
from typing import Any

import numpy as np

from jaxattn.contracts import InputError
from jaxattn.names import nearest
from jaxattn.sweep.axes import MOST, Axis, Value

__all__ = ["SEEDS", "known_keys", "read_axis", "whole_number"]

SEEDS = 2**32
"""A seed is below it."""

_DIGITS = Context(prec=40)
FORMS = "a value, a list, {range = [low, high], count = n} or {log = [low, high], count = n}"


def read_axis(name: str, asked: Any) -> Axis:
    """One axis from what is written for it.

    Raises:
        InputError: neither a value, a list, a range, a log range, a zip nor a draw.
    """
    if isinstance(asked, Mapping) and "zip" in asked:
        known_keys(f"axis {name}", asked, ("zip",))
        columns = _columns(name, "zip", asked["zip"])
        return Axis(name, tuple((key, _values(key, one)) for key, one in columns.items()))
    if isinstance(asked, Mapping) and "random" in asked:
        known_keys(f"axis {name}", asked, ("random", "count", "seed"))
        columns = _columns(name, "random", asked["random"])
        count = whole_number(f"axis {name}: count", asked.get("count"), 1, MOST)
        seed = whole_number(f"axis {name}: seed", asked.get("seed", 0), 0, SEEDS - 1)
        return Axis(
            name, tuple((key, _drawn(key, one, count, seed)) for key, one in columns.items())
        )
    return Axis(name, ((name, _seeds(asked) if name == "seed" else _values(name, asked)),))


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """`value` if it is an integer from `low` to `high`.

    Raises:
        InputError: it is not.
    """
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or not low <= value <= high:
        got = "none" if value is None else repr(value)
        raise InputError(f"{name}: got {got}, expected an integer from {low} to {high}.")
    return int(value)


def known_keys(table: str, given: Any, known: Sequence[str]) -> None:
    """Refuse a table that is none, or has an unknown key.

    Raises:
        InputError: with the nearest known key.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"{table}: got {given!r}, expected a table of {', '.join(known)}.")
    for key in given:
        if key not in known:
            raise InputError(
                f"{table}: got the key {key!r}, expected one of {', '.join(known)}; "
                f"{nearest(str(key), known) or 'drop it.'}"
            )


def _columns(name: str, kind: str, asked: Any) -> Mapping[str, Any]:
    if not isinstance(asked, Mapping) or not asked:
        raise InputError(
            f"axis {name}: got {kind} = {asked!r}, expected a table of names and their values."
        )
    return asked


def _values(name: str, asked: Any) -> tuple[Value, ...]:
    if isinstance(asked, Mapping):
        return _spaced(name, asked)
    listed = list(asked) if isinstance(asked, list | tuple | np.ndarray) else [asked]
    return tuple(_value(name, value) for value in listed)


def _value(name: str, value: Any) -> Value:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float | str):
        raise InputError(f"axis {name}: got {value!r}, expected {FORMS}.")
    if isinstance(value, float) and not isfinite(value):
        raise InputError(f"axis {name}: got {value}, expected a finite number.")
    return value


def _seeds(asked: Any) -> tuple[Value, ...]:
    if not isinstance(asked, Mapping):
        return _values("seed", asked)
    known_keys("axis seed", asked, ("count", "first"))
    count = whole_number("axis seed: count", asked.get("count"), 1, MOST)
    first = whole_number("axis seed: first", asked.get("first", 0), 0, SEEDS - count)
    return tuple(range(first, first + count))


def _spaced(name: str, asked: Mapping[str, Any]) -> tuple[Value, ...]:
    """Both ends of a range and what is equally spaced between them; integers where all are."""
    low, high, is_log = _ends(name, asked, ("count",))
    count = whole_number(f"axis {name}: count", asked.get("count"), 1, MOST)
    if count == 1 and low != high:
        raise InputError(
            f"axis {name}: got count = 1, expected at least 2 as both ends of a range belong to "
            "it; write a single value as a list."
        )
    steps = max(count - 1, 1)
    return _integers_if_all(
        [_between(low, high, Fraction(at, steps), is_log) for at in range(count)], (low, high)
    )


def _drawn(name: str, asked: Any, count: int, seed: int) -> tuple[Value, ...]:
    """Draws of a stream that is the name's own: other names and larger counts change none."""
    digest = np.frombuffer(sha256(name.encode()).digest(), dtype="<u4")
    stream = np.random.Generator(np.random.PCG64([seed, *digest.tolist()]))
    shares = stream.random(count).tolist()
    if isinstance(asked, Mapping):
        low, high, is_log = _ends(name, asked, ())
        return tuple(_between(low, high, Fraction(share), is_log) for share in shares)
    choices = _values(name, asked)
    if not choices:
        raise InputError(f"axis {name}: got no values, expected at least one to draw from.")
    return tuple(choices[int(share * len(choices))] for share in shares)


def _ends(
    name: str, asked: Mapping[str, Any], more: tuple[str, ...]
) -> tuple[int | float, int | float, bool]:
    """Both ends of a range, and whether it is one of logarithms."""
    known_keys(f"axis {name}", asked, ("range", "log", *more))
    if ("range" in asked) == ("log" in asked):
        raise InputError(f"axis {name}: got {dict(asked)!r}, expected one of range and log.")
    is_log = "log" in asked
    kind = "log" if is_log else "range"
    ends = asked[kind]
    numbers = isinstance(ends, list | tuple) and all(
        isinstance(end, int | float) and not isinstance(end, bool) for end in ends
    )
    if not numbers or len(ends) != 2 or not all(isfinite(end) for end in map(float, ends)):
        raise InputError(
            f"axis {name}: got {kind} = {ends!r}, expected two finite numbers, [low, high]."
        )
    low, high = ends
    if is_log and min(low, high) <= 0:
        raise InputError(
            f"axis {name}: got log = {ends!r}, expected ends above 0; start at a small number."
        )
    return low, high, is_log


def _between(low: int | float, high: int | float, share: Fraction, is_log: bool) -> float:
    """A share of the way from `low` to `high`, rounded once; the ends themselves exactly."""
    if share in (0, 1):
        return float(high if share else low)
    if not is_log:
        return float(Fraction(low) + share * (Fraction(high) - Fraction(low)))
    # Decimal's logarithm and exponential are correctly rounded on every machine; the libm's and
    # NumPy's differ in the last bit between machines.
    part = _DIGITS.divide(Decimal(share.numerator), Decimal(share.denominator))
    start, end = (_DIGITS.ln(Decimal(value)) for value in (low, high))
    way = _DIGITS.multiply(part, _DIGITS.subtract(end, start))
    return float(_DIGITS.exp(_DIGITS.add(start, way)))


def _integers_if_all(values: list[float], ends: tuple[int | float, ...]) -> tuple[Value, ...]:
    """As integers, which sizes must be, where the ends are written so and none is between."""
    if all(isinstance(end, int) for end in ends) and all(map(float.is_integer, values)):
        return tuple(map(int, values))
    return tuple(values)
