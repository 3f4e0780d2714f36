"""Files that carry their own checksum, and the chunks of a sweep among them.

A file ends in a line with the SHA-256 of all bytes before it; a chunk has one more line before
that one, which says whose chunk it is and how long. Readers of HDF5 stop before both. What a file
is worth is found from its bytes alone, before HDF5 looks: one wrong bit can send that library
into an endless loop.
"""

import errno
import hashlib
import io
import os
import re
import tempfile
from enum import Enum
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "CHUNKS",
    "State",
    "chunk_name",
    "examine",
    "is_broken",
    "private_name",
    "seal",
    "seal_chunk",
    "write_bytes",
]

CHUNKS = "chunks"
"""Folder of a sweep's chunks, beside its results."""

_SEAL = b"\njaxattn sha256 "
_LONGEST_ENDING = 512
_AT_ONCE = 1 << 20
_ENDING = re.compile(
    rb"\njaxattn chunk (\d+) of (\S+), (\d+) bytes" + _SEAL + rb"([0-9a-f]{64})\n\Z"
)


class State(Enum):
    """What a chunk's file is worth."""

    WHOLE = "whole"
    MISSING = "missing"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    FOREIGN = "foreign"


def seal(content: bytes | memoryview, *more: bytes) -> bytes:
    """The last line of a file that holds `content`, and then `more`."""
    digest = hashlib.sha256(content)
    for part in more:
        digest.update(part)
    return _SEAL + digest.hexdigest().encode() + b"\n"


def is_broken(whole: bytes, *, must: bool = False) -> bool:
    """Whether a file ends in a seal that does not fit what is before it; with `must`, in none."""
    content, mark, digest = whole.rpartition(_SEAL)
    if len(digest) != 65:
        return must
    return mark + digest != seal(content)


def chunk_name(number: int) -> str:
    """Path of a chunk, relative to the sweep's directory."""
    return f"{CHUNKS}/{number:07d}.nc"


def private_name(spec_hash: str, variable: str) -> str:
    """Where ``results.nc`` finds a variable in a chunk: beside the name that people read.

    HDF5 looks for a missing chunk in the working directory too, which may be another sweep's. A
    name that no other sweep has keeps it from reading there.
    """
    return f"sweep/{spec_hash[:16]}-{variable}"


def seal_chunk(buffer: io.BytesIO, spec_hash: str, number: int) -> bytes:
    """The whole file of a chunk: what `buffer` holds, whose it is, and the seal over both.

    The lines are added in place, as the content may be large.
    """
    with buffer.getbuffer() as content:
        owner = f"\njaxattn chunk {number} of {spec_hash}, {len(content)} bytes".encode()
        ending = owner + seal(content, owner)
    buffer.seek(0, io.SEEK_END)
    buffer.write(ending)
    return buffer.getvalue()


def examine(path: Path, spec_hash: str, number: int, *, full: bool = True) -> State:
    """What the file of chunk `number` is worth.

    Args:
        path: of the chunk.
        spec_hash: of the sweep that it should belong to.
        number: that the chunk should have.
        full: hash the whole content. Without it only the length and the last two lines are
            read, some tens of microseconds a file, and a wrong bit further in is not found.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _LONGEST_ENDING))
            tail = file.read()
            ending = _ENDING.search(tail)
            if ending is None:
                # A seal that cannot be read was hit by something else than a missing end.
                return State.DAMAGED if _SEAL[1:12] in tail else State.TRUNCATED
            length = size - (len(tail) - ending.start())
            sealed = size - (len(tail) - ending.start(4)) - len(_SEAL)
            if int(ending[3]) != length or (full and _digest(file, sealed) != ending[4]):
                return State.DAMAGED
    except FileNotFoundError:
        return State.MISSING
    owner = (ending[2], int(ending[1]))
    return State.WHOLE if owner == (spec_hash.encode(), number) else State.FOREIGN


def _digest(file: BinaryIO, length: int) -> bytes:
    """SHA-256 of the first `length` bytes, which may be more than one wants in memory."""
    digest = hashlib.sha256()
    file.seek(0)
    while length and (part := file.read(min(length, _AT_ONCE))):
        digest.update(part)
        length -= len(part)
    return digest.hexdigest().encode()


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all: temporary name beside it, fsync, rename.

    Raises:
        OSError: the disk is full or not writable; the old file, if any, is untouched.
    """
    try:
        _write_bytes(path, content)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # not that of the temporary file
        raise


def _write_bytes(path: Path, content: bytes | memoryview) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            _sync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        _sync(folder)
    finally:
        os.close(folder)


def _sync(descriptor: int) -> None:
    """Have it on the disk, where the file system can: some cannot, of folders above all."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
