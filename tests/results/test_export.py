"""Exports hold the numbers they were given, a slab at a time, and leave nothing behind."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from example_results import example_result
from example_sweeps import SPEC_HASH, expected, write_sweep

import jaxattn
from jaxattn.cli import main as cli
from jaxattn.core.contracts import InputError
from jaxattn.results.dataset import ABSENT, SCHEMA_VERSION
from jaxattn.results.export import export, slabs, to_parquet, to_zarr

SMALL = 2000


@pytest.fixture(scope="module")
def lazy(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    folder = tmp_path_factory.mktemp("exported") / "sweep"
    write_sweep(folder, without=(1,))
    return jaxattn.open(folder)


@pytest.mark.parametrize("size", [1, SMALL, 10**9])
def test_slabs_cover_every_row_once_and_are_small(lazy: xr.Dataset, size: int) -> None:
    seen = xr.zeros_like(lazy["status"].load(), dtype=int)
    for place in slabs(lazy, size):
        seen[place] += 1
        assert lazy.isel(place).drop_vars(list(lazy.coords)).nbytes <= size or size == 1
    assert (seen == 1).all()


@pytest.mark.parametrize("size", [SMALL, 10**9])
def test_a_zarr_store_is_the_results(lazy: xr.Dataset, tmp_path: Path, size: int) -> None:
    pytest.importorskip("zarr")
    to_zarr(lazy, tmp_path / "out.zarr", slab=size)
    with xr.open_zarr(tmp_path / "out.zarr") as opened:
        found = opened.load()
    xr.testing.assert_identical(found, expected(without=(1,)))
    assert {k: v.dtype for k, v in found.items()} == {k: v.dtype for k, v in lazy.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


@pytest.mark.parametrize("size", [SMALL, 10**9])
def test_a_parquet_table_has_a_line_for_each_run_and_save(
    lazy: xr.Dataset, tmp_path: Path, size: int
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    to_parquet(lazy, tmp_path / "out.parquet", slab=size)
    table = parquet.read_table(tmp_path / "out.parquet")
    ds = expected(without=(1,))
    asked = ds["status"] != ABSENT
    assert table.num_rows == 2 * int(asked.sum())
    frame = {name: np.asarray(table[name]) for name in table.column_names}
    keys = [*ds["status"].dims, "save"]
    for i in np.random.default_rng(0).choice(table.num_rows, 20, replace=False):
        key = {dim: frame[dim][i] for dim in keys}
        row = ds.sel({dim: key[dim] for dim in keys[:-1]}).isel(save=key["save"])
        for name in ["objective", "time_reached", "status", "big", "half", "step", "time"]:
            np.testing.assert_array_equal(frame[name][i], row[name])
        for split in ("train", "test"):
            for position in range(3):
                np.testing.assert_array_equal(
                    frame[f"answers.{split}.{position}"][i],
                    row["answers"].sel(split=split)[position],
                )
    assert frame["status"].dtype == np.int8
    assert table.schema.metadata[b"spec_hash"].decode() == SPEC_HASH
    assert json.loads(table.schema.metadata[b"schema_version"]) == SCHEMA_VERSION
    assert table.schema.field("objective").metadata == {b"units": b"nat", b"long_name": b"loss"}
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_the_results_of_a_comparison_are_exported_too(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    parquet = pytest.importorskip("pyarrow.parquet")
    ds = example_result(flow_seeds=1)
    to_zarr(ds, tmp_path / "out.zarr")
    with xr.open_zarr(tmp_path / "out.zarr") as opened:
        xr.testing.assert_identical(opened.load(), ds)
    to_parquet(ds, tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.num_rows == ds.sizes["save"] * int((ds["status"] != ABSENT).sum())


@pytest.mark.parametrize(("name", "module"), [("a.zarr", "zarr"), ("a.parquet", "pyarrow")])
def test_a_command_exports_by_the_ending_of_the_name(
    name: str, module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(module)
    write_sweep(tmp_path / "sweep", without=(1,))
    words = ["sweep", "export", str(tmp_path / "sweep"), str(tmp_path / name), "--no-cache"]
    assert cli.main(words) == 0
    assert (
        capsys.readouterr().out == f"{tmp_path / name} holds the results of {tmp_path / 'sweep'}.\n"
    )
    assert (tmp_path / name).exists()
    assert cli.main([*words, "--json"]) == 2
    assert "which exists" in capsys.readouterr().err


def test_an_ending_that_names_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a name that ends in \.zarr or \.parquet"):
        export(example_result(), tmp_path / "out.csv")


@pytest.mark.parametrize(("write", "module"), [(to_zarr, "zarr"), (to_parquet, "pyarrow")])
def test_what_is_not_installed_is_named_with_its_extra(
    write: object, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    extra = {"pyarrow": "parquet"}.get(module, module)
    with pytest.raises(InputError, match=rf"got no {module}.*pip install 'jaxattn\[{extra}\]'"):
        write(example_result(), tmp_path / "out")


@pytest.mark.parametrize(("write", "module"), [(to_zarr, "zarr"), (to_parquet, "pyarrow")])
def test_a_path_that_is_taken_or_cannot_be_is_refused(
    write: object, module: str, tmp_path: Path
) -> None:
    pytest.importorskip(module)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="exists"):
        write(example_result(), tmp_path / "file")
    with pytest.raises(InputError, match="can be written"):
        write(example_result(), tmp_path / "file" / "out")
    with pytest.raises(InputError, match="without a status"):
        write(xr.Dataset({"a": 1}), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
