"""netCDF4 files whose data variables HDF5 makes: virtual ones, or plain ones with a checksum.

The labels are xarray's and h5netcdf's work. Data variables are added by h5py, because h5netcdf
has no virtual ones, and takes five times as long over twenty plain ones.
"""

import io
from collections.abc import Mapping
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr

__all__ = ["LIBRARY", "add_group", "add_variable", "skeleton"]

LIBRARY = ("v110", "v110")
"""HDF5's format for what h5py adds: the first that has virtual datasets."""


def skeleton(labels: xr.Dataset, sizes: Mapping[str, int]) -> io.BytesIO:
    """A file in memory with what `labels` has, and all dimensions."""
    buffer = io.BytesIO(bytes(labels.to_netcdf(engine="h5netcdf")))
    missing = {name: length for name, length in sizes.items() if name not in labels.dims}
    if missing:
        with h5netcdf.File(buffer, "r+") as file:
            for name, length in missing.items():
                file.dimensions[name] = length
    return buffer


def add_group(file: h5py.File, path: str) -> None:
    """Make an HDF5 group, and those that it is in, without the time at which that was done."""
    places = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    places.set_obj_track_times(False)
    so_far = ""
    for name in path.split("/"):
        so_far = f"{so_far}/{name}"
        if so_far not in file:
            h5py.h5g.create(file.id, so_far.encode(), gcpl=places)


def add_variable(
    file: h5py.File, dataset: h5py.Dataset, dims: tuple[str, ...], attributes: Mapping[str, Any]
) -> None:
    """Label a data variable that h5py made: its dimensions, and attributes as xarray has them."""
    for axis, name in zip(dataset.dims, dims, strict=True):
        axis.attach_scale(file[name])
    for key, value in attributes.items():
        plain = isinstance(value, str | np.ndarray | np.generic)
        dataset.attrs[key] = value if plain else np.asarray(value)
