"""``results.nc`` of a sweep: one labelled Dataset over all chunks, written before there is any.

Its data variables are HDF5 virtual datasets. They hold no numbers, only where each chunk's rows
go, so that the file is a pure function of the sweep, and a chunk that is not there yet reads as
the fill value.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from jaxattn.contracts import Status
from jaxattn.engine.hyperslabs import Block, Box, blocks, boxes
from jaxattn.engine.netcdf import LIBRARY, add_variable, skeleton
from jaxattn.sealed import chunk_name, private_group, seal, write_bytes
from jaxattn.store import ABSENT, RESULTS, status_attributes

__all__ = ["Piece", "VirtualVariable", "status_variable", "virtual_bytes", "write_virtual"]

_ABSENT_GROUP = "sweep-absent"


@dataclass(frozen=True)
class VirtualVariable:
    """A data variable of the whole sweep.

    Attributes:
        dims: first those that rows differ by (paradigm, process, static axes, traced ones, seed),
            then the measure's own.
        fill: what is read where a chunk is not there yet, and where a measure has a shorter axis.
        absent: what is read where no chunk will ever be; None: `fill`.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    attrs: Mapping[str, Any] = field(default_factory=dict)
    fill: float = np.nan
    absent: float | None = None


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
    sizes: dict[str, int] = {str(name): length for name, length in labels.sizes.items()}
    for name, variable in variables.items():
        for dim, length in zip(variable.dims, variable.shape, strict=True):
            if sizes.setdefault(dim, length) != length:
                raise ValueError(f"{name}: got {dim} = {length}, expected {sizes[dim]}.")
    group = private_group(str(labels.attrs["spec_hash"]))
    mapped = {name: _Mapped(name, variable) for name, variable in variables.items()}
    for piece in pieces:
        placed = blocks(piece.rows, tuple(len(side) for side in piece.axes.values()))
        for name, shape in piece.shapes.items():
            mapped[name].add(piece, placed, shape, group)
    buffer = skeleton(labels, sizes)
    with h5py.File(buffer, "r+", libver=LIBRARY) as file:
        for one in mapped.values():
            add_variable(file, one.create(file), one.variable.dims, one.variable.attrs)
    content = buffer.getvalue()
    return content + seal(content)


class _Mapped:
    """A virtual dataset in the making."""

    def __init__(self, name: str, variable: VirtualVariable) -> None:
        if variable.dtype.kind not in "fiu":
            raise ValueError(f"{name}: got {variable.dtype}, expected real numbers or integers.")
        self.name, self.variable = name, variable
        self.space = h5py.h5s.create_simple(variable.shape)
        self.settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        self.settings.set_fill_value(np.asarray(variable.fill, variable.dtype))
        self.covered: np.ndarray | None = None
        if variable.absent is not None:
            self.covered = np.zeros(variable.shape, bool)

    def add(self, piece: Piece, placed: list[Block], shape: tuple[int, ...], group: str) -> None:
        lead = len(self.variable.dims) - len(shape)
        own = self.variable.shape[lead:]
        if lead < 0 or any(here > there for here, there in zip(shape, own, strict=True)):
            raise ValueError(f"{self.name}: got rows of {shape}, expected at most {own}.")
        corner = tuple(slice(0, length) for length in shape)
        file, name = chunk_name(piece.number).encode(), f"{group}/{self.name}".encode()
        source = h5py.h5s.create_simple((len(piece.rows), *shape))
        for block in placed:
            source.select_hyperslab(
                (block.start, *(0 for _ in shape)), (block.stop - block.start, *shape)
            )
            for where in self._places(piece, block, lead):
                self._map(where + corner, file, name, source)

    def _places(self, piece: Piece, block: Block, lead: int) -> Iterator[Box]:
        """The boxes of the leading dimensions that a block goes to: many, if it is repeated."""
        known = {dim: [slice(at, at + 1)] for dim, at in piece.at.items()}
        for (dim, side), part in zip(piece.axes.items(), block.where, strict=True):
            known[dim] = [slice(side.start + part.start, side.start + part.stop)]
        lengths = zip(self.variable.dims[:lead], self.variable.shape[:lead], strict=True)
        yield from product(
            *(known.get(dim) or [slice(i, i + 1) for i in range(length)] for dim, length in lengths)
        )

    def _map(self, where: Box, file: bytes, name: bytes, source: h5py.h5s.SpaceID) -> None:
        self.space.select_hyperslab(
            tuple(side.start for side in where), tuple(side.stop - side.start for side in where)
        )
        self.settings.set_virtual(self.space, file, name, source)
        if self.covered is not None:
            self.covered[where] = True

    def create(self, file: h5py.File) -> h5py.Dataset:
        if self.covered is not None:
            self._map_absent(file)
        made = h5py.h5d.create(
            file.id,
            self.name.encode(),
            h5py.h5t.py_create(self.variable.dtype, logical=True),
            h5py.h5s.create_simple(self.variable.shape),
            self.settings,
        )
        return h5py.Dataset(made)

    def _map_absent(self, file: h5py.File) -> None:
        """A dataset in this very file that takes no room: all of it is its fill value."""
        assert self.covered is not None
        free = boxes(~self.covered)
        if not free:
            return
        counts = [prod(side.stop - side.start for side in where) for where in free]
        name = f"{_ABSENT_GROUP}/{self.name}"
        file.create_dataset(
            name,
            shape=(max(counts),),
            dtype=self.variable.dtype,
            fillvalue=self.variable.absent,
            chunks=(min(max(counts), 1 << 16),),
        )
        source = h5py.h5s.create_simple((max(counts),))
        for where, count in zip(free, counts, strict=True):
            source.select_hyperslab((0,), (count,))
            self._map(where, b".", name.encode(), source)
