"""Results with labels, and their files: written whole or not at all, checked when opened."""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json, plain
from jaxattn.core.contracts import InputError, MeasureSpec, Status, Trajectory
from jaxattn.problems.result_measures import GRADIENT_NORM, KNOWN, OBJECTIVE, attributes_of
from jaxattn.results.checksum import is_broken, seal, write_bytes

__all__ = [
    "ABSENT",
    "RESULTS",
    "SCHEMA_VERSION",
    "assemble",
    "block",
    "content_hash",
    "open_run",
    "prepare",
    "spec_of",
    "status_attributes",
    "write_bytes",
    "write_json",
    "write_results",
]

SCHEMA_VERSION = 1
RESULTS = "results.nc"
_WRITTEN = (RESULTS, "run.json", "report.html", "theory.json", f"population/{RESULTS}")

ABSENT = -1
"""Status of a row that was not asked for, such as the flow of a seed that only trains."""

_PACKED_FROM = 1 << 16
"""Bytes: smaller variables gain nothing."""


def block(
    trajectory: Trajectory,
    axes: Mapping[str, Sequence[Any]],
    measures: Sequence[MeasureSpec],
    parts: Sequence[str],
    *,
    use_up: bool = False,
) -> xr.Dataset:
    """One process of one paradigm as a Dataset.

    Args:
        trajectory: NumPy arrays with the lengths of `axes` in front.
        axes: names and coordinates of the leading axes (hyperparameters, then ``seed``).
        measures: labels of the problem's measures and of probes; one that is not described gets
            the dims ``<name>_0``, ``<name>_1``, ...
        parts: labels of ``gradient_norm``.
        use_up: take each measure out of `trajectory` once it is stacked: less memory.
    """
    measured = trajectory.measures if use_up else dict(trajectory.measures)
    lead = tuple(axes)
    coords: dict[str, Any] = {name: np.asarray(values) for name, values in axes.items()}
    variables: dict[str, Any] = {}

    def add(spec: MeasureSpec, dims: tuple[str, ...], values: Any) -> None:
        variables[spec.name] = (dims, values, attributes_of(spec))

    described = {spec.name: spec for spec in measures}

    def measure(name: str, of: tuple[str, ...], values: Any) -> None:
        rest = values.ndim - len(lead) - len(of) - 1
        spec = described.get(name) or MeasureSpec(name, tuple(f"{name}_{i}" for i in range(rest)))
        coords.update({dim: list(at) for dim, at in zip(spec.dims, spec.coords, strict=False)})
        add(spec, (*lead, "save", *of, *spec.dims), values)

    for always in (OBJECTIVE, GRADIENT_NORM):
        add(always, (*lead, "save", *always.dims), measured[always.name])
    coords["part"] = list(parts)
    # JAX sorts the keys of a dict; people expect the learning set first and the test last.
    found = dict.fromkeys(k.split("/")[0] for k in measured if "/" in k)
    splits = sorted(found, key=lambda name: (name != "train", name == "test", name))
    coords["split"] = splits
    for name in dict.fromkeys(k.split("/", 1)[1] for k in measured if "/" in k):
        by_split: list[Any] = [measured.pop(f"{split}/{name}") for split in splits]
        measure(name, ("split",), np.stack(by_split, axis=len(lead) + 1))
    for name in [name for name in measured if name not in ("objective", "gradient_norm")]:
        measure(name, (), measured.pop(name))
    add(KNOWN["time_reached"], lead, trajectory.time_reached)
    for name, count in trajectory.work.items():
        label = "evaluations" if name == "gradients" else name
        add(KNOWN[label], lead, np.asarray(count, dtype=float))
    variables["status"] = (lead, np.asarray(trajectory.status, np.int8), status_attributes())
    return xr.Dataset(variables, coords)


def status_attributes() -> dict[str, Any]:
    """What a `Status` in a Dataset says of itself."""
    return {
        "long_name": "how the row ended",
        "flag_values": np.asarray([ABSENT, *Status], dtype=np.int8),
        "flag_meanings": " ".join(["absent", *(status.name.lower() for status in Status)]),
    }


def assemble(
    blocks: Mapping[tuple[str, str], xr.Dataset],
    axes: Mapping[str, Sequence[Any]],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """All blocks as one Dataset: dims paradigm, process, the axes, then those of the measures.

    Args:
        blocks: by (paradigm, process). A block may lack a swept axis that it does not depend
            on (it is repeated along it) and rows (they become NaN, with status absent).
        axes: the swept hyperparameters and ``seed``, in order, whole.
        attributes: of the Dataset; ``schema_version`` is added.
    """
    absent: dict[Hashable, Any] = {"status": np.int8(ABSENT)}
    variables = dict.fromkeys(name for one in blocks.values() for name in one.data_vars)
    filler = {name: absent.get(name, np.nan) for name in variables}
    paradigms = list(dict.fromkeys(paradigm for paradigm, _ in blocks))
    processes = list(dict.fromkeys(process for _, process in blocks))

    def whole(one: xr.Dataset) -> xr.Dataset:
        for name in [name for name in axes if name not in one.dims]:
            one = one.expand_dims({name: np.asarray(axes[name])})
        return one.reindex({name: np.asarray(at) for name, at in axes.items()}, fill_value=filler)

    by_process = []
    for process in processes:
        found = {p: whole(blocks[p, process]) for p in paradigms if (p, process) in blocks}
        joined = xr.concat(
            list(found.values()),
            dim=xr.Variable("paradigm", list(found)),
            join="outer",
            fill_value=filler,
            data_vars="all",
            coords="minimal",
            compat="override",
            combine_attrs="drop_conflicts",
        )
        by_process.append(joined.reindex(paradigm=paradigms, fill_value=filler))
    ds = xr.concat(
        by_process,
        dim=xr.Variable("process", processes),
        join="outer",
        fill_value=filler,
        data_vars="all",
        coords="minimal",
        compat="override",
        combine_attrs="drop_conflicts",
    )
    ds["status"] = ds["status"].astype(np.int8).assign_attrs(status_attributes())
    ds = ds.transpose("paradigm", "process", *axes, "save", "split", ...)
    ds["seed"] = ds["seed"].astype(np.int64)
    return ds.assign_attrs(schema_version=SCHEMA_VERSION, **attributes)


def spec_of(ds: xr.Dataset) -> dict[str, Any]:
    """What the comparison or the sweep was asked to do, where the result carries it.

    Of a sweep in the words of a comparison: what varies beside paradigm and seed is in ``axes``.
    """
    spec = dict(json.loads(ds.attrs.get("spec") or "{}"))
    if not isinstance(spec.get("axes"), list):
        return spec
    columns = {name: at for axis in spec["axes"] for name, at in axis["columns"].items()}
    named = {name: spec[name]["name"] for name in ("task", "model") if spec.get(name)}
    ends = {"paradigms": columns.pop("paradigm"), "seeds": columns.pop("seed")}
    resolved = json.loads(ds.attrs.get("resolved") or "{}")
    return {**named, **spec["settings"], **resolved, **ends, "axes": columns}


def content_hash(ds: xr.Dataset) -> str:
    """SHA-256 over names, dims, types, values and attributes of everything in `ds`."""
    digest = hashlib.sha256()
    attributes = {key: value for key, value in ds.attrs.items() if key != "content_hash"}
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


def open_run(path: str | os.PathLike[str]) -> xr.Dataset:
    """The results of a run, by its directory or its ``results.nc``, checked against their hash.

    Those of a sweep, finished or not, are read lazily: a chunk's length and owner are checked now,
    its hash when it is first read. Rows that were not run yet are NaN, with status running.

    Raises:
        InputError: nothing there, a damaged file or chunk, or one of a newer schema.
    """
    file = Path(path)
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
        raise InputError(f"{damaged} (its hash does not match its content).")
    try:
        with xr.open_dataset(io.BytesIO(whole), engine="h5netcdf") as unread:
            _require_known(file, unread.attrs)
            if "spec_hash" in unread.attrs:
                if is_broken(whole, must=True):
                    raise InputError(f"{damaged} (its end is missing).")
                from jaxattn.results.lazy import lazily

                return lazily(file.parent, whole, unread)
            ds = unread.load()
    except InputError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{damaged} ({type(error).__name__}).") from error
    if content_hash(ds) != ds.attrs["content_hash"]:
        raise InputError(f"{damaged} (its hash does not match its content).")
    return ds


def _require_known(file: Path, attributes: Mapping[Hashable, Any]) -> None:
    if "schema_version" not in attributes or not {"content_hash", "spec_hash"} & set(attributes):
        raise InputError(f"{file}: got a netCDF file that jaxattn did not write.")
    if int(attributes["schema_version"]) > SCHEMA_VERSION:
        raise InputError(
            f"{file}: got schema {attributes['schema_version']}, expected at most "
            f"{SCHEMA_VERSION}; update jaxattn."
        )


def prepare(folder: Path, overwrite: bool) -> None:
    """Make `folder` ready for a run; with `overwrite`, remove what an earlier run wrote there.

    Only the files a run writes are ever removed.

    Raises:
        InputError: not empty and no `overwrite`, not a directory, or not writable.
    """
    try:
        present = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
        if present and not overwrite:
            raise InputError(
                f"--out: got {str(folder)!r}, which holds {present[0]!r}; expected an empty or new "
                "directory; choose another or add --overwrite."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for stale in (folder / name for name in _WRITTEN):
            stale.unlink(missing_ok=True)
        for figure in (*folder.glob("figures/*.png"), *folder.glob("figures/*.svg")):
            figure.unlink()
    except OSError as error:
        raise InputError(
            f"--out: got {str(folder)!r}, expected a writable directory ({error.strerror}); "
            "choose another."
        ) from error
