"""What the fields of a request may be: each kind reads a value, or refuses it in one line.

Imports nothing heavy: the command line builds its flags from the same table.
"""

import re
from collections.abc import Callable
from dataclasses import field
from math import inf
from typing import Any, NamedTuple

from jaxattn.core.errors import InputError
from jaxattn.study.checks import (
    MOST,
    in_order,
    integer,
    is_scalar,
    number,
    numbers,
    one_or_several,
    shown,
)
from jaxattn.study.questions import plain_questions, read_questions

__all__ = [
    "AUTO",
    "NUMBERS_BY_NAME",
    "OBJECTS",
    "QUESTIONS",
    "SAVE_STEPS",
    "SEED_NUMBERS",
    "TIMES",
    "Kind",
    "bounded_number",
    "choice",
    "choices",
    "component",
    "count",
    "one_name",
    "setting",
    "several_names",
]

AUTO = "auto"
"""What suits the rest of the request; the field's help says what that is."""


def _as_it_is(value: Any) -> Any:
    return value


class Kind(NamedTuple):
    """What a field may be."""

    words: str
    """To a person, with bounds."""
    flag: Any
    """A type that the command line reads."""
    read: Callable[[str, Any], Any]
    """``read(name, value)``: `value` in its one form, or an `InputError` where it is none."""
    is_component: bool = False
    """Whether a file says it by a name or import path."""
    plain: Callable[[Any], Any] = _as_it_is
    """What `read` gives as a file and a result have it."""
    metavar: str | None = None
    """What help on the command line calls its value; None: as `flag` is called."""


def setting(default: Any, kind: Kind, text: str, *, varies: bool = False) -> Any:
    """A field of a dataclass, with what all doors (Python, TOML, the command line) read of it.

    Args:
        default: its value where nothing is said.
        kind: reads its values.
        text: help.
        varies: whether a sweep may have it on an axis, at one compilation for each value.
    """
    return field(default=default, metadata={"kind": kind, "help": text, "varies": varies})


def count(low: int = 0, also: tuple[str, ...] = ()) -> Kind:
    """An integer of at least `low`, or one of the words in `also`."""
    words = ", ".join([f"{low} or more", *also])

    def read(name: str, value: Any) -> Any:
        if _is_word(name, value, also, f"an integer, {words}"):
            return value
        return integer(name, value, low)

    return Kind(words, int | str if also else int, read)


def bounded_number(
    low: float = -inf,
    high: float = inf,
    *,
    is_open: bool = False,
    unit: str = "",
    also: tuple[str, ...] = (),
) -> Kind:
    """A number from `low` to `high`; `is_open`: without the two; or one of the words in `also`."""
    between, to = ("between", "and") if is_open else ("from", "to")
    words = ", ".join([f"{between} {low:g} {to} {high:g} {unit}".rstrip(), *also])

    def read(name: str, value: Any) -> Any:
        if _is_word(name, value, also, f"a number {words}"):
            return value
        plain = number(name, value)
        inside = low < plain < high if is_open else low <= plain <= high
        if not inside:
            raise InputError(f"{name}: got {plain:g}, expected a number {words}.")
        return plain

    return Kind(words, float | str if also else float, read)


def _is_word(name: str, value: Any, also: tuple[str, ...], expected: str) -> bool:
    """Whether `value` is one of the words; where there are some, no other text will do."""
    if not also or not isinstance(value, str):
        return False
    if value not in also:
        raise InputError(f"{name}: got {shown(value)}, expected {expected}.")
    return True


def component(kind: str, *, optional: bool = False) -> Kind:
    """A name, an import path, or the object itself; `optional`: or None.

    It is read as it is: what a name means is looked up once, where the request is resolved.
    """
    words = f"a name, or the {kind} itself"

    def read(name: str, value: Any) -> Any:
        if value is None and not optional:
            raise InputError(f"{name}: got none, expected {words}.")
        return str(value) if isinstance(value, str) else value

    return Kind(words, str | None if optional else str, read, is_component=True)


def one_name(kind: str) -> Kind:
    """A name of a component that only the package has; it is looked up as `component` is."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise InputError(f"{name}: got {shown(value)}, expected a name of a {kind}.")
        return value

    return Kind("a name", str, read, is_component=True)


def several_names(kind: str) -> Kind:
    """One or several names of components that only the package has, in order, each once."""

    def read(name: str, value: Any) -> tuple[str, ...]:
        given = one_or_several(name, value)
        if not all(isinstance(one, str) for one in given):
            raise InputError(f"{name}: got {shown(value)}, expected a list of names of {kind}s.")
        if len(set(given)) < len(given):
            raise InputError(f"{name}: got {', '.join(given)}, expected each once.")
        return given

    return Kind("one or several", tuple[str, ...], read)


def choices(
    among: tuple[str, ...] = (), *, some: bool = False, optional: bool = False, hint: str = ""
) -> Kind:
    """One or several of some names; `some`: at least one; `optional`: or None.

    They are read in the order of `among`, each once. Without it, any names or objects, as they are.
    """
    words = f"some of {', '.join(among)}" if among else "one or several"

    def read(name: str, value: Any) -> tuple[Any, ...] | None:
        if value is None and optional:
            return None
        if isinstance(value, bool | int | float) or value is None:
            raise InputError(f"{name}: got {shown(value)}, expected a list of names.")
        given = one_or_several(name, value)
        if among and (unknown := [one for one in given if not _is_among(one, among)]):
            got = ", ".join(one if isinstance(one, str) else shown(one) for one in unknown)
            raise InputError(f"{name}: got {got}, expected {words}{hint}.")
        if some and not given:
            raise InputError(f"{name}: got none, expected at least one{hint}.")
        return tuple(one for one in among if one in given) if among else given

    return Kind(words, tuple[str, ...], read)


def choice(among: tuple[str, ...]) -> Kind:
    """One of some names."""
    words = f"one of {', '.join(among)}"

    def read(name: str, value: Any) -> Any:
        if not _is_among(value, among):
            raise InputError(f"{name}: got {shown(value)}, expected {words}.")
        return value

    return Kind(words, str, read)


def _is_among(value: Any, among: tuple[str, ...]) -> bool:
    # An array is not equal to a name: it is compared with it entry by entry.
    return isinstance(value, str) and value in among


def _read_saves(name: str, value: Any) -> int | str | tuple[int, ...]:
    if isinstance(value, str):
        count = _LOG.fullmatch(value)
        if count is None:
            raise InputError(f"{name}: got {shown(value)}, expected {SAVE_STEPS.words}.")
        return f"log:{integer(f'{name}: log', int(count[1]), 2, MOST)}"
    if is_scalar(value):
        return integer(name, value, 2, MOST)
    return tuple(integer(name, step, 0) for step in in_order(name, value))


def _read_seeds(name: str, value: Any) -> tuple[int, ...]:
    if is_scalar(value):
        return tuple(range(integer(name, value, 1, MOST)))
    seeds = tuple(integer(name, seed, 0, 2**32 - 1) for seed in in_order(name, value))
    if not seeds:
        raise InputError(f"{name}: got none, expected at least 1.")
    if len(set(seeds)) < len(seeds):
        raise InputError(f"{name}: got {shown(seeds)}, expected each value once.")
    return seeds


def _read_table(name: str, value: Any) -> dict[str, float | tuple[float, ...]]:
    if value is None:
        return {}
    if not hasattr(value, "items"):
        raise InputError(f"{name}: got {shown(value)}, expected {NUMBERS_BY_NAME.words}.")
    return {str(key): numbers(str(key), given) for key, given in value.items()}


def _unsaid(value: Any) -> None:
    del value


_LOG = re.compile(r"log:([0-9]{1,18})")

SAVE_STEPS = Kind(
    "2 or more, log: and 2 or more (log:41), or steps from 0 to the last",
    int | str | tuple[int | str, ...],  # words among steps are refused by name, in one line
    _read_saves,
    metavar="COUNT|log:COUNT|STEP STEP ...",
)
"""How many saves, how many on a logarithmic scale, or the steps themselves: read as a count, as
``log:count``, or as a tuple of steps."""


def _read_times(name: str, value: Any) -> tuple[float, ...] | None:
    if value is None or (isinstance(value, tuple) and not value):
        return None
    given = numbers(name, value)
    return given if isinstance(given, tuple) else (given,)


TIMES = Kind("none, or times from 0 on, increasing", tuple[float, ...], _read_times)
"""Read as a tuple of floats; none of them is none at all."""

SEED_NUMBERS = Kind(
    "how many, or which (0 to 2**32 - 1)",
    int | tuple[int, ...],
    _read_seeds,
    metavar="COUNT|SEED SEED ...",
)
"""How many seeds (0, 1, ...), or which: read as a tuple."""

NUMBERS_BY_NAME = Kind("a table of numbers by name", tuple[str, ...], _read_table)
"""Each read as a float; a sequence of numbers as a tuple of them, which becomes an axis."""

QUESTIONS = Kind("questions", tuple[str, ...], read_questions, plain=plain_questions)
"""Questions of one's own; see `jaxattn.study.questions`."""

OBJECTS = Kind("objects, in Python alone", None, lambda name, value: value, plain=_unsaid)
"""What no text says: it has no flag, and a result says no more of it than its names."""
