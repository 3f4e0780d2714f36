"""Ctrl-C, heard wherever it comes."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interruption_heard"]

_LATER = 0.05
"""Seconds until Ctrl-C is tried again: what could not be interrupted is over by then."""


@contextmanager
def interruption_heard() -> Iterator[None]:
    """Within, Ctrl-C ends what runs, even where Python has to ignore it.

    It comes between any two instructions of the main thread: also within the callback of a weak
    reference, or a finaliser, which run wherever an object happens to die. Nothing can be raised
    out of these, so Python prints `KeyboardInterrupt` and goes on. Here it is raised once more, a
    little later and nothing printed, until it comes where it is heard.
    """
    before = sys.unraisablehook

    def hear(ignored: Any) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            before(ignored)
            return
        again = threading.Timer(_LATER, _interrupt)
        again.daemon = True  # a process that ends waits for none
        again.start()

    sys.unraisablehook = hear
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    # The main thread itself, or it would not wake where it waits.
    ident = threading.main_thread().ident
    if ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)
