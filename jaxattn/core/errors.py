"""What is raised where a person asked for what cannot be done. Imports nothing heavy."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["InputError", "in_a_line", "needs_extra"]


class InputError(ValueError):
    """What a person asked for cannot be done; the message says got, expected and how to fix."""


def in_a_line(error: BaseException) -> str:
    """What somebody else's error says, without line breaks."""
    return " ".join(str(error).split())


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
