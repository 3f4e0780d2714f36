"""What is raised where a person asked for what cannot be done. Imports nothing heavy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["InputError", "in_a_line", "needs_extra", "printable"]


class InputError(ValueError):
    """What a person asked for cannot be done; the message says got, expected and how to fix.

    It is one printable line, whatever it quotes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    r"""Text that a terminal shows as it is: in one line, and what would command it written out.

    A run of blanks that are not all spaces is one space; ESC, a lone surrogate and the like are
    ``\x1b``.
    """
    if text.isprintable():
        return text
    parts = (part if part.isprintable() else _written_out(part) for part in _BLANKS.split(text))
    return " ".join(parts)


def in_a_line(error: BaseException) -> str:
    """What somebody else's error says, as `printable` has it, without a blank at its ends."""
    return printable(" ".join(str(error).split()))


_BLANKS = re.compile(r"\s*[^\S ]\s*")
"""Blanks with at least one that is no space."""


def _written_out(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


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
