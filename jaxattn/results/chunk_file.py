"""A chunk of a sweep as a file: netCDF4, sealed, and equal for equal rows."""

import io
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from jaxattn.core.reasons import Reason
from jaxattn.results.checksum import State, chunk_name, examine, private_name, seal_chunk
from jaxattn.results.netcdf import LIBRARY, add_group, add_variable, skeleton

__all__ = ["State", "chunk_bytes", "chunk_name", "ends_in", "examine", "status_in"]

_AT_ONCE = 1 << 20
"""Bytes that HDF5 reads, and checks, together."""

_ROOM = 1 << 16
"""Bytes of names and attributes, about; more are found when there are more."""


def chunk_bytes(ds: xr.Dataset) -> bytes:
    """The finished file of a chunk.

    Every variable carries HDF5's own checksum besides the seal, so that a wrong bit is an error
    for readers that do not know the seal.

    Args:
        ds: dims ``row`` first, then those of the measures; variable or coordinate ``row`` with the
            numbers of the rows in their group's grid; attributes ``spec_hash`` and ``chunk``.
    """
    spec_hash, number = str(ds.attrs["spec_hash"]), int(ds.attrs["chunk"])
    labels = ds.drop_vars(list(ds.data_vars))
    buffer = skeleton(labels, {str(name): length for name, length in ds.sizes.items()})
    # Room for all of it at once: a buffer that grows leaves holes of its former sizes behind.
    buffer.seek(ds.nbytes + _ROOM, io.SEEK_END)
    buffer.write(bytes(1))
    with h5py.File(buffer, "r+", libver=LIBRARY) as file:
        add_group(file, private_name(spec_hash, "").rpartition("/")[0])
        for name, variable in ds.data_vars.items():
            values = variable.values
            if values.dtype == bool:  # for netCDF has none
                values = values.astype(np.int8)
            dataset = file.create_dataset(
                str(name), data=values, chunks=_at_once(values), fletcher32=True
            )
            add_variable(file, dataset, tuple(map(str, variable.dims)), variable.attrs)
            file[private_name(spec_hash, str(name))] = dataset
    return seal_chunk(buffer, spec_hash, number)


def _at_once(values: np.ndarray) -> tuple[int, ...]:
    rows = max(1, _AT_ONCE // max(1, values[:1].nbytes))
    return (min(rows, len(values)), *values.shape[1:])


def status_in(chunk: bytes | Path) -> np.ndarray:
    """How the rows of a chunk ended, by its content or its file, which is known to be whole."""
    return ends_in(chunk)[0]


def ends_in(chunk: bytes | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How the rows of a chunk ended, the time of each one's last good save, and the `Reason`.

    The time is NaN where it was not kept; there is no reason where nothing was solved.
    """
    source = chunk if isinstance(chunk, Path) else io.BytesIO(chunk)
    with h5py.File(source, "r", locking=False) as file:
        status = np.asarray(file["status"])
        reached, reason = file.get("time_reached"), file.get("reason")
        return (
            status,
            np.full(status.shape, np.nan) if reached is None else np.asarray(reached),
            np.full(status.shape, int(Reason.NONE)) if reason is None else np.asarray(reason),
        )
