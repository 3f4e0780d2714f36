"""What comes after the results: whatever fails there loses nothing, and is said in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxattn.core.errors import LateError, in_a_line
from jaxattn.problems.tracing import raised

__all__ = ["after_results", "first_of"]


def _late() -> tuple[type[Exception], ...]:
    """What figures and reports raise: at text no font has, full disks, packages that are broken."""
    return (*raised(), ImportError, MemoryError, OSError)


@contextmanager
def after_results(what: str, folder: Path, done: Any = None) -> Iterator[None]:
    """Within, the results in `folder` are whole, and what is raised is a `LateError`.

    Args:
        what: fails, as the message calls it.
        folder: of the run.
        done: what was computed.

    Raises:
        LateError: in place of what was raised, which is its cause.
    """
    try:
        yield
    except LateError as error:
        error.done = done if error.done is None else error.done
        raise
    except _late() as error:
        said = in_a_line(error) or "without a word"
        raise LateError(
            f"{what}: got {type(error).__name__} ({said}), expected none; the results in {folder} "
            f"are whole; mend that, then run jaxattn report {folder}.",
            done,
        ) from error


def first_of(failed: list[LateError]) -> LateError:
    """One error for several, at least one."""
    more = len(failed) - 1
    first = failed[0]
    said = f"{first} {more} more failed, too." if more else str(first)
    error = LateError(said)
    error.__cause__ = first.__cause__
    return error
