"""The checks that tasks make of the numbers a person gives them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxattn.core.contracts import InputError

__all__ = ["as_int", "as_list", "bag_length", "class_count"]


def as_int(name: str, value: Any, low: int, why: str = "") -> int:
    """`value` as a Python int.

    Args:
        name: what to call it in the message.
        value: a Python or NumPy integer.
        low: the smallest value allowed.
        why: what would be wrong with a smaller one.

    Raises:
        InputError: `value` is no integer, or below `low`.
    """
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or value < low:
        reason = f" ({why})" if why else ""
        raise InputError(
            f"{name}: got {value!r}, expected an integer >= {low}{reason}; use {low} or more"
        )
    return int(value)


def as_list(name: str, values: Any) -> list[Any]:
    """What is in `values`, NumPy scalars as Python's.

    Raises:
        InputError: `values` is one thing and not a collection, such as ``3`` or ``"cat"``.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InputError(
            f"{name}: got {values!r}, expected several values; write them as a tuple, even one"
        )
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def bag_length(segments: Any) -> int:
    """The number of segments of a bag, at least 2.

    Raises:
        InputError: no integer, or below 2.
    """
    return as_int("segments", segments, low=2, why="with one there is nothing to focus on")


def class_count(classes: Any) -> int:
    """The number of classes, at least 2.

    Raises:
        InputError: no integer, or below 2.
    """
    return as_int("classes", classes, low=2, why="with one there is nothing to predict")
