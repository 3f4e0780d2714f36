"""Compile time, as JAX itself reports it, apart from the time that devices are busy.

So a first call need not be compared with a second one to tell the two apart.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import jax

__all__ = ["Stopwatch"]


class _Compiled(threading.local):
    """What JAX spent in this thread: several may compile at once."""

    seconds = 0.0


_compiled = _Compiled()


@cache
def _listen() -> None:
    """Sum what JAX spends on tracing, lowering and compiling, from now on."""

    def add(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            _compiled.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)


class Stopwatch:
    """Seconds by what was done: ``{"train": {"compile": ..., "run": ...}, ...}``.

    Programs are compiled side by side, and while others run, so the two do not add up to the time
    on the wall.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self.seconds: dict[str, dict[str, float]] = {}
        self._busy_until = 0.0
        self._adding = threading.Lock()

    @contextmanager
    def compiling(self, what: str) -> Iterator[None]:
        """Add what JAX compiles in this block to `what`, in whatever thread."""
        _listen()
        before = _compiled.seconds
        yield
        self._add(what, "compile", _compiled.seconds - before)

    @contextmanager
    def running(self, what: str) -> Iterator[None]:
        """Add the time this block takes to `what`."""
        started = time.perf_counter()
        yield
        self.ran(what, started, time.perf_counter())

    def ran(self, what: str, started: float, ended: float) -> None:
        """Add a run between two readings of ``time.perf_counter``, in the order in which they end.

        What waits in a queue behind another run does not count twice.
        """
        self._add(what, "run", max(0.0, ended - max(started, self._busy_until)))
        self._busy_until = max(ended, self._busy_until)

    def _add(self, what: str, kind: str, seconds: float) -> None:
        with self._adding:
            spent = self.seconds.setdefault(what, {"compile": 0.0, "run": 0.0})
            spent[kind] += seconds
