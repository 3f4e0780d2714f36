"""``results.nc`` of a sweep: one labelled Dataset over all chunks, written before there is any.

Its data variables are HDF5 virtual datasets. They hold no numbers, only where each chunk's rows
go, so that the file is a pure function of the sweep, and a chunk that is not there yet reads as
the fill value.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.core.reasons import Reason
from jaxattn.results.checksum import chunk_name, private_name, seal, write_bytes
from jaxattn.results.dataset import ABSENT, reason_attributes, status_attributes
from jaxattn.results.files import RESULTS
from jaxattn.results.hyperslabs import Box, blocks, boxes
from jaxattn.results.netcdf import LIBRARY, add_group, add_variable, skeleton

__all__ = [
    "Piece",
    "VirtualVariable",
    "reason_variable",
    "status_variable",
    "virtual_bytes",
    "write_virtual",
]

_GROUPS, _ABSENT = "sweep-groups", "sweep-absent"
"""HDF5 groups beside the variables, which readers of netCDF pass by."""


@dataclass(frozen=True)
class VirtualVariable:
    """A data variable of the whole sweep.

    Attributes:
        dims: first those that rows differ by (paradigm, dynamics, static axes, traced ones, seed),
            then the measure's own.
        dtype: of real numbers. Integers become float64 where `fill` is NaN, which they lack, as
            they do in a comparison with absent rows.
        fill: what is read where a chunk is not there yet, and where a measure has a shorter axis.
        absent: what is read where no chunk will ever be; None: `fill`.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    attrs: Mapping[str, Any] = field(default_factory=dict)
    fill: int | float = np.nan
    absent: int | float | None = None


@dataclass(frozen=True)
class Piece:
    """Where the rows of one chunk go.

    Attributes:
        number: of the chunk.
        at: position along each dimension that the chunk has one value of.
        axes: the grid of its group: for each traced dimension, in the group's order and the seed
            last, the positions that the group's values have in the whole sweep (consecutive).
            A dimension of the sweep that is in neither is one the group does not depend on: its
            rows are repeated along it.
        rows: row numbers in that grid (C order), in the order in which the chunk holds them.
        shapes: for each variable of the chunk, the lengths that follow ``row``. A shorter one
            than the sweep's fills the first positions.
    """

    number: int
    at: Mapping[str, int]
    axes: Mapping[str, range]
    rows: np.ndarray
    shapes: Mapping[str, tuple[int, ...]]


def status_variable(dims: tuple[str, ...], shape: tuple[int, ...]) -> VirtualVariable:
    """How rows ended: running where there is no chunk yet, absent where there will be none."""
    return VirtualVariable(
        dims, shape, np.dtype(np.int8), status_attributes(), int(Status.RUNNING), ABSENT
    )


def reason_variable(dims: tuple[str, ...], shape: tuple[int, ...]) -> VirtualVariable:
    """Why rows were not solved: nothing where there is no chunk, or no solver."""
    return VirtualVariable(dims, shape, np.dtype(np.int8), reason_attributes(), int(Reason.NONE))


def write_virtual(
    folder: Path,
    labels: xr.Dataset,
    variables: Mapping[str, VirtualVariable],
    pieces: Iterable[Piece],
) -> None:
    """Write ``results.nc``; see `virtual_bytes`."""
    write_bytes(folder / RESULTS, virtual_bytes(labels, variables, pieces))


def virtual_bytes(
    labels: xr.Dataset,
    variables: Mapping[str, VirtualVariable],
    pieces: Iterable[Piece],
) -> bytes:
    """The whole file ``results.nc``, its seal included; equal arguments give equal bytes.

    Args:
        labels: coordinates and attributes, without data variables; attributes ``spec_hash`` and
            ``schema_version`` among them.
        variables: by name, in the order in which people will see them.
        pieces: of all chunks. No two go to the same place.

    Raises:
        ValueError: a variable or piece that does not fit the dimensions.
    """
    variables = {name: _fillable(name, variable) for name, variable in variables.items()}
    sizes: dict[str, int] = {str(name): length for name, length in labels.sizes.items()}
    for name, variable in variables.items():
        for dim, length in zip(variable.dims, variable.shape, strict=True):
            if sizes.setdefault(dim, length) != length:
                raise ValueError(f"{name}: got {dim} = {length}, expected {sizes[dim]}.")
    groups: dict[Any, _Group] = {}
    for piece in pieces:
        key = (*piece.at.items(), *piece.axes.items())
        if key not in groups:
            groups[key] = _Group(piece, variables)
        groups[key].add(piece, str(labels.attrs["spec_hash"]))
    buffer = skeleton(labels, sizes)
    with h5py.File(buffer, "r+", libver=LIBRARY) as file:
        for number, group in enumerate(groups.values()):
            group.create(file, number)
        for name, variable in variables.items():
            dataset = _whole(file, name, variable, list(groups.values()))
            add_variable(file, dataset, variable.dims, variable.attrs)
    content = buffer.getvalue()
    return content + seal(content)


def _fillable(name: str, variable: VirtualVariable) -> VirtualVariable:
    if variable.dtype.kind not in "fiub":
        raise ValueError(f"{name}: got {variable.dtype}, expected real numbers.")
    whole = variable.dtype.kind in "iub" and np.isnan(variable.fill)
    return replace(variable, dtype=np.dtype(np.float64)) if whole else variable


class _Group:
    """The grid that the chunks of one group fill, as virtual datasets of its own.

    The variables of the whole are virtual datasets over these. So they have a mapping for each
    group and not for each chunk, all of which HDF5 decodes whenever a variable is opened, which
    h5netcdf does some twenty times for each.
    """

    def __init__(self, first: Piece, variables: Mapping[str, VirtualVariable]) -> None:
        self.at, self.axes, self.shapes = first.at, first.axes, first.shapes
        self.grid = tuple(len(side) for side in self.axes.values())
        self.virtuals = {
            name: _Virtual((*self.grid, *shape), variables[name])
            for name, shape in self.shapes.items()
        }
        self.path = ""
        for name, shape in self.shapes.items():
            self._require_fit(name, variables[name], shape)

    def _require_fit(self, name: str, variable: VirtualVariable, shape: tuple[int, ...]) -> None:
        lead = len(variable.dims) - len(shape)
        own = variable.shape[max(lead, 0) :]
        if lead < 0 or any(here > there for here, there in zip(shape, own, strict=True)):
            raise ValueError(f"{name}: got rows of {shape}, expected at most {own}.")
        dims = variable.dims[:lead]
        # One mapping keeps the order of the numbers: it cannot transpose.
        if [dim for dim in dims if dim in self.axes] != list(self.axes) or not self.at.keys() <= {
            *dims
        }:
            raise ValueError(
                f"{name}: got a group with {[*self.at, *self.axes]}, expected dimensions among "
                f"{list(dims)}, in that order."
            )
        for dim, length in zip(dims, variable.shape, strict=False):
            side = self.axes.get(dim, range(self.at.get(dim, 0), self.at.get(dim, 0) + 1))
            if side.step != 1 or side.start < 0 or side.stop > length:
                raise ValueError(f"{name}: got {dim} at {side}, expected it within {length}.")

    def add(self, piece: Piece, spec_hash: str) -> None:
        """Map one more chunk."""
        if piece.shapes != self.shapes:
            raise ValueError(f"chunk {piece.number}: got other lengths than its group has.")
        placed = blocks(piece.rows, self.grid)
        file = chunk_name(piece.number)
        for name, shape in self.shapes.items():
            source = h5py.h5s.create_simple((len(piece.rows), *shape))
            corner = tuple(slice(0, length) for length in shape)
            for block in placed:
                _select(source, (slice(block.start, block.stop), *corner))
                self.virtuals[name].map(
                    block.where + corner, file, private_name(spec_hash, name), source
                )

    def create(self, file: h5py.File, number: int) -> None:
        """Write what was mapped."""
        self.path = f"{_GROUPS}/{number}"
        add_group(file, self.path)
        for name, virtual in self.virtuals.items():
            virtual.create(file, f"{self.path}/{name}")


def _whole(
    file: h5py.File, name: str, variable: VirtualVariable, groups: list[_Group]
) -> h5py.Dataset:
    """A variable of the sweep, over those of its groups."""
    virtual = _Virtual(variable.shape, variable)
    covered = np.zeros(variable.shape if variable.absent is not None else 0, bool)
    for group in groups:
        if name not in group.shapes:
            continue
        shape = group.shapes[name]
        corner = tuple(slice(0, length) for length in shape)
        source = h5py.h5s.create_simple((*group.grid, *shape))
        for where in _places(group, variable, len(variable.dims) - len(shape)):
            virtual.map(where + corner, ".", f"{group.path}/{name}", source)
            if covered.ndim == len(variable.shape):
                covered[where + corner] = True
    if variable.absent is not None and (free := boxes(~covered)):
        # A dataset in this very file that takes no room: all of it is its fill value.
        counts = [prod(side.stop - side.start for side in where) for where in free]
        add_group(file, _ABSENT)
        file.create_dataset(
            f"{_ABSENT}/{name}",
            shape=(max(counts),),
            dtype=variable.dtype,
            fillvalue=variable.absent,
            chunks=(min(max(counts), 1 << 16),),
        )
        source = h5py.h5s.create_simple((max(counts),))
        for where, count in zip(free, counts, strict=True):
            _select(source, (slice(0, count),))
            virtual.map(where, ".", f"{_ABSENT}/{name}", source)
    return virtual.create(file, name)


def _places(group: _Group, variable: VirtualVariable, lead: int) -> Iterator[Box]:
    """The boxes of the leading dimensions that a group fills: many, where it is repeated."""
    sides: list[list[slice]] = []
    for dim, length in zip(variable.dims[:lead], variable.shape[:lead], strict=True):
        if dim in group.at:
            sides.append([slice(group.at[dim], group.at[dim] + 1)])
        elif dim in group.axes:
            sides.append([slice(group.axes[dim].start, group.axes[dim].stop)])
        else:
            sides.append([slice(i, i + 1) for i in range(length)])
    yield from product(*sides)


class _Virtual:
    """A virtual dataset in the making."""

    def __init__(self, shape: tuple[int, ...], variable: VirtualVariable) -> None:
        self.dtype = variable.dtype
        self.space = h5py.h5s.create_simple(shape)
        self.settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        # Equal sweeps are equal files, whenever they were written.
        self.settings.set_obj_track_times(False)
        self.settings.set_fill_value(np.asarray(variable.fill, variable.dtype))

    def map(self, where: Box, file: str, name: str, source: h5py.h5s.SpaceID) -> None:
        """What is selected of `source`, in that order, is what is read at `where`."""
        _select(self.space, where)
        self.settings.set_virtual(self.space, file.encode(), name.encode(), source)

    def create(self, file: h5py.File, name: str) -> h5py.Dataset:
        """Write it."""
        self.space.select_all()
        kind = h5py.h5t.py_create(self.dtype, logical=True)
        return h5py.Dataset(
            h5py.h5d.create(file.id, name.encode(), kind, self.space, self.settings)
        )


def _select(space: h5py.h5s.SpaceID, where: Box) -> None:
    space.select_hyperslab(
        tuple(side.start for side in where), tuple(side.stop - side.start for side in where)
    )
