"""A sweep's results opened by name: read chunk by chunk when asked, and checked when read.

HDF5 reads virtual datasets itself, but what it cannot open is silently the fill value: a chunk
that was truncated, and the 1,025th chunk where a process may have 1,024 files open. So the chunks
are read here, one at a time, at the places that ``results.nc`` gives.
"""

import io
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.core import indexing

from jaxattn.contracts import InputError
from jaxattn.sealed import CHUNKS, State, examine

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
    coords = labelled.drop_vars(list(labelled.data_vars)).load()
    variables = {
        name: xr.Variable(
            variable.dims,
            indexing.LazilyIndexedArray(
                _Array(shelf, str(name), tuple(variable.shape), variable.dtype)
            ),
            variable.attrs,
        )
        for name, variable in labelled.data_vars.items()
    }
    return coords.assign(variables)


def _found(folder: Path, labelled: xr.Dataset) -> dict[str, int]:
    """Numbers of the chunks that are there by their path in the sweep, each looked at briefly."""
    spec_hash = str(labelled.attrs["spec_hash"])
    found = {}
    for path in sorted((folder / CHUNKS).glob("*.nc")):
        if name := _CHUNK.fullmatch(path.name):
            number = int(name[1])
            _refuse(path, examine(path, spec_hash, number, full=False))
            found[f"{CHUNKS}/{path.name}"] = number
    return found


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
    """Where a variable's numbers are: rows `first` to `last` of a file fill `start` to `stop`."""

    files: list[str]
    names: list[str]
    first: np.ndarray
    last: np.ndarray
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

    def open(self, file: str) -> h5py.File | None:
        """A chunk, its bytes checked when it is first read and when it was changed since."""
        if file == ".":
            return h5py.File(io.BytesIO(self.results), "r")
        if file not in self.chunks:
            return None
        path = self.folder / file
        if not path.is_file():
            _refuse(path, State.MISSING)
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns)
        if self.checked.get(file) != stamp:
            _refuse(path, examine(path, self.spec_hash, self.chunks[file]))
            self.checked[file] = stamp
        return h5py.File(path, "r", locking=False)


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

    @cached_property
    def _fill(self) -> Any:
        with h5py.File(io.BytesIO(self.shelf.results), "r") as file:
            return file[self.name].fillvalue

    @cached_property
    def _parts(self) -> _Parts:
        with h5py.File(io.BytesIO(self.shelf.results), "r") as file:
            sources = file[self.name].virtual_sources()
        to = np.asarray([one.vspace.get_select_bounds() for one in sources], dtype=np.int64)
        of = [one.src_space.get_select_bounds() for one in sources]
        to = to.reshape(len(sources), 2, len(self.shape))
        return _Parts(
            files=[one.file_name for one in sources],
            names=[one.dset_name for one in sources],
            first=np.asarray([low[0] for low, _ in of], dtype=np.int64),
            last=np.asarray([high[0] + 1 for _, high in of], dtype=np.int64),
            start=to[:, 0],
            stop=to[:, 1] + 1,
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
        box = np.full(tuple(high - low), self._fill, dtype=self.dtype)
        if box.size:
            self._fill_in(box, low, high)
        inside = tuple(
            slice(None, None, r.step) if isinstance(at, slice) else 0
            for at, r in zip(key, ranges, strict=True)
        )
        return np.asarray(box[inside])

    def _fill_in(self, box: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        parts = self._parts
        start, stop = np.maximum(parts.start, low), np.minimum(parts.stop, high)
        opened: tuple[str, h5py.File | None] = ("", None)
        try:
            for i in np.flatnonzero((start < stop).all(axis=1)):
                if parts.files[i] != opened[0]:
                    if opened[1] is not None:
                        opened[1].close()
                    opened = (parts.files[i], self.shelf.open(parts.files[i]))
                if opened[1] is None:
                    continue
                source = opened[1][parts.names[i]]
                # The first axis of the source is rows, which fill the leading dims of the box.
                lead = len(self.shape) - source.ndim + 1
                inner = parts.start[i]
                rest = tuple(
                    slice(a, b)
                    for a, b in zip(
                        (start[i] - inner)[lead:], (stop[i] - inner)[lead:], strict=True
                    )
                )
                rows = source[(slice(parts.first[i], parts.last[i]), *rest)]
                whole = tuple((parts.stop[i] - inner)[:lead])
                cut = tuple(
                    slice(a, b)
                    for a, b in zip(
                        (start[i] - inner)[:lead], (stop[i] - inner)[:lead], strict=True
                    )
                )
                to = tuple(slice(a, b) for a, b in zip(start[i] - low, stop[i] - low, strict=True))
                box[to] = rows.reshape(*whole, *rows.shape[1:])[cut]
        finally:
            if opened[1] is not None:
                opened[1].close()
