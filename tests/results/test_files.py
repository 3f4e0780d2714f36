"""Files: whole or not there, the same for the same results, and checked when opened."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from example_results import example_result

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError, Status
from jaxattn.results.files import (
    RESULTS,
    content_hash,
    open_run,
    prepare,
    write_bytes,
    write_results,
)


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return example_result()


def test_what_is_opened_is_what_was_written(ds: xr.Dataset, tmp_path: Path) -> None:
    write_results(ds, tmp_path)
    opened = open_run(tmp_path)
    assert opened.attrs.pop("content_hash") == content_hash(ds)
    xr.testing.assert_identical(opened, ds)
    xr.testing.assert_identical(open_run(tmp_path / RESULTS).drop_attrs(), ds.drop_attrs())


def test_equal_results_are_equal_files(ds: xr.Dataset, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write_results(ds.copy(deep=True), tmp_path / name)
    a, b = ((tmp_path / name / RESULTS).read_bytes() for name in "ab")
    assert a == b


def test_absent_rows_and_repeated_shares_cost_no_bytes_and_lose_none(tmp_path: Path) -> None:
    ds = example_result(flow_seeds=1)
    ds["answer_map"] = ds["answer_map"].round(-1)
    write_results(ds, tmp_path)
    # Five flows of six are absent, and the map has few values.
    assert (tmp_path / RESULTS).stat().st_size < 0.5 * ds.nbytes
    np.testing.assert_array_equal(open_run(tmp_path)["answer_map"], ds["answer_map"])


def test_the_hash_sees_values_names_and_attributes(ds: xr.Dataset) -> None:
    changed = ds.copy(deep=True)
    changed["objective"].values.flat[0] += 1e-6
    assert content_hash(changed) != content_hash(ds)
    assert content_hash(ds.rename({"objective": "loss_of_training"})) != content_hash(ds)
    assert content_hash(ds.assign_attrs(more=1)) != content_hash(ds)
    assert content_hash(ds.copy(deep=True)) == content_hash(ds)


def _refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_run(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_opening_nothing_says_what_was_expected(tmp_path: Path) -> None:
    assert RESULTS in _refused(tmp_path)
    assert "spelt" in _refused(tmp_path / "nowhere")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_refused(ds: xr.Dataset, tmp_path: Path, share: float) -> None:
    write_results(ds, tmp_path)
    file = tmp_path / RESULTS
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    assert "damaged" in _refused(tmp_path)


def test_a_flipped_bit_in_the_values_is_found(ds: xr.Dataset, tmp_path: Path) -> None:
    write_results(ds, tmp_path)
    file = tmp_path / RESULTS
    content = bytearray(file.read_bytes())
    # Among the values of the first variable, as HDF5 stores them: contiguous, native.
    values = np.ascontiguousarray(ds["objective"].values).tobytes()
    content[content.find(values) + 11] ^= 1
    file.write_bytes(content)
    assert "hash" in _refused(tmp_path)


def test_a_wrong_bit_anywhere_is_refused_before_hdf5_can_stumble_over_it(
    ds: xr.Dataset, tmp_path: Path
) -> None:
    write_results(ds, tmp_path)
    file = tmp_path / RESULTS
    whole = file.read_bytes()
    # The length is no multiple of the stride, which is odd: all kinds of places and bits. One such
    # bit in the metadata of a dimension keeps h5netcdf counting to 2**62.
    for number, place in enumerate(range(0, len(whole) - 200, len(whole) // 300 | 1)):
        content = bytearray(whole)
        content[place] ^= 1 << number % 8
        file.write_bytes(content)
        assert "damaged" in _refused(tmp_path), place


def test_any_reader_of_netcdf_reads_a_result(ds: xr.Dataset, tmp_path: Path) -> None:
    write_results(ds, tmp_path)
    with xr.open_dataset(tmp_path / RESULTS) as plain:
        xr.testing.assert_equal(plain.load(), ds)


def test_a_file_of_other_origin_is_refused(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_bytes(xr.Dataset({"a": 1}).to_netcdf(engine="h5netcdf"))
    assert "did not write" in _refused(tmp_path)


def test_a_newer_schema_is_refused(ds: xr.Dataset, tmp_path: Path) -> None:
    write_results(ds.assign_attrs(schema_version=99), tmp_path)
    assert "update" in _refused(tmp_path)


FULL_DISK = """
    import sys
    from pathlib import Path
    from jaxattn.results.files import write_bytes
    folder = Path(sys.argv[1])
    write_bytes(folder / "file", b"old" * 10)
    try:
        write_bytes(folder / "file", bytes(3_000_000))
    except OSError as error:
        print(error.strerror)
    print((folder / "file").read_bytes() == b"old" * 10, [p.name for p in folder.iterdir()])
"""


def _on_a_small_disk(script: str, folder: Path, options: str) -> subprocess.CompletedProcess[str]:
    code = textwrap.dedent(script)
    mount = f'mount -t tmpfs -o size=1m tmpfs "$1" && {options} exec "$2" -c "$3" "$1"'
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", str(folder), sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "not permitted" in run.stderr or "must be superuser" in run.stderr:
        pytest.skip("this machine lets nobody mount a file system of their own")
    return run


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    run = _on_a_small_disk(FULL_DISK, tmp_path, "")
    assert run.stdout.splitlines() == ["No space left on device", "True ['file']"], run.stderr


READ_ONLY = """
    import sys
    from pathlib import Path
    from jaxattn.core.contracts import InputError, Status
    from jaxattn.results.files import prepare
    try:
        prepare(Path(sys.argv[1]) / "run", overwrite=False)
    except InputError as error:
        print(error)
"""


def test_a_read_only_disk_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    run = _on_a_small_disk(READ_ONLY, tmp_path, 'mount -o remount,ro "$1" &&')
    assert "Read-only file system" in run.stdout, run.stderr
    assert len(run.stdout.splitlines()) == 1


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from jaxattn.experiments import compare_into
    from jaxattn.study.settings import Settings
    from jaxattn.study.study import resolve_settings

    def tell(progress):
        if progress.paradigm == "hard":
            os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings("orthogonal-population", paradigms=("soft", "hard"), steps=4, saves=2)
    compare_into(Path(sys.argv[1]), resolve_settings(settings), False, tell)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_the_results_it_had(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    status = open_run(tmp_path)["status"].sel(dynamics="train")
    assert (status.sel(paradigm="soft") == Status.DONE).all()
    # The second chunk is written only if it took longer than a blink.
    assert status.sel(paradigm="hard").isin([Status.DONE, Status.RUNNING]).all()
    assert [path.name for path in tmp_path.iterdir()] == [RESULTS]


def test_a_directory_in_use_is_refused_without_overwrite(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="--overwrite"):
        prepare(tmp_path, overwrite=False)
    prepare(tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_overwriting_removes_what_an_earlier_run_wrote(ds: xr.Dataset, tmp_path: Path) -> None:
    write_results(ds, tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.png").touch()
    (tmp_path / "figures" / "mine.pdf").touch()
    prepare(tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["mine.pdf"]


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="writable directory"):
        prepare(tmp_path / "file" / "run", overwrite=False)


def test_json_is_canonical_and_knows_no_nan() -> None:
    assert canonical_json({"b": float("nan"), "a": np.float32(1)}) == '{"a":1.0,"b":null}'


def test_writing_replaces_a_file_in_one_step(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"one")
    before = (tmp_path / "file").stat().st_ino
    write_bytes(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"two"
    assert (tmp_path / "file").stat().st_ino != before


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_syncs_no_folders_keeps_results_all_the_same(
    code: int, ds: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    write_results(ds, tmp_path)
    assert content_hash(open_run(tmp_path)) == content_hash(ds)


def test_a_disk_that_fails_while_it_syncs_is_no_success(
    ds: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output error"):
        write_results(ds, tmp_path)
    assert list(tmp_path.iterdir()) == []
