"""One value checked: put in its one form, or refused in one line.

Imports nothing heavy: the command line builds its flags from kinds of values.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from reprlib import Repr
from typing import Any

from jaxattn.core.errors import InputError
from jaxattn.core.lookup import nearest

__all__ = [
    "EXACT",
    "LARGEST",
    "exactly_held",
    "integer",
    "is_scalar",
    "known_keys",
    "number",
    "numbers",
    "one_or_several",
    "shown",
    "whole_number",
]

LARGEST = 2**31 - 1
"""The largest count that arrays of 32 bits hold."""

EXACT = 2**53
"""A larger integer is not what a float holds."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlong = 24


def shown(value: Any) -> str:
    """`value` as a message quotes it: in one line, and not a million numbers long."""
    return _SHORT.repr(list(value) if isinstance(value, tuple) else value)


def integer(name: str, value: Any, low: int, high: int = LARGEST) -> int:
    """`value` as Python's integer: Python's, NumPy's, or an array of one from any library.

    Raises:
        InputError: no integer, or none from `low` to `high`.
    """
    count = _as_integer(value)
    if count is None:
        raise InputError(f"{name}: got {_got(value)}, expected an integer, at least {low}.")
    if not low <= count <= high:
        top = "" if count < low else f" and at most {high}"
        raise InputError(f"{name}: got {shown(count)}, expected at least {low}{top}.")
    return count


def whole_number(name: str, value: Any, low: int, high: int) -> int:
    """`value` as `integer` has it, where both bounds matter to a person.

    Raises:
        InputError: no integer, or none from `low` to `high`.
    """
    count = _as_integer(value)
    if count is None or not low <= count <= high:
        raise InputError(f"{name}: got {_got(value)}, expected an integer from {low} to {high}.")
    return count


def number(name: str, value: Any) -> float:
    """`value` as Python's float, from a number of any library.

    Raises:
        InputError: no number, or not a finite one.
    """
    try:
        plain = _as_float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: got {shown(value)}, expected a number.") from None
    if not isfinite(plain):
        raise InputError(f"{name}: got {plain}, expected a finite number.")
    return plain


def numbers(name: str, value: Any) -> float | tuple[float, ...]:
    """One number, or several in order. Whether they are in range, their `HyperSpec` says.

    Raises:
        InputError: neither.
    """
    try:
        if is_scalar(value):
            return _as_float(value)
        return tuple(_as_float(each) for each in value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"{name}: got {shown(value)}, expected a number, or several to sweep."
        ) from None


def exactly_held(name: str, value: Any) -> None:
    """Refuse a number that TOML, JSON and a float do not all hold as it is.

    Raises:
        InputError: NaN, an infinity, or an integer beyond `EXACT`.
    """
    if isinstance(value, float) and not isfinite(value):
        raise InputError(f"{name}: got {value}, expected a finite number.")
    if isinstance(value, int) and abs(value) > EXACT:
        raise InputError(f"{name}: got {shown(value)}, expected an integer within 2**53.")


def known_keys(table: str, given: Any, known: Sequence[str]) -> None:
    """Refuse a table that is none, or has an unknown key.

    Raises:
        InputError: with the nearest known key.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"{table}: got {shown(given)}, expected a table of {', '.join(known)}.")
    for key in given:
        if key not in known:
            raise InputError(
                f"{table}: got the key {shown(key)}, expected one of {', '.join(known)}; "
                f"{nearest(str(key), known) or 'drop it.'}"
            )


def one_or_several(value: Any) -> tuple[Any, ...]:
    """What is in a collection; one name, one object or one function is a collection of it.

    A NamedTuple (a `Paradigm`) is one object.
    """
    is_single = isinstance(value, str | bytes) or hasattr(value, "_fields") or callable(value)
    return (value,) if is_single or not isinstance(value, Iterable) else tuple(value)


def is_scalar(value: Any) -> bool:
    """Whether `value` is one value: text, no collection, or an array without axes."""
    return isinstance(value, str) or not isinstance(value, Iterable) or _axes(value) == 0


def _axes(value: Any) -> int | None:
    return getattr(value, "ndim", None)


def _as_integer(value: Any) -> int | None:
    if isinstance(value, bool) or _is_bool(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _as_float(value: Any) -> float:
    if isinstance(value, bool | str | bytes) or _is_bool(value) or _axes(value) not in (None, 0):
        raise TypeError
    return float(value)


def _is_bool(value: Any) -> bool:
    return str(getattr(value, "dtype", "")) == "bool"


def _got(value: Any) -> str:
    return "none" if value is None else shown(value)
