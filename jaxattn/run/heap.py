"""Memory that is free in this process, given back to the system."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

__all__ = ["trim_memory"]


def trim_memory() -> None:
    """Return what is free to the system, where the C library would keep it.

    The one of GNU keeps freed blocks of up to 32 MiB for the next that ask, and what then fits in
    none of them comes on top: the process grows with every chunk. Elsewhere nothing happens.
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
