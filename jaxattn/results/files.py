"""Files of results: written whole or not at all, checked when opened."""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json, plain
from jaxattn.core.contracts import InputError
from jaxattn.results.checksum import is_broken, seal, write_bytes
from jaxattn.results.dataset import SCHEMA_VERSION, as_current

__all__ = [
    "RESULTS",
    "DamagedError",
    "content_hash",
    "named",
    "not_writable",
    "open_run",
    "prepare",
    "refuse_taken",
    "write_bytes",
    "write_json",
    "write_results",
]

RESULTS = "results.nc"
_WRITTEN = (RESULTS, "run.json", "report.html", "theory.json", f"population/{RESULTS}")

_PACKED_FROM = 1 << 16
"""Bytes: smaller variables gain nothing."""


def content_hash(ds: xr.Dataset) -> str:
    """SHA-256 over names, dims, types, values and attributes of everything in `ds`.

    Equal results have equal hashes, under whatever conditions they were made.
    """
    digest = hashlib.sha256()
    others = ("content_hash", "made_with")
    attributes = {key: value for key, value in ds.attrs.items() if key not in others}
    digest.update(canonical_json(attributes).encode())
    for name in sorted(map(str, ds.variables)):
        variable = ds.variables[name]
        values = np.ascontiguousarray(variable.values)
        label = [name, list(variable.dims), str(values.dtype.kind), dict(variable.attrs)]
        digest.update(canonical_json(label).encode())
        text = values.dtype.kind in "UO"
        digest.update(canonical_json(values.tolist()).encode() if text else values.tobytes())
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people, atomically; NaN as null."""
    write_bytes(path, (json.dumps(plain(value), indent=2, allow_nan=False) + "\n").encode())


def write_results(ds: xr.Dataset, folder: Path) -> None:
    """Write `ds` as ``results.nc`` (netCDF4), its hash inside; equal Datasets give equal files.

    A last line seals all bytes before it. Readers of netCDF stop before it and do not mind.
    """
    stamped = ds.assign_attrs(content_hash=content_hash(ds))
    # Through memory: an HDF5 library that meets a full disk can take the process with it.
    content = bytes(stamped.to_netcdf(engine="h5netcdf", encoding=_encoding(stamped)))
    write_bytes(folder / RESULTS, content + seal(content))


def _encoding(ds: xr.Dataset) -> dict[Hashable, dict[str, Any]]:
    """Large variables packed without loss: shares repeat, and absent rows are NaN throughout."""
    packed = {"zlib": True, "complevel": 1, "shuffle": True}
    return {name: packed for name, values in ds.data_vars.items() if values.nbytes > _PACKED_FROM}


class DamagedError(InputError):
    """A file of results that is not as it was written."""


def open_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """The results of a run, by its directory or its ``results.nc``, checked against their hash.

    Those of a sweep, finished or not, are read lazily: a chunk's length and owner are checked now,
    its hash when it is first read. Rows that were not run yet are NaN, with status running. What
    an earlier version wrote has the names of this one.

    Raises:
        InputError: nothing there, a damaged chunk, or a file of a newer schema.
        DamagedError: a damaged file.
    """
    # Whole: what is read later is found wherever the program has gone by then.
    file = Path(path).absolute()
    file = file / RESULTS if file.is_dir() else file
    if not file.is_file():
        raise InputError(
            f"open: got {os.fspath(path)!r}, expected a directory with {RESULTS}; is the run's "
            "--out spelt right?"
        )
    damaged = f"{file}: got a damaged or truncated file, expected a jaxattn result; run it again"
    # Looked at before HDF5 is, which one wrong bit can send into an endless loop.
    whole = file.read_bytes()
    if is_broken(whole):
        raise DamagedError(f"{damaged} (its hash does not match its content).")
    try:
        with xr.open_dataset(io.BytesIO(whole), engine="h5netcdf") as unread:
            _require_known(file, unread.attrs)
            if "spec_hash" in unread.attrs:
                if is_broken(whole, must=True):
                    raise DamagedError(f"{damaged} (its end is missing).")
                from jaxattn.results.lazy import lazily

                return as_current(lazily(file.parent, whole, unread))
            ds = unread.load()
    except InputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DamagedError(f"{damaged} ({type(error).__name__}).") from error
    if content_hash(ds) != ds.attrs["content_hash"]:
        raise DamagedError(f"{damaged} (its hash does not match its content).")
    return as_current(ds)


def _require_known(file: Path, attributes: Mapping[Hashable, Any]) -> None:
    if "schema_version" not in attributes or not {"content_hash", "spec_hash"} & set(attributes):
        raise InputError(f"{file}: got a netCDF file that jaxattn did not write.")
    if int(attributes["schema_version"]) > SCHEMA_VERSION:
        raise InputError(
            f"{file}: got schema {attributes['schema_version']}, expected at most "
            f"{SCHEMA_VERSION}; update jaxattn."
        )


def named(folder: Path) -> str:
    """A folder as it is called from here."""
    here = Path.cwd()
    inside = folder.is_relative_to(here) and folder != here
    return str(folder.relative_to(here) if inside else folder)


def refuse_taken(folder: Path, overwrite: bool) -> None:
    """Refuse a directory that holds anything, unless it is to be overwritten.

    Args:
        folder: need not exist.
        overwrite: whether what an earlier run wrote there may be replaced.

    Raises:
        InputError: not empty and no `overwrite`, or not a directory.
    """
    try:
        present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise InputError(not_writable(folder, error)) from error
    if present and not overwrite:
        raise InputError(
            f"--out: got {named(folder)!r}, which holds {present[0]!r}; expected an empty or new "
            "directory; choose another or add --overwrite."
        )


def prepare(folder: Path, overwrite: bool) -> None:
    """Make `folder` ready for a run; with `overwrite`, remove what an earlier run wrote there.

    Only the files a run writes are ever removed.

    Raises:
        InputError: not empty and no `overwrite`, not a directory, or not writable.
    """
    refuse_taken(folder, overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for stale in (folder / name for name in _WRITTEN):
            stale.unlink(missing_ok=True)
        for figure in (*folder.glob("figures/*.png"), *folder.glob("figures/*.svg")):
            figure.unlink()
    except OSError as error:
        raise InputError(not_writable(folder, error)) from error


def not_writable(folder: Path, error: OSError) -> str:
    """One line on a directory that cannot be written to."""
    return (
        f"--out: got {named(folder)!r}, expected a writable directory ({error.strerror}); "
        "choose another."
    )
