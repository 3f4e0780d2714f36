"""Standard streams that last as long as a command: a reader that leaves ends no work."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["finish_output", "lasting_streams"]

# Imported by the command line before it knows what is asked for: nothing heavy up here.


class _Lasting:
    """A text stream that goes on into nothing once what it is given can be written no more."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.lost: OSError | None = None
        """Why something was lost that somebody was to read."""

    def write(self, text: str) -> int:
        """Write `text`, or drop it."""
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Send what is held, and all that comes, nowhere: Python flushes once more at exit."""
        if not isinstance(error, BrokenPipeError):  # whose reader has enough of it
            self.lost = error
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Within, standard output and standard error are there, whoever reads them, and for how long.

    A program that is started with one of them closed would otherwise give its number to the next
    file that is opened, which then receives what was meant for a person.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    before = sys.stdout, sys.stderr
    # Not in a `with`: a stream in place of one that was closed lasts as long as the program.
    sys.stdout, sys.stderr = (
        _Lasting(open(os.devnull, "w") if stream is None else stream)  # noqa: SIM115 - see above
        for stream in before
    )
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def finish_output() -> OSError | None:
    """Hand on all of standard output; why some of it was lost, where that is so."""
    sys.stdout.flush()
    return getattr(sys.stdout, "lost", None)
