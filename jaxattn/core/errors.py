"""What is raised where a person asked for what cannot be done. Imports nothing heavy."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxattn.core.text import printable

__all__ = ["InputError", "LateError", "in_a_line", "needs_extra"]


class InputError(ValueError):
    """What a person asked for cannot be done; the message says got, expected and how to fix.

    It is one printable line, whatever it quotes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class LateError(RuntimeError):
    """What comes after the results failed, in one printable line: a figure, say, or a report.

    The results are written by then. `done` is what was computed, where there is more of it.
    """

    def __init__(self, message: str, done: Any = None) -> None:
        super().__init__(printable(message))
        self.done = done


def in_a_line(error: BaseException) -> str:
    """What somebody else's error says, as `printable` has it, without a blank at its ends."""
    return printable(" ".join(str(error).split()))


@contextmanager
def needs_extra(who: str, extra: str) -> Iterator[None]:
    """Say how to install what `who` needs, where an import inside finds a package missing.

    Raises:
        InputError: with the package and the extra of jaxattn that has it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"{who}: got no package {error.name!r}, expected jaxattn with its extra {extra}; run "
            f"pip install 'jaxattn[{extra}]'."
        ) from error
