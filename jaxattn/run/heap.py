"""Memory of this process: what is free is given back, what is dead is looked for rarely."""

import ctypes
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

__all__ = ["collect_rarely", "share_mapped", "trim_memory"]

_OBJECTS = 20_000
"""Python looks for dead cycles once there are so many new objects more than were freed. By itself
it does after 700, and tracing makes millions that live: a sixth of the time that imports and
tracing take is spent looking. From 5,000 on that is gained, and memory is the same."""


@contextmanager
def collect_rarely() -> Iterator[None]:
    """Within, Python looks for cycles of dead objects less often; a person who set it so, none."""
    before = gc.get_threshold()
    try:
        if 0 < before[0] < _OBJECTS:
            gc.set_threshold(_OBJECTS, *before[1:])
        yield
    finally:
        gc.set_threshold(*before)


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


def share_mapped() -> float:
    """The share of the pieces of memory that the system lets this process map which it has mapped.

    Linux lets it map 65,530 unless it is set otherwise, and every kernel of a program takes three:
    the solve of a flow up to 2,000. Who asks for more is ended. Elsewhere no such limit is: 0.
    """
    try:
        limit = int(Path("/proc/sys/vm/max_map_count").read_text(encoding="ascii"))
        return Path("/proc/self/maps").read_bytes().count(b"\n") / limit
    except FileNotFoundError:
        return 0.0
