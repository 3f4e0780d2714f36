"""The directory of a sweep: whose it is, what is finished there, and who is at work in it."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
from filelock import FileLock, Timeout

from jaxattn.contracts import InputError
from jaxattn.engine.log import LOG
from jaxattn.engine.scalars import SCALARS
from jaxattn.engine.setup import thread_pool
from jaxattn.environment import environment
from jaxattn.precision import x64_is_on
from jaxattn.sealed import CHUNKS, State, chunk_name, examine, write_bytes
from jaxattn.store import RESULTS, SCHEMA_VERSION, write_json
from jaxattn.sweep import Spec, Sweep, difference, from_plain, spec_hash, spec_json

__all__ = [
    "MANIFEST",
    "PARAMS",
    "alone_in",
    "begin",
    "check_made_alike",
    "clear",
    "holder_of",
    "made_with",
    "read_spec_in",
    "states",
    "threads_of",
    "tidy",
]

SPEC = "spec.json"
MANIFEST = "manifest.json"
PARAMS = "params"
LOCK = ".lock"
HOLDER = ".holder.json"
_OWN = (SPEC, MANIFEST, LOG, RESULTS, "run.json", HOLDER)

_DIFFERENCES = 5
"""Lines of a difference that a message shows."""


def begin(folder: Path, spec: Spec) -> None:
    """Make `folder` that of this sweep: its spec is the first thing written there.

    Args:
        folder: new or empty. One that a kill left before anything was written counts as empty.
        spec: laid out.

    Raises:
        InputError: it holds something else, another sweep, or this one already.
    """
    present = _present(folder)
    if SPEC in present:
        raise InputError(_taken(folder, read_spec_in(folder), spec))
    if present:
        raise InputError(
            f"--out: got {str(folder)!r}, which holds {present[0]!r}; expected an empty or new "
            "directory; choose another."
        )
    try:
        (folder / CHUNKS).mkdir(parents=True, exist_ok=True)
        write_bytes(folder / SPEC, spec_json(spec).encode() + b"\n")
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise InputError(
            f"--out: got {str(folder)!r}, expected a writable directory ({error.strerror}); "
            "choose another."
        ) from error


def _present(folder: Path) -> list[str]:
    """What is in a directory, leaving out what `begin` may have left when it was killed."""
    if not folder.is_dir():
        return []
    found = sorted(entry.name for entry in folder.iterdir())
    ours = (LOCK, HOLDER, "slurm")
    return [
        name
        for name in found
        if name not in ours
        and not name.endswith(".part")
        and not (name == CHUNKS and not any((folder / name).iterdir()))
    ]


def _taken(folder: Path, there: Spec, here: Spec) -> str:
    apart = difference(there, here)
    if not apart:
        return (
            f"--out: got {str(folder)!r}, where this sweep has begun; go on with `jaxattn sweep "
            f"resume {folder}`, or choose another directory."
        )
    return (
        f"--out: got {str(folder)!r}, which holds another sweep ({_some(apart)}); choose another "
        "directory."
    )


def _some(lines: list[str]) -> str:
    more = len(lines) - _DIFFERENCES
    return "; ".join(lines[:_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")


def clear(folder: Path) -> None:
    """Remove what a sweep wrote in `folder`, and nothing else."""
    for name in _OWN:
        (folder / name).unlink(missing_ok=True)
    for name in (PARAMS, SCALARS):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    for pattern in (f"{CHUNKS}/*.nc", f"{CHUNKS}/.*.part", ".*.part"):
        for path in folder.glob(pattern):
            path.unlink()


def read_spec_in(folder: Path) -> Spec:
    """The spec of the sweep in a directory, laid out.

    Raises:
        InputError: no sweep there, or its spec cannot be read.
    """
    file = folder / SPEC
    if not file.is_file():
        raise InputError(
            f"sweep: got {str(folder)!r}, expected the directory of a sweep (with {SPEC}); begin "
            f"one with `jaxattn sweep run SPEC --out {folder}`."
        )
    try:
        spec = from_plain(json.loads(file.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file}: got a damaged file ({error}), expected the spec that the sweep began with; "
            "put it back from a copy. Finished chunks are untouched."
        ) from error
    if spec.layout.groups is None:
        raise InputError(f"{file}: got a spec without layout, expected the one the sweep wrote.")
    return spec


def made_with() -> dict[str, Any]:
    """What the bits of a chunk depend on besides the spec."""
    here = environment()
    made: dict[str, Any] = {name: here["versions"][name] for name in ("jaxattn", "jax", "jaxlib")}
    made |= {"backend": jax.default_backend(), "x64": x64_is_on()}
    # On a CPU, the threads that share a long sum.
    return made | ({"threads": thread_pool()} if made["backend"] == "cpu" else {})


def check_made_alike(folder: Path, sweep: Sweep) -> None:
    """Refuse to go on with a sweep as it was not begun; write the manifest if there is none yet.

    Raises:
        InputError: the manifest is of another spec, or of other versions, with the difference.
    """
    file, here = folder / MANIFEST, made_with()
    expected = {
        "schema_version": SCHEMA_VERSION,
        "spec_hash": spec_hash(sweep.spec),
        "chunks": sweep.chunk_count,
        "rows": sweep.rows,
    }
    if not file.is_file():
        write_json(file, {**expected, "made_with": here})
        return
    try:
        there = dict(json.loads(file.read_text(encoding="utf-8")))
        before = dict(there["made_with"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{file}: got a damaged file, expected the manifest of the sweep; put it back from a "
            "copy, or delete it if every chunk was computed with these versions."
        ) from error
    for name, value in expected.items():
        if there.get(name) != value:
            raise InputError(
                f"{file}: got {name} {there.get(name)}, expected {value} as in {SPEC}: it is of "
                "another sweep; put the right one back. Finished chunks are untouched."
            )
    apart = [
        f"{name}: {before.get(name)} there, {here.get(name)} here"
        for name in dict.fromkeys((*before, *here))
        if before.get(name) != here.get(name)
    ]
    if apart:
        raise InputError(
            f"{folder}: got a sweep that was begun otherwise ({_some(apart)}), expected the same, "
            "on which its bits depend; use what it was begun with, or begin a new one."
        )


def threads_of(folder: Path) -> int | None:
    """Threads of XLA's pool on the CPU that the sweep was begun on; None where it was no CPU."""
    try:
        made = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["made_with"]
        return int(made["threads"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # what is wrong with the manifest is said when it is needed


def holder_of(folder: Path) -> str | None:
    """Who is at work in the directory, in words; None: nobody."""
    if not (folder / LOCK).is_file():
        return None
    try:
        with FileLock(folder / LOCK, timeout=0):
            return None
    except Timeout:
        return _held_by(folder / HOLDER)


def states(folder: Path, sweep: Sweep) -> dict[int, State]:
    """What the file of every chunk is worth, its whole content hashed."""
    of = spec_hash(sweep.spec)
    return {
        number: examine(folder / chunk_name(number), of, number)
        for number in range(sweep.chunk_count)
    }


def tidy(folder: Path) -> None:
    """Remove what a kill in the middle of writing left behind."""
    for pattern in (".*.part", f"{CHUNKS}/.*.part"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    for path in (folder / PARAMS).glob("*.orbax-checkpoint-tmp*"):
        shutil.rmtree(path)


@contextmanager
def alone_in(folder: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Nobody else works in `folder` for as long as a ``with`` lasts.

    The system frees the lock of a process that ends, however it ends; who held it is written
    beside it, so that a lock left by a kill can be told.

    Args:
        folder: of the sweep.
        note: is told of a lock that was left.

    Raises:
        InputError: somebody else works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / HOLDER
    try:
        with FileLock(folder / LOCK, timeout=0):
            if holder.is_file():
                note(f"{_held_by(holder)} was at work here and was ended; going on from there.")
            me = {"pid": os.getpid(), "host": socket.gethostname()}
            write_json(holder, {**me, "since": datetime.now(UTC).isoformat(timespec="seconds")})
            try:
                yield
            finally:
                holder.unlink(missing_ok=True)
    except Timeout as error:
        raise InputError(
            f"sweep: got {str(folder)!r}, where {_held_by(holder)} is at work; expected nobody; "
            "wait for it, or stop it first."
        ) from error


def _held_by(holder: Path) -> str:
    try:
        found = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {found['pid']} on {found['host']} (since {found['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
