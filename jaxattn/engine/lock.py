"""Who is at work in the directory of a sweep: one process at a time, and it is known which."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from jaxattn.core.contracts import InputError
from jaxattn.results.files import named, write_json

__all__ = ["HOLDER", "LOCK", "exclusive_lock", "lock_holder", "not_writable"]

LOCK = ".lock"
HOLDER = ".holder.json"

_INSTANT = 0.5
"""Seconds in which a lock that is only looked at becomes free again."""


@contextmanager
def exclusive_lock(folder: Path, on_note: Callable[[str], None]) -> Iterator[None]:
    """Nobody else works in `folder` for as long as a ``with`` lasts.

    The system frees the lock of a process that ends, however it ends; who held it is written
    beside it, so that a lock left by a kill can be told.

    Args:
        folder: the sweep's directory.
        on_note: is told of a lock that was left.

    Raises:
        InputError: somebody else works there, or it cannot be written to.
    """
    holder = folder / HOLDER
    # Whoever asks how a sweep is holds the lock for an instant.
    lock = FileLock(folder / LOCK, timeout=_INSTANT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"sweep: got {named(folder)!r}, where {_held_by(holder)} is at work; expected nobody; "
            "wait for it, or stop it first."
        ) from error
    except OSError as error:
        raise InputError(not_writable(folder, error)) from error
    try:
        if holder.is_file():
            on_note(f"{_held_by(holder)} was at work here and was ended; going on from there.")
        me = {"pid": os.getpid(), "host": socket.gethostname()}
        write_json(holder, {**me, "since": datetime.now(UTC).isoformat(timespec="seconds")})
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)
    finally:
        lock.release()


def _held_by(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {facts['pid']} on {facts['host']} (since {facts['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def lock_holder(folder: Path) -> str | None:
    """Who is at work in the directory, in words; None: nobody."""
    if not (folder / LOCK).is_file():
        return None
    try:
        with FileLock(folder / LOCK, timeout=0):
            return None
    except Timeout:
        return _held_by(folder / HOLDER)
    except OSError:
        # The lock cannot be tried where nothing can be written: what is left is what was said.
        return _held_by(folder / HOLDER) if (folder / HOLDER).is_file() else None


def not_writable(folder: Path, error: OSError) -> str:
    """One line on a directory that cannot be written to."""
    return (
        f"sweep: got {named(folder)!r}, expected a writable directory ({error.strerror}); "
        "choose another."
    )
