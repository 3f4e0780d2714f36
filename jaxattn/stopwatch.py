"""Compile time apart from run time, as JAX itself reports it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import jax

__all__ = ["Stopwatch"]

_compiled = [0.0]


@cache
def _listen() -> None:
    """Sum what JAX spends on tracing, lowering and compiling, from now on."""

    def add(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            _compiled[0] += duration_secs

    jax.monitoring.register_event_duration_secs_listener(add)


class Stopwatch:
    """Seconds by what was done: ``{"train": {"compile": ..., "run": ...}, ...}``."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.seconds: dict[str, dict[str, float]] = {}

    @contextmanager
    def measure(self, what: str) -> Iterator[None]:
        """Add the time this block takes to `what`, split into compiling and the rest."""
        _listen()
        start, compiled = time.perf_counter(), _compiled[0]
        yield
        compiling = _compiled[0] - compiled
        spent = self.seconds.setdefault(what, {"compile": 0.0, "run": 0.0})
        spent["compile"] += compiling
        spent["run"] += max(0.0, time.perf_counter() - start - compiling)
