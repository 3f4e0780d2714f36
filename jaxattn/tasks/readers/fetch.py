"""Published sets of images, fetched: each file is known by its SHA-256."""

import logging
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from jaxattn.core.contracts import InputError
from jaxattn.core.errors import in_a_line
from jaxattn.core.lookup import nearest
from jaxattn.tasks.readers.catalogue import SETS, PublishedSet, RemoteFile, home

__all__ = ["Bar", "FetchError", "fetch"]

_CHUNK = 1 << 16
"""Bytes that are asked for at once."""


class FetchError(OSError):
    """A file could not be fetched; the message, one line, says what to put where instead."""


class Bar(Protocol):
    """Hears how much of one file has come; pooch calls it as it calls tqdm."""

    total: Any
    """Bytes of the file, set before the first of them comes."""

    def update(self, count: int) -> Any:
        """So many bytes more."""

    def reset(self) -> Any:
        """Count from 0 again."""

    def close(self) -> Any:
        """Nothing more will come."""


def fetch(name: str, bar_of: Callable[[str], Bar] | None = None) -> Path:
    """Fetch what is not there of a set, and unpack it.

    A file is fetched beside its place and put there when its SHA-256 is right, so a command that
    is interrupted leaves what was finished, and no half of anything.

    Args:
        name: of the set.
        bar_of: gives a file, by its name, a bar that hears how it comes.

    Returns:
        The folder that `jaxattn.tasks.readers.catalogue.find` finds.

    Raises:
        InputError: no such set.
        FetchError: it cannot be reached, sends something else, or there is no room for it.
    """
    if name not in SETS:
        raise InputError(
            f"data set: got {name!r}, expected one of {', '.join(SETS)}; "
            f"{nearest(name, SETS) or 'pick one of these.'}"
        )
    published, folder = SETS[name], home(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(
            f"{folder}: got no folder there ({error.strerror}), expected a place for {name}; set "
            "JAXATTN_DATA to a folder that is writable."
        ) from error
    for file in published.files:
        path = _fetched(file, folder, name, published, bar_of)
        if published.unpacked and not (folder / published.unpacked).is_dir():
            _unpack(path, folder, published.unpacked)
    return folder / published.unpacked


def _fetched(
    file: RemoteFile,
    folder: Path,
    name: str,
    published: PublishedSet,
    bar_of: Callable[[str], Bar] | None,
) -> Path:
    import pooch  # with requests 0.2 s; reading needs neither
    from pooch import HTTPDownloader
    from requests import ConnectionError as Unconnected
    from requests import RequestException

    called = Path(file.url).name
    try:
        with _in_silence(pooch.get_logger()):
            pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=called,
                path=folder,
                downloader=HTTPDownloader(
                    progressbar=bar_of(called) if bar_of else False, chunk_size=_CHUNK, timeout=30
                ),
            )
    except (RequestException, ValueError, OSError) as error:
        # pooch says by a ValueError that the hash is another one.
        why = "no connection" if isinstance(error, Unconnected) else in_a_line(error)[:200]
        raise FetchError(
            f"{name}: got no {called} from {file.url} ({why}), expected SHA-256 "
            f"{file.sha256[:12]}...; go on with the same command, or get it elsewhere and put "
            f"{published.expected} into {folder}."
        ) from error
    return folder / called


def _unpack(archive: Path, folder: Path, inner: str) -> None:
    """An archive's folder, put in its place when all of it is there."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as beside:
            with tarfile.open(archive) as packed:
                packed.extractall(beside, filter="data")
            os.replace(Path(beside) / inner, folder / inner)
    except (OSError, tarfile.TarError) as error:
        raise FetchError(
            f"{archive}: got an archive that cannot be unpacked ({in_a_line(error)}), expected "
            f"room for {inner} beside it; make some and run the same command again."
        ) from error


@contextmanager
def _in_silence(logger: logging.Logger) -> Iterator[None]:
    """Without what a library says by itself."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
