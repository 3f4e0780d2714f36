"""The manifest of a sweep: what it is, and under which conditions its chunks are computed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxattn.core.contracts import InputError
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.results.files import write_json
from jaxattn.run.conditions import HARDWARE, refuse_other
from jaxattn.study.layout import Sweep
from jaxattn.study.spec_hash import spec_hash

__all__ = [
    "MANIFEST",
    "begun_otherwise",
    "check_hardware",
    "check_manifest",
    "identity",
    "programs_of",
    "threads_of",
    "write_manifest",
]

MANIFEST = "manifest.json"


def identity(sweep: Sweep) -> dict[str, Any]:
    """What a manifest says of the sweep itself."""
    return {
        "schema_version": SCHEMA_VERSION,
        "spec_hash": spec_hash(sweep.spec),
        "chunks": sweep.chunk_count,
        "rows": sweep.rows,
    }


def write_manifest(
    folder: Path, sweep: Sweep, conditions: Mapping[str, Any], programs: Sequence[str]
) -> None:
    """Write down what a sweep is and how it is computed; once, when it begins.

    Args:
        folder: of the sweep.
        sweep: laid out.
        conditions: of `jaxattn.run.conditions`; without hardware that only its workers know.
        programs: the fingerprint of what each group computes.
    """
    record = {"made_with": dict(conditions), "programs": list(programs)}
    write_json(folder / MANIFEST, identity(sweep) | record)


def check_manifest(folder: Path, sweep: Sweep, conditions: Mapping[str, Any]) -> None:
    """Refuse to go on with a sweep as it was not begun.

    Args:
        folder: of the sweep; its manifest is there.
        sweep: as its spec lays it out.
        conditions: here; without hardware, that of the chunks is compared when they come.

    Raises:
        InputError: the manifest is damaged, of another spec, or of other conditions.
    """
    there = _read(folder)
    for name, value in identity(sweep).items():
        if there.get(name) != value:
            raise InputError(
                f"{folder / MANIFEST}: got {name} {there.get(name)}, expected {value} as in "
                "spec.json: it is of another sweep; put the right one back. Finished chunks are "
                "untouched."
            )
    before = dict(there["made_with"])
    if not set(HARDWARE) & set(conditions):
        before = {name: value for name, value in before.items() if name not in HARDWARE}
    _refuse(folder, before, conditions)


def check_hardware(folder: Path, hardware: Mapping[str, Any]) -> None:
    """Refuse a chunk of other hardware than the first one was computed on; write down the first's.

    Raises:
        InputError: with both.
    """
    manifest = _read(folder)
    there = {name: at for name, at in manifest["made_with"].items() if name in HARDWARE}
    if there:
        _refuse(folder, there, hardware)
    else:
        manifest["made_with"] |= dict(hardware)
        write_json(folder / MANIFEST, manifest)


def programs_of(folder: Path) -> tuple[str, ...]:
    """The fingerprint of what each group of a sweep computes."""
    return tuple(_read(folder)["programs"])


def threads_of(folder: Path) -> int | None:
    """Threads of XLA's pool on the CPU that the sweep was begun on; None where it was no CPU."""
    try:
        return int(_read(folder)["made_with"]["threads"])
    except (OSError, InputError, ValueError, KeyError, TypeError):
        return None  # what is wrong with the manifest is said when it is needed


def begun_otherwise(folder: Path) -> dict[str, Any] | None:
    """The manifest of a sweep whose files are of another schema; None of all others."""
    try:
        manifest = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # what is wrong with the manifest is said when it is needed
    known = {"schema_version", "spec_hash", "chunks", "rows"} <= set(manifest)
    return manifest if known and manifest["schema_version"] != SCHEMA_VERSION else None


def _refuse(folder: Path, there: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    refuse_other(
        there,
        here,
        f"{folder}: got a sweep that was begun otherwise",
        "use what it was begun with, or begin a new one.",
    )


def _read(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = dict(json.loads(file.read_text(encoding="utf-8")))
        return manifest | {
            "made_with": dict(manifest["made_with"]),
            "programs": [str(text) for text in manifest["programs"]],
        }
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{file}: got a damaged file, expected the manifest of the sweep; put it back from a "
            "copy, or delete it if every chunk was computed with these versions."
        ) from error
