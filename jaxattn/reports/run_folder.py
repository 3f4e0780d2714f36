"""The directory of a run: made ready, and written to by one process alone."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxattn.core.contracts import InputError
from jaxattn.results.files import named, not_writable, prepare, refuse_taken

__all__ = ["run_folder"]

_NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""What a file system answers that has no locks, or none of directories, as over a network."""


@contextmanager
def run_folder(folder: Path, overwrite: bool) -> Iterator[None]:
    """Within, `folder` is ready for a run, and no other run writes there.

    The directory itself is locked, so that nothing is left in it; the system frees the lock of a
    process that ends, however it ends. A file system without locks is used without.

    Args:
        folder: new or empty, unless `overwrite`.
        overwrite: remove what an earlier run wrote there, and nothing else.

    Raises:
        InputError: it holds something and no `overwrite`, is no directory, or not writable; or
            another run is at work there.
    """
    refuse_taken(folder, overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(not_writable(folder, error)) from error
    try:
        _lock(descriptor, folder)
        prepare(folder, overwrite)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"--out: got {named(folder)!r}, where another run is at work; expected nobody; wait "
            "for it, stop it first, or choose another."
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
