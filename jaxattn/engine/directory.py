"""The directory of a sweep: whose it is, and what is finished there.

Finished is what has a whole file: there is no second record that could disagree with it.
"""

import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from jaxattn.core.contracts import InputError
from jaxattn.engine.lock import HOLDER, LOCK, not_writable
from jaxattn.engine.log import LOG
from jaxattn.engine.manifest import MANIFEST, begun_otherwise
from jaxattn.engine.tensorboard import SCALARS
from jaxattn.results.checksum import CHUNKS, State, chunk_name, examine, is_broken, write_bytes
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.results.files import RESULTS, named
from jaxattn.study.layout import Sweep
from jaxattn.study.parse import from_plain
from jaxattn.study.spec import Spec
from jaxattn.study.spec_hash import difference, spec_hash, spec_json

__all__ = [
    "PARAMS",
    "begin",
    "check_free",
    "clear",
    "read_spec_in",
    "remove_not_whole",
    "remove_partial_files",
    "results_are_whole",
    "spec_difference",
    "states",
]

SPEC = "spec.json"
PARAMS = "params"
_OWN = (SPEC, MANIFEST, LOG, RESULTS, "run.json", HOLDER)

_DIFFERENCES = 5
"""Lines of a difference that a message shows."""


def check_free(folder: Path) -> None:
    """Refuse a directory that is no sweep's and holds something, before anything is written there.

    Raises:
        InputError: it holds something, or is no directory.
    """
    try:
        present = _present(folder)
    except OSError as error:
        raise InputError(not_writable(folder, error)) from error
    if present and SPEC not in present:
        raise InputError(
            f"--out: got {named(folder)!r}, which holds {present[0]!r}; expected an empty or new "
            "directory; choose another."
        )


def begin(folder: Path, spec: Spec, *, beside: bool = False) -> None:
    """Make `folder` that of this sweep: its spec is the first thing written there.

    Args:
        folder: new or empty. One that a kill left before anything was written counts as empty.
        spec: laid out.
        beside: whether it may hold other things, which stay.

    Raises:
        InputError: it holds something else, another sweep, or this one already.
    """
    if SPEC in _present(folder):
        raise InputError(_taken(folder, read_spec_in(folder), spec))
    if not beside:
        check_free(folder)
    (folder / CHUNKS).mkdir(exist_ok=True)
    write_bytes(folder / SPEC, spec_json(spec).encode() + b"\n")


def _present(folder: Path) -> list[str]:
    """What is in a directory, leaving out what `begin` may have left when it was killed."""
    if not folder.exists():
        return []
    entries = sorted(entry.name for entry in folder.iterdir())
    ours = (LOCK, HOLDER, "slurm")
    return [
        name
        for name in entries
        if name not in ours
        and not name.endswith(".part")
        and not (name == CHUNKS and not any((folder / name).iterdir()))
    ]


def _taken(folder: Path, there: Spec, here: Spec) -> str:
    apart = spec_difference(there, here)
    if not apart:
        return (
            f"--out: got {named(folder)!r}, where this sweep has begun; go on with `jaxattn sweep "
            f"resume {named(folder)}`, or choose another directory."
        )
    return (
        f"--out: got {named(folder)!r}, which holds another sweep ({_some(apart)}); choose another "
        "directory."
    )


def spec_difference(there: Spec, here: Spec) -> list[str]:
    """What two specs ask for that differs: not how they were laid out, which may be measured."""
    layout = replace(here.layout, groups=there.layout.groups)
    return difference(there, replace(here, layout=layout))


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
    for path in folder.glob(f"{CHUNKS}/[0-9]*.nc"):
        path.unlink()
    remove_partial_files(folder)


def read_spec_in(folder: Path) -> Spec:
    """The spec of the sweep in a directory, laid out.

    Raises:
        InputError: no sweep there, one that another version began, or its spec cannot be read.
    """
    if before := begun_otherwise(folder):
        raise InputError(
            f"{folder}: got a sweep that another version of jaxattn began (schema "
            f"{before['schema_version']}, here {SCHEMA_VERSION}), expected one of this version: go "
            "on with it by that one, or begin anew. Its results open here all the same."
        )
    file = folder / SPEC
    if not file.is_file():
        raise InputError(
            f"sweep: got {named(folder)!r}, expected the directory of a sweep (with {SPEC}); begin "
            f"one with `jaxattn sweep run SPEC --out {named(folder)}`."
        )
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(plain, dict):
            raise ValueError("it is no table")
        spec = from_plain(plain)
        if spec.layout.groups is None:
            raise ValueError("it has no layout")
    except ValueError as error:
        said = str(error).removesuffix(".")
        raise InputError(
            f"{file}: got a damaged file ({said}), expected the spec that the sweep began with; "
            "put it back from a copy. Finished chunks are untouched."
        ) from error
    return spec


def results_are_whole(folder: Path, sweep: Sweep) -> bool:
    """Whether ``results.nc`` is there, undamaged, and of this sweep."""
    file = folder / RESULTS
    if not file.is_file():
        return False
    content = file.read_bytes()
    if is_broken(content, must=True):
        return False
    with h5py.File(io.BytesIO(content), "r") as opened:
        return bool(opened.attrs.get("spec_hash") == spec_hash(sweep.spec))


def states(folder: Path, sweep: Mapping[str, Any]) -> dict[int, State]:
    """What the file of every chunk is worth, its whole content hashed; `sweep` by `identity`."""
    return {
        number: examine(folder / chunk_name(number), sweep["spec_hash"], number)
        for number in range(sweep["chunks"])
    }


def remove_not_whole(folder: Path, file_states: Mapping[int, State]) -> None:
    """Remove the chunks that are computed again, so that the others can be read until they are."""
    for number, state in file_states.items():
        if state is not State.WHOLE:
            (folder / chunk_name(number)).unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> None:
    """Remove what a kill in the middle of writing left behind."""
    for pattern in (*(f".{name}.*.part" for name in _OWN), f"{CHUNKS}/.*.part"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    for path in (folder / PARAMS).glob("*.orbax-checkpoint-tmp*"):
        shutil.rmtree(path)
