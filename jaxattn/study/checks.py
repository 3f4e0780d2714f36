"""One value checked: put in its one form, or refused in one line.

Imports nothing heavy: the command line builds its flags from kinds of values.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import islice
from math import isfinite
from reprlib import Repr
from typing import Any

from jaxattn.core.errors import InputError
from jaxattn.core.lookup import nearest
from jaxattn.core.text import printable

__all__ = [
    "EXACT",
    "LARGEST",
    "MOST",
    "exactly_held",
    "in_order",
    "integer",
    "is_scalar",
    "known_keys",
    "number",
    "numbers",
    "one_or_several",
    "shown",
    "unwrapped",
    "whole_number",
]

LARGEST = 2**31 - 1
"""The largest count that arrays of 32 bits hold."""

MOST = 1_000_000
"""Values of one collection: all of them are written down in what a result says of itself."""

EXACT = 2**53
"""A larger integer is not what a float holds."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlong = 24


def shown(value: Any) -> str:
    """`value` as a message quotes it: in one line, and not a million numbers long."""
    plain = list(value) if isinstance(value, tuple) and not hasattr(value, "_fields") else value
    return printable(_SHORT.repr(plain))


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
        return tuple(_as_float(each) for each in in_order(name, value))
    except InputError:
        raise
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


def one_or_several(name: str, value: Any) -> tuple[Any, ...]:
    """What is in a collection; one name, one object or one function is a collection of it.

    A NamedTuple (a `Paradigm`) is one object.

    Raises:
        InputError: as `in_order`.
    """
    is_single = is_scalar(value) or hasattr(value, "_fields") or callable(value)
    return (value,) if is_single else in_order(name, value)


def in_order(name: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """What is in a collection, in its order.

    Raises:
        InputError: a set, which has none; a table, whose values would be lost; or a million values.
    """
    if isinstance(values, Mapping | Set):
        raise InputError(
            f"{name}: got {shown(values)}, expected a list, in order; write one in place of a "
            f"{type(values).__name__}."
        )
    # An array of JAX would be taken apart by programs that are compiled for it.
    some = tuple(islice(unwrapped(values), MOST + 1))
    if len(some) > MOST:
        raise InputError(f"{name}: got more than {MOST} values, expected fewer; split them.")
    return some


def is_scalar(value: Any) -> bool:
    """Whether `value` is one value: text, bytes, no collection, or an array without axes."""
    return isinstance(value, _TEXT) or not isinstance(value, Iterable) or _axes(value) == 0


_TEXT = (str, bytes, bytearray, memoryview)
"""Collections to Python, of letters or of small integers."""

_NO_NUMBERS = "bcmMOSTU"
"""Kinds of NumPy's dtypes that are no real numbers, though some of them become floats."""


def unwrapped(value: Any) -> Any:
    """A number of any library as Python's, an array as lists of them; anything else as it is."""
    dtype = getattr(value, "dtype", None)
    # Times become integers of some unit.
    is_array = dtype is not None and getattr(dtype, "kind", "") not in "mM"
    return value.tolist() if is_array and hasattr(value, "tolist") else value


def _axes(value: Any) -> int | None:
    return getattr(value, "ndim", None)


def _as_integer(value: Any) -> int | None:
    if _is_no_number(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _as_float(value: Any) -> float:
    if _is_no_number(value):
        raise TypeError
    return float(value)


def _is_no_number(value: Any) -> bool:
    """Whether `value` is something else that Python or NumPy would take for a number."""
    dtype = getattr(value, "dtype", None)
    return (
        isinstance(value, (bool, *_TEXT))
        or _axes(value) not in (None, 0)
        or str(dtype) == "bool"  # PyTorch's has no kind
        or getattr(dtype, "kind", "f") in _NO_NUMBERS
        or bool(getattr(value, "mask", False))  # a masked entry is NaN to float
    )


def _got(value: Any) -> str:
    return "none" if value is None else shown(value)
