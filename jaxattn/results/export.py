"""Results for other tools: a Zarr store of the same arrays, a Parquet table of a line a save.

Both take results as `jaxattn.open` gives them, lazy or not, and hold one slab of rows in memory
at a time. What they write appears under its name when it is whole.
"""

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.results.dataset import ABSENT
from jaxattn.results.files import canonical_json

__all__ = ["SLAB", "export", "slabs", "to_parquet", "to_zarr"]

SLAB = 64 << 20
"""Bytes of numbers that are read at a time."""


def export(ds: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write results in the format that the ending of `path` names: ``.zarr`` or ``.parquet``.

    Raises:
        InputError: another ending, or what `to_zarr` and `to_parquet` refuse.
    """
    writers = {".zarr": to_zarr, ".parquet": to_parquet}
    if (ending := Path(path).suffix) not in writers:
        raise InputError(
            f"export: got {os.fspath(path)!r}, expected a name that ends in {' or '.join(writers)}."
        )
    writers[ending](ds, path)


def to_zarr(ds: xr.Dataset, path: str | os.PathLike[str], *, slab: int = SLAB) -> None:
    """Write results as a Zarr store, which `xarray.open_zarr` opens.

    Format 2, because Zarr's third has no type for text of a fixed length, which the names of
    paradigms are.

    Args:
        ds: results of a comparison or a sweep.
        path: of a directory that does not exist.
        slab: bytes of numbers to hold at a time; also the size of the store's chunks.

    Raises:
        InputError: zarr is not installed, the path is taken or cannot be written.
    """
    _installed("zarr")
    of_rows, steps = _of_rows(ds), _steps(ds, slab)
    # As large as the results, and of no size: every number is the same one.
    empty = ds.assign(
        {
            name: (v.dims, np.broadcast_to(np.zeros((), v.dtype), v.shape), v.attrs)
            for name, v in of_rows.data_vars.items()
        }
    )
    chunks = {
        name: {"chunks": tuple(steps.get(str(dim), length) for dim, length in v.sizes.items())}
        for name, v in ds.data_vars.items()
        if v.size
    }
    with _new(Path(path), "a new directory") as temporary:
        empty.to_zarr(temporary, mode="w", zarr_format=2, consolidated=True, encoding=chunks)
        for place in slabs(ds, slab):
            part = of_rows.isel(place).drop_vars(list(ds.coords)).load()
            part.to_zarr(temporary, region={dim: place[dim] for dim in place}, zarr_format=2)


def to_parquet(ds: xr.Dataset, path: str | os.PathLike[str], *, slab: int = SLAB) -> None:
    """Write results as a Parquet table: one line for each run and save.

    Columns are the coordinates of the run and the save, then the measures. One with dimensions of
    its own has a column for each of their positions, such as ``error.train.average-output``; one
    without saves is repeated along them; what tells of no run (a picture) is left out. Rows that
    nobody asked for (status absent) are left out; those not run yet are there, with status
    running. Attributes are the table's metadata, in JSON, and units and long names those of the
    columns.

    Args:
        ds: results of a comparison or a sweep.
        path: of a file that does not exist.
        slab: bytes of numbers to hold at a time.

    Raises:
        InputError: pyarrow is not installed, the path is taken or cannot be written.
    """
    _installed("pyarrow", "parquet")
    import pyarrow
    import pyarrow.parquet

    of_rows = _of_rows(ds)
    with _new(Path(path), "a new file") as temporary:
        writer = None
        for place in slabs(ds, slab):
            part = of_rows.isel(place).load()
            columns = dict(_columns(part))
            fields = [
                pyarrow.field(name, pyarrow.array(values[:0]).type, metadata=_metadata(attributes))
                for name, (values, attributes) in columns.items()
            ]
            schema = pyarrow.schema(fields, metadata=_metadata(ds.attrs))
            writer = writer or pyarrow.parquet.ParquetWriter(temporary, schema)
            arrays = [values for values, _ in columns.values()]
            writer.write_table(pyarrow.table(arrays, schema=schema))
        if writer is not None:
            writer.close()


def slabs(ds: xr.Dataset, size: int = SLAB) -> Iterator[dict[str, slice]]:
    """Boxes of rows, in order, for `Dataset.isel`: together all, each at most `size` bytes.

    The first dimensions are cut first, so that the rows of a group stay together. A single row
    may be larger.
    """
    steps = _steps(ds, size)
    lengths = [ds.sizes[dim] for dim in steps]
    starts = product(*(range(0, n, step) for n, step in zip(lengths, steps.values(), strict=True)))
    for at in starts:
        yield {
            dim: slice(start, min(start + step, length))
            for (dim, step), start, length in zip(steps.items(), at, lengths, strict=True)
        }


def _steps(ds: xr.Dataset, size: int) -> dict[str, int]:
    """Length of a slab along each dimension that rows differ by."""
    lead = {str(dim): length for dim, length in ds["status"].sizes.items()}
    # What is read of a measure that lacks one of the dimensions is no less for it.
    row = sum(
        v.dtype.itemsize * int(np.prod([n for dim, n in v.sizes.items() if dim not in lead]))
        for v in _of_rows(ds).data_vars.values()
    )
    rows = max(1, size // max(1, row))
    steps = {}
    for dim in reversed(lead):
        steps[dim] = max(1, min(lead[dim], rows))
        rows //= max(1, lead[dim])
    return {dim: steps[dim] for dim in lead}


def _of_rows(ds: xr.Dataset) -> xr.Dataset:
    """Without the data variables that are the same for all rows."""
    if "status" not in ds:
        raise InputError("export: got results without a status, expected those of runs.")
    lead = set(ds["status"].dims)
    return ds.drop_vars([name for name, v in ds.data_vars.items() if not lead & {*v.dims}])


def _columns(part: xr.Dataset) -> Iterator[tuple[str, tuple[np.ndarray, Mapping[Any, Any]]]]:
    lead = part["status"].dims
    sizes = {dim: part.sizes[dim] for dim in (*lead, "save") if dim in part.sizes}
    there = part["status"].variable.set_dims(sizes).values.ravel() != ABSENT
    if "save" in sizes and "save" not in part.coords:
        part = part.assign_coords(save=np.arange(sizes["save"]))
    for name in (*part.coords, *part.data_vars):
        variable = part[name].variable
        own = {dim: n for dim, n in variable.sizes.items() if dim not in sizes}
        if own and name in part.coords:
            continue  # it names columns
        whole = variable.set_dims(sizes | own).values.reshape(len(there), -1)
        labels = [_labels(part, str(dim)) for dim in own]
        for i, label in enumerate(product(*labels)):
            column = np.ascontiguousarray(whole[there, i])
            yield ".".join([str(name), *label]), (column, variable.attrs)


def _labels(ds: xr.Dataset, dim: str) -> list[str]:
    return (
        [str(at) for at in ds[dim].values]
        if dim in ds.coords
        else [*map(str, range(ds.sizes[dim]))]
    )


def _metadata(attributes: Mapping[Any, Any]) -> dict[str, str]:
    return {
        str(key): value if isinstance(value, str) else canonical_json(value)
        for key, value in attributes.items()
    }


def _installed(module: str, extra: str = "") -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"export: got no {module} on this machine, expected it; "
            f"pip install 'jaxattn[{extra or module}]'."
        ) from error


@contextmanager
def _new(path: Path, what: str) -> Iterator[Path]:
    """A temporary name beside `path`, which becomes `path` if all goes well."""
    if path.exists():
        raise InputError(f"export: got {os.fspath(path)!r}, which exists; expected {what}.")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            yield (made := Path(folder) / "part")
            shutil.move(made, path)
    except OSError as error:
        raise InputError(
            f"export: got {os.fspath(path)!r}, expected a place that can be written "
            f"({error.strerror}); choose another."
        ) from error
