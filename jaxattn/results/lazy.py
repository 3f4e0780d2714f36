"""A sweep's results opened by name: read chunk by chunk when asked, and checked when read.

HDF5 reads virtual datasets itself, but what it cannot open is silently the fill value: a chunk
that was truncated, and the 1,025th chunk where a process may have 1,024 files open. It also looks
for a missing one in the working directory. So the chunks are read here, one at a time, at the
places that ``results.nc`` gives, and checked: by length and owner when the sweep is opened, by
SHA-256 when first read.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.core import indexing

from jaxattn.core.contracts import InputError
from jaxattn.results.checksum import CHUNKS, State, examine

__all__ = ["lazily"]

_CHUNK = re.compile(r"(\d{7,})\.nc")
_AGAIN = "`jaxattn sweep resume` computes it again"


def lazily(folder: Path, results: bytes, labelled: xr.Dataset) -> xr.Dataset:
    """The Dataset of a sweep, its data variables unread.

    What chunks there are is settled now: a chunk that is finished later is seen when the sweep is
    opened again, so that all variables tell of the same runs.

    Args:
        folder: of the sweep.
        results: content of its ``results.nc``, checked already.
        labelled: the same as xarray opens it. It may be closed afterwards.

    Raises:
        InputError: a chunk that is truncated or belongs to another sweep.
    """
    shelf = _Shelf(folder, results, str(labelled.attrs["spec_hash"]), _found(folder, labelled))
    with h5py.File(io.BytesIO(results), "r") as file:
        of_rows = [name for name in labelled.data_vars if file[str(name)].is_virtual]
    rest = labelled.drop_vars(of_rows).load()
    variables = {
        name: xr.Variable(
            variable.dims,
            indexing.LazilyIndexedArray(
                _Array(shelf, str(name), tuple(variable.shape), variable.dtype)
            ),
            variable.attrs,
        )
        for name, variable in labelled[of_rows].data_vars.items()
    }
    return rest.assign(variables)


def _found(folder: Path, labelled: xr.Dataset) -> dict[str, int]:
    """Numbers of the chunks that are there by their path in the sweep, each looked at briefly."""
    spec_hash = str(labelled.attrs["spec_hash"])
    numbers = {}
    for path in sorted((folder / CHUNKS).glob("*.nc")):
        if name := _CHUNK.fullmatch(path.name):
            number = int(name[1])
            _refuse(path, examine(path, spec_hash, number, full=False))
            numbers[f"{CHUNKS}/{path.name}"] = number
    return numbers


def _refuse(path: Path, state: State) -> None:
    if state is State.WHOLE:
        return
    what = {
        State.MISSING: "no file any more",
        State.TRUNCATED: "a truncated file",
        State.DAMAGED: "a damaged file (its hash does not match its content)",
        State.FOREIGN: "a chunk of another sweep or place",
    }[state]
    raise InputError(f"{path}: got {what}, expected the chunk that was written; {_AGAIN}.")


@dataclass(frozen=True)
class _Parts:
    """Where a dataset's numbers are: part i fills the box from `start` to `stop`."""

    fill: Any
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    files: list[str]
    names: list[str]
    first: np.ndarray
    last: np.ndarray
    """Rows of the files; of ``results.nc`` itself, a dataset is always taken whole."""
    start: np.ndarray
    stop: np.ndarray


@dataclass
class _Shelf:
    """The files of a sweep as they were when it was opened."""

    folder: Path
    results: bytes
    spec_hash: str
    chunks: dict[str, int]
    checked: dict[str, tuple[int, int]] = field(default_factory=dict)
    known: dict[str, _Parts] = field(default_factory=dict)

    def read(self, name: str, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The box from `low` to `high` of a dataset of ``results.nc``."""
        parts = self._parts(name)
        box = np.full(tuple(high - low), parts.fill, dtype=parts.dtype)
        start, stop = np.maximum(parts.start, low), np.minimum(parts.stop, high)
        hit = np.flatnonzero((start < stop).all(axis=1)).tolist()
        for file, some in groupby(hit, key=lambda i: parts.files[i]):
            with self._open(file) as opened:
                for i in some if opened is not None else ():
                    if opened != "." and parts.names[i] not in opened:
                        continue  # a whole chunk from before there was this variable
                    from_, to = start[i] - parts.start[i], stop[i] - parts.start[i]
                    read = self._within if opened == "." else partial(_rows, opened)
                    box[_box(start[i] - low, stop[i] - low)] = read(parts, i, from_, to)
        return box

    def _within(self, parts: _Parts, i: int, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """From another dataset of ``results.nc``: it has the same axes, some of length 1 less."""
        inner = self._parts(parts.names[i])
        if not inner.files:
            return np.full(tuple(stop - start), inner.fill)
        axes, axis = [], 0
        for length in inner.shape:
            while (parts.stop[i] - parts.start[i])[axis] != length:
                axis += 1
            axes.append(axis)
            axis += 1
        values = self.read(parts.names[i], start[axes], stop[axes])
        return values.reshape(tuple(stop - start))

    @contextmanager
    def _open(self, file: str) -> Iterator[Any]:
        """A chunk, its bytes checked when it is first read and when it was changed since."""
        if file == ".":
            yield file
        elif file not in self.chunks:
            yield None
        else:
            path = self.folder / file
            if not path.is_file():
                _refuse(path, State.MISSING)
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            if self.checked.get(file) != stamp:
                _refuse(path, examine(path, self.spec_hash, self.chunks[file]))
                self.checked[file] = stamp
            with h5py.File(path, "r", locking=False) as opened:
                yield opened

    def _parts(self, name: str) -> _Parts:
        if name not in self.known:
            with h5py.File(io.BytesIO(self.results), "r") as file:
                self.known[name] = _parts(file[name])
        return self.known[name]


def _parts(dataset: h5py.Dataset) -> _Parts:
    sources = dataset.virtual_sources() if dataset.is_virtual else []
    to = np.asarray([one.vspace.get_select_bounds() for one in sources], dtype=np.int64)
    to = to.reshape(len(sources), 2, dataset.ndim)
    of = [
        ((0,), (0,)) if one.file_name == "." else one.src_space.get_select_bounds()
        for one in sources
    ]
    return _Parts(
        fill=dataset.fillvalue,
        dtype=dataset.dtype,
        shape=dataset.shape,
        files=[one.file_name for one in sources],
        names=[one.dset_name for one in sources],
        first=np.asarray([low[0] for low, _ in of], dtype=np.int64),
        last=np.asarray([high[0] + 1 for _, high in of], dtype=np.int64),
        start=to[:, 0],
        stop=to[:, 1] + 1,
    )


def _rows(
    file: h5py.File, parts: _Parts, i: int, start: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """From a chunk, whose first axis is rows and fills the leading axes of the part."""
    source = file[parts.names[i]]
    lead = len(start) - source.ndim + 1
    rows = source[(slice(parts.first[i], parts.last[i]), *_box(start[lead:], stop[lead:]))]
    grid = (parts.stop[i] - parts.start[i])[:lead]
    return np.asarray(rows.reshape(*grid, *rows.shape[1:])[_box(start[:lead], stop[:lead])])


def _box(start: np.ndarray, stop: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))


class _Array(xr.backends.BackendArray):
    """One variable of a sweep, for xarray to index."""

    def __init__(
        self, shelf: _Shelf, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.shelf, self.name, self.shape, self.dtype = shelf, name, shape, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """The numbers at `key`: an integer or slice for each dimension."""
        # The box around what is asked for is read, and the key applied to that.
        ranges = [
            range(length)[at] if isinstance(at, slice) else range(int(at), int(at) + 1)
            for at, length in zip(key, self.shape, strict=True)
        ]
        low = np.asarray([min(r, default=0) for r in ranges], dtype=np.int64)
        high = np.asarray([max(r, default=-1) + 1 for r in ranges], dtype=np.int64)
        box = self.shelf.read(self.name, low, high)
        inside = (
            slice(None, None, r.step) if isinstance(at, slice) else 0
            for at, r in zip(key, ranges, strict=True)
        )
        return np.asarray(box[tuple(inside)])
