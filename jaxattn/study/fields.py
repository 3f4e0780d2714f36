"""What the fields of a request may be: each kind reads a value, or refuses it in one line.

Imports nothing heavy: the command line builds its flags from the same table.
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from reprlib import Repr
from typing import Any, Protocol, runtime_checkable

from jaxattn.core.errors import InputError

__all__ = [
    "AUTO",
    "Choices",
    "Component",
    "Integer",
    "Kind",
    "Number",
    "SaveSteps",
    "Seeds",
    "Table",
    "asked",
    "integer",
    "number",
    "one_or_several",
    "shown",
]

AUTO = "auto"
"""What suits the rest of the request; the field's help says what that is."""

HELD = 2**31 - 1
"""The largest count that arrays of 32 bits hold."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlong = 24


def shown(value: Any) -> str:
    """`value` as a message quotes it: in one line, and not a million numbers long."""
    return _SHORT.repr(list(value) if isinstance(value, tuple) else value)


def integer(name: str, value: Any, low: int, high: int = HELD) -> int:
    """`value` as Python's integer: Python's, NumPy's, or an array of one from any library.

    Raises:
        InputError: no integer, or none from `low` to `high`.
    """
    try:
        if isinstance(value, bool) or _is_bool(value):
            raise TypeError
        found = operator.index(value)
    except TypeError:
        got = "none" if value is None else shown(value)
        raise InputError(f"{name}: got {got}, expected an integer, at least {low}.") from None
    if not low <= found <= high:
        top = "" if found < low else f" and at most {high}"
        raise InputError(f"{name}: got {shown(found)}, expected at least {low}{top}.")
    return found


def number(name: str, value: Any) -> float:
    """`value` as Python's float, from a number of any library.

    Raises:
        InputError: no number, or not a finite one.
    """
    plain = not isinstance(value, bool | str | bytes) and not _is_bool(value)
    try:
        if not plain or not _is_scalar(value, 0):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: got {shown(value)}, expected a number.") from None
    if not isfinite(found):
        raise InputError(f"{name}: got {found}, expected a finite number.")
    return found


def one_or_several(value: Any) -> tuple[Any, ...]:
    """What is in a collection; one name, one object or one function is a collection of it.

    A NamedTuple (a `Paradigm`) is one object.
    """
    one = isinstance(value, str | bytes) or hasattr(value, "_fields") or callable(value)
    return (value,) if one or not isinstance(value, Iterable) else tuple(value)


@runtime_checkable
class Kind(Protocol):
    """What a field may be: `words` says it to a person, `flag` is its type on a command line."""

    @property
    def words(self) -> str:
        """In words, with bounds."""

    @property
    def flag(self) -> Any:
        """A type that the command line reads."""

    def read(self, name: str, value: Any) -> Any:
        """`value` in its one form.

        Raises:
            InputError: it is none of this kind.
        """


@dataclass(frozen=True)
class Integer:
    """A count from `low` to `high`, or one of the words in `also`."""

    low: int = 0
    high: int = HELD
    also: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """In words, with bounds."""
        top = f" to {self.high}" if self.high < HELD else " or more"
        return ", ".join([f"{self.low}{top}", *self.also])

    @property
    def flag(self) -> Any:
        """A type that the command line reads."""
        return int | str if self.also else int

    def read(self, name: str, value: Any) -> Any:
        """The count, or the word."""
        if isinstance(value, str) and value in self.also:
            return value
        if isinstance(value, str) and self.also:
            raise InputError(f"{name}: got {shown(value)}, expected an integer, {self.words}.")
        return integer(name, value, self.low, self.high)


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; `is_open`: without the two; or one of the words in `also`."""

    low: float = -inf
    high: float = inf
    is_open: bool = False
    unit: str = ""
    also: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """In words, with bounds."""
        inside = "between" if self.is_open else "from"
        joined = "and" if self.is_open else "to"
        unit = f" {self.unit}" if self.unit else ""
        return ", ".join([f"{inside} {self.low:g} {joined} {self.high:g}{unit}", *self.also])

    @property
    def flag(self) -> Any:
        """A type that the command line reads."""
        return float | str if self.also else float

    def read(self, name: str, value: Any) -> Any:
        """The number, or the word."""
        if isinstance(value, str) and value in self.also:
            return value
        if isinstance(value, str) and self.also:
            raise InputError(f"{name}: got {shown(value)}, expected a number {self.words}.")
        found = number(name, value)
        inside = self.low < found < self.high if self.is_open else self.low <= found <= self.high
        if not inside:
            raise InputError(f"{name}: got {found:g}, expected a number {self.words}.")
        return found


@dataclass(frozen=True)
class Component:
    """A name, an import path, or the object itself; `optional`: or None."""

    kind: str
    optional: bool = False

    @property
    def words(self) -> str:
        """In words."""
        return f"a name, or the {self.kind} itself"

    @property
    def flag(self) -> Any:
        """A type that the command line reads."""
        return str | None if self.optional else str

    def read(self, name: str, value: Any) -> Any:
        """As it is: what a name means is looked up once, where the request is resolved."""
        if value is None and not self.optional:
            raise InputError(f"{name}: got none, expected {self.words}.")
        return value


@dataclass(frozen=True)
class Choices:
    """One or several of some names; `some`: at least one. Without `among`, any names or objects."""

    among: tuple[str, ...] = ()
    some: bool = False
    optional: bool = False
    hint: str = ""

    @property
    def words(self) -> str:
        """In words."""
        return f"some of {', '.join(self.among)}" if self.among else "one or several"

    @property
    def flag(self) -> Any:
        """A type that the command line reads."""
        return tuple[str, ...]

    def read(self, name: str, value: Any) -> Any:
        """All of them, in order, each once."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool | int | float) or value is None:
            raise InputError(f"{name}: got {shown(value)}, expected a list of names.")
        found = one_or_several(value)
        if self.among and (unknown := [str(one) for one in found if one not in self.among]):
            raise InputError(f"{name}: got {', '.join(unknown)}, expected {self.words}{self.hint}.")
        if self.some and not found:
            raise InputError(f"{name}: got none, expected at least one{self.hint}.")
        return found


@dataclass(frozen=True)
class Choice:
    """One of some names."""

    among: tuple[str, ...]

    @property
    def words(self) -> str:
        """In words."""
        return f"one of {', '.join(self.among)}"

    @property
    def flag(self) -> Any:
        """A type that the command line reads."""
        return str

    def read(self, name: str, value: Any) -> Any:
        """The name."""
        if value not in self.among:
            raise InputError(f"{name}: got {shown(value)}, expected {self.words}.")
        return value


@dataclass(frozen=True)
class SaveSteps:
    """How many saves, or the steps themselves."""

    words: str = "2 or more, or steps from 0 to the last"
    flag: Any = int

    def read(self, name: str, value: Any) -> Any:
        """A count, or a tuple of steps."""
        if isinstance(value, str) or not isinstance(value, Iterable) or _is_scalar(value):
            return integer(name, value, 2)
        return tuple(integer(name, step, 0) for step in value)


@dataclass(frozen=True)
class Seeds:
    """How many seeds (0, 1, ...), or which."""

    words: str = "how many, or which (0 to 2**32 - 1)"
    flag: Any = int

    def read(self, name: str, value: Any) -> tuple[int, ...]:
        """Which."""
        if isinstance(value, str) or not isinstance(value, Iterable) or _is_scalar(value):
            return tuple(range(integer(name, value, 1)))
        found = tuple(integer(name, seed, 0, 2**32 - 1) for seed in value)
        if not found:
            raise InputError(f"{name}: got none, expected at least 1.")
        if len(set(found)) < len(found):
            raise InputError(f"{name}: got {shown(found)}, expected each value once.")
        return found


@dataclass(frozen=True)
class Table:
    """Numbers by name; a sequence of numbers becomes an axis."""

    words: str = "a table of numbers by name"
    flag: Any = tuple[str, ...]

    def read(self, name: str, value: Any) -> dict[str, Any]:
        """Each a float, or a tuple of floats."""
        if value is None:
            return {}
        if not hasattr(value, "items"):
            raise InputError(f"{name}: got {shown(value)}, expected {self.words}.")
        return {str(key): _numbers(str(key), one) for key, one in value.items()}


def _is_bool(value: Any) -> bool:
    return str(getattr(value, "dtype", "")) == "bool"


def _is_scalar(value: Any, dims: int | None = None) -> bool:
    """Whether an array has no axes; `dims` is what counts where it is no array."""
    return getattr(value, "ndim", dims) == 0


def _numbers(name: str, given: Any) -> float | tuple[float, ...]:
    """One number, or several in order. Whether they are in range, their `HyperSpec` says."""

    def of_one(value: Any) -> float:
        if isinstance(value, bool | str | bytes) or not _is_scalar(value, 0):
            raise TypeError
        return float(value)

    try:
        if not isinstance(given, Iterable) or isinstance(given, str) or _is_scalar(given):
            return of_one(given)
        return tuple(of_one(value) for value in given)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"{name}: got {shown(given)}, expected a number, or several to sweep."
        ) from None


def asked(kind: Kind, text: str, *, varies: bool = False) -> dict[str, Any]:
    """What all doors (Python, TOML, the command line) read of a field of a request.

    Args:
        kind: reads its values.
        text: help.
        varies: whether a sweep may have it on an axis, at one compilation for each value.
    """
    return {"kind": kind, "help": text, "varies": varies}
