"""Arrays that a person hands in, and arrays that a device takes as they are."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from jaxattn.core.errors import InputError

__all__ = ["aligned", "as_array", "refuse_missing"]

_ALIGNMENT = 64
"""Bytes."""


def as_array(name: str, values: Any, dtype: DTypeLike | None = None) -> np.ndarray:
    """`values` as a plain NumPy array.

    Raises:
        InputError: some of it is masked out: NumPy would hand on what lies below the mask.
    """
    refuse_missing(name, values)
    return np.asarray(values, dtype)


def refuse_missing(name: str, values: Any) -> None:
    """Refuse a masked array, or a list with some, in which something is masked out.

    Raises:
        InputError: with how to go on.
    """
    # A list of masked arrays is plain to NumPy.
    parts = values if isinstance(values, list | tuple) else [values]
    masked = [part for part in parts if isinstance(part, np.ma.MaskedArray)]
    if count := sum(int(np.ma.count_masked(part)) for part in masked):
        raise InputError(
            f"{name}: got a masked array with {count} entries missing, expected every entry; fill "
            "them in (numpy.ma.filled), or leave those examples out."
        )


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array whose entries are still to be written, as a CPU of JAX takes it without a copy.

    NumPy's own start 16 bytes into a page; XLA asks for multiples of 64.
    """
    dtype = np.dtype(dtype)
    count = math.prod(shape) * dtype.itemsize
    room = np.empty(count + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + count].view(dtype).reshape(shape)
