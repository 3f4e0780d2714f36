"""A chunk's file: netCDF to all readers, equal for equal rows, and its damage is found unread."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from example_sweeps import SPEC_HASH, chunk

from jaxattn.results.chunk_file import State, chunk_bytes, chunk_name, examine

ROWS = np.arange(4, 9)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "0000007.nc"
    path.write_bytes(chunk_bytes(chunk(7, 0, ROWS)))
    return path


def test_a_chunk_is_a_netcdf_file_of_its_rows() -> None:
    ds = chunk(7, 0, ROWS)
    with xr.open_dataset(io.BytesIO(chunk_bytes(ds)), engine="h5netcdf") as opened:
        xr.testing.assert_identical(opened.load(), ds)
        assert {k: v.dtype for k, v in opened.items()} == {k: v.dtype for k, v in ds.items()}


def test_equal_chunks_are_equal_files() -> None:
    assert chunk_bytes(chunk(7, 1, ROWS)) == chunk_bytes(chunk(7, 1, ROWS.copy()))
    assert chunk_bytes(chunk(7, 1, ROWS)) != chunk_bytes(chunk(8, 1, ROWS))


def test_chunks_are_named_in_order() -> None:
    assert chunk_name(7) == "chunks/0000007.nc"


@pytest.mark.parametrize("full", [True, False])
def test_a_whole_chunk_is_known_by_its_owner(file: Path, full: bool) -> None:
    assert examine(file, SPEC_HASH, 7, full=full) is State.WHOLE
    assert examine(file, SPEC_HASH, 8, full=full) is State.FOREIGN
    assert examine(file, SPEC_HASH[::-1], 7, full=full) is State.FOREIGN
    assert examine(file.with_name("other.nc"), SPEC_HASH, 7, full=full) is State.MISSING


@pytest.mark.parametrize("full", [True, False])
def test_a_chunk_cut_anywhere_is_found(file: Path, full: bool) -> None:
    whole = file.read_bytes()
    for length in [0, 1, 100, len(whole) // 2, *range(len(whole) - 300, len(whole))]:
        file.write_bytes(whole[:length])
        state = examine(file, SPEC_HASH, 7, full=full)
        # Where part of the last two lines is left, the cut looks like damage to them.
        assert state is State.TRUNCATED or (state is State.DAMAGED and length > len(whole) - 80)
    file.write_bytes(whole[:500] + whole[600:])
    assert examine(file, SPEC_HASH, 7, full=full) is State.DAMAGED
    file.write_bytes(whole[:500] + bytes(len(whole) - 500))
    assert examine(file, SPEC_HASH, 7, full=full) is State.TRUNCATED


def test_a_wrong_bit_anywhere_is_found_in_full(file: Path) -> None:
    whole = file.read_bytes()
    for number, place in enumerate(range(0, len(whole), len(whole) // 100 | 1)):
        content = bytearray(whole)
        content[place] ^= 1 << number % 8
        file.write_bytes(content)
        assert examine(file, SPEC_HASH, 7) in {State.DAMAGED, State.TRUNCATED}, place


@pytest.mark.parametrize("bit", [2, 7])
def test_a_wrong_bit_in_the_last_lines_is_found_in_brief(file: Path, bit: int) -> None:
    whole = file.read_bytes()
    for place in range(whole.rindex(b"\njaxattn chunk"), len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << bit
        file.write_bytes(content)
        state = examine(file, SPEC_HASH, 7, full=False)
        seal = place >= len(whole) - 65  # hexadecimal digits that are still some
        assert state is not State.WHOLE or seal, (place, whole[place:])
        assert examine(file, SPEC_HASH, 7) is not State.WHOLE


@pytest.mark.parametrize("name", ["objective", "answers", "count", "bits", "status"])
def test_hdf5_finds_a_wrong_bit_among_the_numbers_by_itself(file: Path, name: str) -> None:
    ds = chunk(7, 0, ROWS)
    content = bytearray(file.read_bytes())
    stored = np.ascontiguousarray(ds[name].values).tobytes()
    assert content.count(stored) == 1
    content[content.index(stored) + 1] ^= 1
    file.write_bytes(content)
    with h5py.File(file) as opened, pytest.raises(OSError, match="filter"):
        opened[name][...]


def test_large_rows_are_stored_some_at_a_time() -> None:
    ds = chunk(7, 0, ROWS).assign(large=(("row", "x"), np.ones((5, 60_000))))
    with h5py.File(io.BytesIO(chunk_bytes(ds))) as opened:
        assert opened["large"].chunks == (2, 60_000)
