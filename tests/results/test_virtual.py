"""A sweep's results: labelled, lazy, the same to every reader, and honest about what is broken."""

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from example_sweeps import (
    SPEC_HASH,
    chunk,
    chunks,
    expected,
    labels,
    pieces,
    variables,
    write_sweep,
)

import jaxattn
from jaxattn.core.contracts import InputError, Status
from jaxattn.results.chunk_file import chunk_bytes, chunk_name
from jaxattn.results.dataset import ABSENT, status_attributes
from jaxattn.results.files import RESULTS
from jaxattn.results.virtual import Piece, VirtualVariable, virtual_bytes


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "sweep"
    write_sweep(folder)
    return folder


@pytest.fixture
def sweep(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "sweep"))


def plain(folder: Path) -> xr.Dataset:
    with xr.open_dataset(folder / RESULTS, engine="h5netcdf") as opened:
        return opened.load()


@pytest.mark.parametrize(
    ("rows", "without"), [(1, (2, 25)), (5, ()), (5, (1, 4)), (5, tuple(range(7))), (12, (1,))]
)
def test_the_results_are_every_row_at_its_place(
    tmp_path: Path, rows: int, without: tuple[int, ...]
) -> None:
    write_sweep(tmp_path / "sweep", without=without, rows=rows)
    wanted = expected(without=without, rows=rows)
    for opened in (jaxattn.open(tmp_path / "sweep").load(), plain(tmp_path / "sweep")):
        xr.testing.assert_identical(opened, wanted)
        assert {k: v.dtype for k, v in opened.items()} == {k: v.dtype for k, v in wanted.items()}


KEYS = [
    {"seed": -1},
    {"seed": slice(None, None, -2), "save": 1},
    {"learning_rate": [2, 0], "segments": [1, 1, 0]},
    {"paradigm": 0, "dynamics": 1, "position": slice(0, 2)},
    {"seed": slice(2, 2)},
    {"seed": xr.DataArray([0, 3], dims="one"), "learning_rate": xr.DataArray([1, 2], dims="one")},
]


@pytest.mark.parametrize("key", KEYS, ids=[" ".join(key) for key in KEYS])
def test_a_selection_is_that_of_the_whole(sweep: Path, key: dict) -> None:
    xr.testing.assert_identical(jaxattn.open(sweep).isel(key).load(), expected().isel(key))


def test_rows_are_absent_where_no_chunk_goes_and_running_where_one_is_missing(
    tmp_path: Path,
) -> None:
    write_sweep(tmp_path / "sweep", without=tuple(range(7)))
    ds = jaxattn.open(tmp_path / "sweep")
    flows = ds["status"].sel(paradigm="soft", dynamics="flow", segments=3)
    assert (flows.isel(seed=slice(2)) == ABSENT).all()
    assert (flows.isel(seed=slice(2, None)) == Status.RUNNING).all()
    assert ds["objective"].isnull().all()
    np.testing.assert_array_equal(
        ds["status"].attrs["flag_values"], status_attributes()["flag_values"]
    )


def test_integers_and_truths_become_numbers_that_can_be_missing(tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    rows, more = np.arange(5), {"seen": np.bool_, "count": np.int32}
    made = {name: VirtualVariable(("seed",), (8,), np.dtype(kind)) for name, kind in more.items()}
    axes = {"seed": range(8)}
    of_seeds = labels().drop_dims("seed").assign_coords(seed=np.arange(8))
    piece = Piece(0, {}, axes, rows, dict.fromkeys(more, ()))
    (tmp_path / RESULTS).write_bytes(virtual_bytes(of_seeds, made, [piece]))
    numbers = np.asarray([0, 1, 1, 0, 1])
    ds = xr.Dataset({name: ("row", numbers.astype(kind)) for name, kind in more.items()})
    ds = ds.assign_coords(row=rows).assign_attrs(spec_hash=SPEC_HASH, chunk=0)
    (tmp_path / chunk_name(0)).write_bytes(chunk_bytes(ds))
    for opened in (jaxattn.open(tmp_path).load(), plain(tmp_path)):
        for name in more:
            np.testing.assert_array_equal(opened[name], [*numbers, *[np.nan] * 3])


def test_a_chunk_from_before_a_variable_was_there_has_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    of_seeds = labels().drop_dims("seed").assign_coords(seed=np.arange(4))
    made = {name: VirtualVariable(("seed",), (4,)) for name in ("old", "later")}
    first, second = (
        Piece(n, {}, {"seed": range(4)}, np.arange(2 * n, 2 * n + 2), dict.fromkeys(made, ()))
        for n in range(2)
    )
    (tmp_path / RESULTS).write_bytes(virtual_bytes(of_seeds, made, [first, second]))
    for piece, names in ((first, ["old"]), (second, ["old", "later"])):
        ds = xr.Dataset({name: ("row", 1.0 + piece.rows) for name in names})
        ds = ds.assign_coords(row=piece.rows)
        ds = ds.assign_attrs(spec_hash=SPEC_HASH, chunk=piece.number)
        (tmp_path / chunk_name(piece.number)).write_bytes(chunk_bytes(ds))
    for opened in (jaxattn.open(tmp_path).load(), plain(tmp_path)):
        np.testing.assert_array_equal(opened["old"], [1, 2, 3, 4])
        np.testing.assert_array_equal(opened["later"], [np.nan, np.nan, 3, 4])


def test_results_are_the_same_bytes_for_the_same_sweep() -> None:
    one, two = (virtual_bytes(labels(), variables(), pieces()) for _ in range(2))
    assert one == two
    assert one != virtual_bytes(labels(), variables(), pieces(rows=4))


def test_no_file_tells_when_it_was_written(sweep: Path) -> None:
    # Two sweeps that are written within one second would be equal files either way.
    for path in (sweep / RESULTS, sweep / "chunks" / "0000000.nc"):
        with h5py.File(path) as file:
            names: list[str] = []
            file.visit(names.append)
            assert names
            for name in names:
                assert h5py.h5g.get_objinfo(file.id, name.encode()).mtime == 0, name


def test_only_what_is_asked_for_is_read(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = h5py.File

    def seen(name: object, *args: object, **more: object) -> h5py.File:
        read.extend([Path(name).name] if isinstance(name, Path) else [])
        return real(name, *args, **more)

    ds = jaxattn.open(sweep)
    monkeypatch.setattr(h5py, "File", seen)
    ds["objective"].isel(paradigm=0, dynamics=0, segments=0, learning_rate=0).load()
    assert read == ["0000000.nc"]


def test_nothing_stays_open(sweep: Path) -> None:
    ds = jaxattn.open(sweep)
    ds["objective"].load()
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0
    shutil.rmtree(sweep)


def test_a_moved_directory_is_read_from_anywhere(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "else where").mkdir()
    moved = sweep.rename(tmp_path / "else where" / "renamed")
    for folder, name in [(tmp_path, moved), (moved, Path()), (moved / "chunks", Path(".."))]:
        monkeypatch.chdir(folder)
        xr.testing.assert_identical(jaxattn.open(name).load(), expected())
        xr.testing.assert_identical(plain(name), expected())


def test_a_missing_chunk_is_not_taken_from_the_sweep_one_stands_in(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where a file is missing, HDF5 tries the same relative name from the working directory.
    number, group, rows = list(chunks())[1]
    other = tmp_path / "other" / chunk_name(number)
    other.parent.mkdir(parents=True)
    other.write_bytes(chunk_bytes(chunk(number, group, rows, spec_hash=SPEC_HASH[::-1])))
    (sweep / chunk_name(1)).unlink()
    monkeypatch.chdir(tmp_path / "other")
    xr.testing.assert_identical(plain(sweep), expected(without=(1,)))
    xr.testing.assert_identical(jaxattn.open(sweep).load(), expected(without=(1,)))


FEW_FILES = """
    import resource, sys
    from jaxattn.results.files import open_run
    resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    print(int((open_run(sys.argv[1])["status"] > 0).sum()))
"""


def test_a_sweep_of_more_chunks_than_files_that_may_be_open_is_read_whole(tmp_path: Path) -> None:
    # HDF5 keeps every chunk open that it read, and fills in for those that it cannot open.
    write_sweep(tmp_path / "sweep", rows=1)
    assert len(list((tmp_path / "sweep" / "chunks").iterdir())) > 24
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FEW_FILES), str(tmp_path / "sweep")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == [str(int((expected()["status"] > 0).sum()))], run.stderr


# What is broken.


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        jaxattn.open(path).load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_truncated_chunk_is_refused_when_opened(sweep: Path) -> None:
    file = sweep / chunk_name(2)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"0000002\.nc: got a truncated file.*sweep resume"):
        jaxattn.open(sweep)


def test_a_wrong_bit_in_a_chunk_is_refused_when_read_and_only_then(sweep: Path) -> None:
    file = sweep / chunk_name(2)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    ds = jaxattn.open(sweep)
    ds["objective"].isel(paradigm=1).load()
    with pytest.raises(InputError, match=r"0000002\.nc: got a damaged file"):
        ds["status"].load()
    assert "0000002.nc" in refused(sweep)


def test_a_chunk_that_is_damaged_after_it_was_read_is_refused(sweep: Path) -> None:
    ds = jaxattn.open(sweep)
    ds["status"].load()
    file = sweep / chunk_name(2)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(0, 0))
    with pytest.raises(InputError, match="damaged"):
        ds["objective"].load()


@pytest.mark.parametrize("cut", [False, True])
def test_readers_that_know_no_seal_stumble_over_a_broken_chunk_too(sweep: Path, cut: bool) -> None:
    file, ds = sweep / chunk_name(2), chunk(*list(chunks())[2])
    content = bytearray(file.read_bytes())
    content[content.index(np.ascontiguousarray(ds["objective"].values).tobytes())] ^= 1
    file.write_bytes(file.read_bytes()[:-2000] if cut else content)
    with pytest.raises(OSError, match="truncated file" if cut else "filter"):
        plain(sweep)


def test_a_chunk_of_another_sweep_or_place_is_refused(sweep: Path) -> None:
    shutil.copy(sweep / chunk_name(1), sweep / chunk_name(2))
    assert "0000002.nc: got a chunk of another sweep or place" in refused(sweep)
    number, group, rows = list(chunks())[2]
    other = chunk(number, group, rows, spec_hash=SPEC_HASH[::-1])
    (sweep / chunk_name(2)).write_bytes(chunk_bytes(other))
    assert "0000002.nc: got a chunk of another sweep or place" in refused(sweep)


def test_what_was_there_when_a_sweep_was_opened_stays(sweep: Path) -> None:
    file = sweep / chunk_name(2)
    content = file.read_bytes()
    file.unlink()
    ds = jaxattn.open(sweep)
    ds["objective"].load()
    file.write_bytes(content)
    # All variables tell of the same rows, whatever is finished while they are read.
    xr.testing.assert_identical(ds.load(), expected(without=(2,)))
    ds = jaxattn.open(sweep)
    file.unlink()
    with pytest.raises(InputError, match="no file any more"):
        ds.load()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_results_are_refused(sweep: Path, share: float) -> None:
    whole = (sweep / RESULTS).read_bytes()
    (sweep / RESULTS).write_bytes(whole[: int(share * len(whole))])
    assert "damaged or truncated" in refused(sweep)


def test_results_without_their_seal_are_refused(sweep: Path) -> None:
    (sweep / RESULTS).write_bytes((sweep / RESULTS).read_bytes()[:-81])
    assert "its end is missing" in refused(sweep)


def test_a_wrong_bit_in_the_results_is_refused(sweep: Path) -> None:
    whole = (sweep / RESULTS).read_bytes()
    for number, place in enumerate(range(0, len(whole) - 100, len(whole) // 50 | 1)):
        content = bytearray(whole)
        content[place] ^= 1 << number % 8
        (sweep / RESULTS).write_bytes(content)
        assert "damaged" in refused(sweep), place


def test_a_newer_schema_is_refused(sweep: Path) -> None:
    newer = virtual_bytes(labels().assign_attrs(schema_version=99), variables(), pieces())
    (sweep / RESULTS).write_bytes(newer)
    assert "update" in refused(sweep)


def test_a_sweep_without_chunks_or_their_folder_is_empty(sweep: Path) -> None:
    shutil.rmtree(sweep / "chunks")
    xr.testing.assert_identical(jaxattn.open(sweep).load(), expected(without=tuple(range(7))))


# What cannot be mapped.


ODD = {
    "at most": {"shapes": {"objective": (3,)}},
    "in that order": {"axes": {"seed": range(4), "learning_rate": range(3)}},
    "dimensions among": {"at": {"width": 0}},
    "within 2": {"at": {"paradigm": 2}},
    "within 4": {"axes": {"learning_rate": range(3), "seed": range(2, 6)}},
}


@pytest.mark.parametrize("what", ODD)
def test_a_piece_that_does_not_fit_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=what):
        virtual_bytes(labels(), variables(), [replace(next(pieces()), **ODD[what])])


def test_variables_that_disagree_about_a_length_are_refused() -> None:
    more = {"short": VirtualVariable(("seed",), (3,))}
    with pytest.raises(ValueError, match=r"short: got seed = 3, expected 4"):
        virtual_bytes(labels(), variables() | more, pieces())


def test_text_cannot_be_virtual() -> None:
    more = {"name": VirtualVariable(("seed",), (4,), np.dtype("<U3"))}
    with pytest.raises(ValueError, match="real numbers"):
        virtual_bytes(labels(), variables() | more, pieces())
