"""The values of an axis, read from what is written for it: lists, ranges, zips, draws.

Values are written out in the spec and are part of its hash, so they are computed exactly rounded:
the same file gives the same numbers on every machine.
"""

from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.study.axes import Axis, Value
from jaxattn.study.checks import MOST, exactly_held, known_keys, shown, unwrapped, whole_number

__all__ = ["SEEDS", "between", "read_axis", "read_column"]

SEEDS = 2**32
"""A seed is below it."""

LARGEST = 1e300
"""The largest end of a range."""

_DIGITS = Context(prec=40)
FORMS = "a value, a list, {range = [low, high], count = n} or {log = [low, high], count = n}"


def read_axis(name: str, given: Any) -> Axis:
    """One axis from what is written for it.

    - a list, or one value; seeds also as ``{count = n, first = s}``
    - ``{range = [low, high], count = n}`` equally spaced, ``{log = [low, high], count = n}``
      equally spaced in the logarithm; both ends belong to it
    - ``{zip = {name = ..., other = ...}}``: any of these, moving together
    - ``{random = {name = ..., other = ...}, count = n, seed = s}``: drawn independently, from a
      range or a log range without a count, or from a list

    Raises:
        InputError: neither a value, a list, a range, a log range, a zip nor a draw.
    """
    if isinstance(given, Mapping) and name != "seed":
        known_keys(f"axis {name}", given, ("range", "log", "count", "zip", "random", "seed"))
    if isinstance(given, Mapping) and "zip" in given:
        known_keys(f"axis {name}", given, ("zip",))
        columns = _columns(name, "zip", given["zip"])
        return Axis(name, tuple((key, _values(key, one)) for key, one in columns.items()))
    if isinstance(given, Mapping) and "random" in given:
        known_keys(f"axis {name}", given, ("random", "count", "seed"))
        columns = _columns(name, "random", given["random"])
        count = whole_number(f"axis {name}: count", given.get("count"), 1, MOST)
        seed = whole_number(f"axis {name}: seed", given.get("seed", 0), 0, SEEDS - 1)
        return Axis(
            name, tuple((key, _drawn(key, one, count, seed)) for key, one in columns.items())
        )
    return Axis(name, (read_column(name, given),))


def read_column(name: str, given: Any) -> tuple[str, tuple[Value, ...]]:
    """One column of an axis from what is written for it; its values may repeat."""
    return name, _seeds(given) if name == "seed" else _values(name, given)


def _columns(name: str, kind: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise InputError(
            f"axis {name}: got {kind} = {shown(given)}, expected a table of names and their values."
        )
    return given


def _values(name: str, given: Any) -> tuple[Value, ...]:
    if isinstance(given, Mapping):
        return _spaced(name, given)
    given = unwrapped(given)
    listed = given if isinstance(given, list | tuple) else [given]
    return tuple(_value(name, value) for value in listed)


def _value(name: str, value: Any) -> Value:
    value = unwrapped(value)
    if not isinstance(value, bool | int | float | str):
        raise InputError(f"axis {name}: got {shown(value)}, expected {FORMS}.")
    exactly_held(f"axis {name}", value)
    return value


def _seeds(given: Any) -> tuple[Value, ...]:
    given = unwrapped(given)
    if isinstance(given, list | tuple):
        return _values("seed", given)
    if not isinstance(given, Mapping):
        raise InputError(
            f"axis seed: got {shown(given)}, expected a list of seeds or {{count = n}}."
        )
    known_keys("axis seed", given, ("count", "first"))
    count = whole_number("axis seed: count", given.get("count"), 1, MOST)
    first = whole_number("axis seed: first", given.get("first", 0), 0, SEEDS - count)
    return tuple(range(first, first + count))


def _spaced(name: str, given: Mapping[str, Any]) -> tuple[Value, ...]:
    """Both ends of a range and what is equally spaced between them; integers where all are."""
    low, high, is_log = _ends(name, given, ("count",))
    count = whole_number(f"axis {name}: count", given.get("count"), 1, MOST)
    if count == 1 and low != high:
        raise InputError(
            f"axis {name}: got count = 1, expected at least 2 as both ends of a range belong to "
            "it; write a single value as a list."
        )
    steps = max(count - 1, 1)
    return _integers_if_all(
        [between(low, high, Fraction(at, steps), is_log) for at in range(count)], (low, high)
    )


def _drawn(name: str, given: Any, count: int, seed: int) -> tuple[Value, ...]:
    """Draws of a stream that is the name's own: other names and larger counts change none."""
    digest = np.frombuffer(sha256(name.encode()).digest(), dtype="<u4")
    # The raw stream, which NumPy promises never to change, as Generator.random makes shares of it.
    raw = np.random.PCG64([seed, *digest.tolist()]).random_raw(count)
    shares = ((raw >> np.uint64(11)) * 2.0**-53).tolist()
    if isinstance(given, Mapping):
        low, high, is_log = _ends(name, given, ())
        return tuple(between(low, high, Fraction(share), is_log) for share in shares)
    choices = _values(name, given)
    if not choices:
        raise InputError(f"axis {name}: got no values, expected at least one to draw from.")
    return tuple(choices[int(share * len(choices))] for share in shares)


def _ends(
    name: str, given: Mapping[str, Any], more: tuple[str, ...]
) -> tuple[int | float, int | float, bool]:
    """Both ends of a range, and whether it is one of logarithms."""
    known_keys(f"axis {name}", given, ("range", "log", *more))
    if ("range" in given) == ("log" in given):
        raise InputError(f"axis {name}: got {shown(given)}, expected one of range and log.")
    is_log = "log" in given
    kind = "log" if is_log else "range"
    ends = given[kind]
    numbers = isinstance(ends, list | tuple) and all(
        isinstance(end, int | float) and not isinstance(end, bool) for end in ends
    )
    if not numbers or len(ends) != 2 or not all(abs(end) <= LARGEST for end in ends):
        raise InputError(
            f"axis {name}: got {kind} = {shown(ends)}, expected two finite numbers, [low, high]."
        )
    low, high = ends
    if is_log and min(low, high) <= 0:
        raise InputError(
            f"axis {name}: got log = {shown(ends)}, expected ends above 0; start at a small number."
        )
    return low, high, is_log


@lru_cache(maxsize=64)
def _logarithm(value: int | float) -> Decimal:
    return _DIGITS.ln(Decimal(repr(value)))


def between(low: int | float, high: int | float, share: Fraction, is_log: bool) -> float:
    """A share of the way from `low` to `high` as they are written, rounded once."""
    if share in (0, 1):
        return float(high if share else low)
    if not is_log:
        start, end = (Fraction(repr(value)) for value in (low, high))
        return float(start + share * (end - start))
    # Decimal's logarithm and exponential are correctly rounded on every machine; the libm's and
    # NumPy's differ in the last bit between machines.
    part = _DIGITS.divide(Decimal(share.numerator), Decimal(share.denominator))
    first, last = _logarithm(low), _logarithm(high)
    way = _DIGITS.multiply(part, _DIGITS.subtract(last, first))
    return float(_DIGITS.exp(_DIGITS.add(first, way)))


def _integers_if_all(values: list[float], ends: tuple[int | float, ...]) -> tuple[Value, ...]:
    """As integers, which sizes must be, where the ends are written so and none is between."""
    if all(isinstance(end, int) for end in ends) and all(map(float.is_integer, values)):
        return tuple(map(int, values))
    return tuple(values)
