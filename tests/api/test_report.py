"""A result that is there, as a directory: whole, readable, and with nothing lost before."""

import json
from pathlib import Path

import pytest
import xarray as xr
from example_results import end, example_result

import jaxattn
from jaxattn import plots
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError, Status


@pytest.fixture(autouse=True)
def _one_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stands for all: what figures there are is tested where they are made."""
    every = plots.gallery
    monkeypatch.setattr(
        plots, "gallery", lambda *given: [one for one in every(*given) if one.name == "focus"]
    )


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    made = example_result(("soft", "hard"), learning_rates=(0.1,), seeds=3)
    made = end(made, Status.DIVERGED, paradigm="hard", seed=1)
    made_with = {"jax": "0.10.2", "backend": "cpu", "jax_enable_x64": True}
    return made.assign_attrs(made_with=canonical_json(made_with))


@pytest.fixture(scope="module")
def written(ds: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a result in memory."""
    folder = tmp_path_factory.mktemp("of") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "gallery", lambda *given: [])
        return jaxattn.report(ds, folder)


def test_a_result_becomes_a_directory_that_opens_as_the_same_result(ds, written) -> None:
    assert written.read_text().startswith("<!doctype html>")
    opened = jaxattn.open(written.parent)
    xr.testing.assert_identical(opened.drop_attrs(deep=False), ds.drop_attrs(deep=False))
    facts = json.loads((written.parent / "run.json").read_text())
    assert facts == {
        "rows": 6,
        "failed": 1,
        "content_hash": opened.attrs["content_hash"],
        "versions": {"jax": "0.10.2"},
        "x64": True,
        "made_with": {"jax": "0.10.2", "backend": "cpu", "jax_enable_x64": True},
    }
    assert "pip install jax==0.10.2" in written.read_text()


def test_one_that_was_opened_is_written_with_the_same_hash_also_over_itself(
    written: Path, tmp_path: Path
) -> None:
    opened = jaxattn.open(written.parent)
    page = jaxattn.report(opened, tmp_path / "again")
    again = (page.parent / "results.nc").read_bytes()
    assert jaxattn.open(page.parent).attrs["content_hash"] == opened.attrs["content_hash"]
    assert (page.parent / "figures" / "focus.svg").is_file()
    with pytest.raises(InputError, match=r"holds 'figures'.*choose another or add --overwrite"):
        jaxattn.report(opened, page.parent)
    assert jaxattn.report(jaxattn.open(page.parent), str(page.parent), overwrite=True) == page
    assert (page.parent / "results.nc").read_bytes() == again


def test_how_the_file_was_packed_that_a_result_came_from_leaves_no_trace(
    ds: xr.Dataset, written: Path, tmp_path: Path
) -> None:
    packed = ds.copy()
    packed["objective"].encoding = {"zlib": True, "fletcher32": True, "dtype": "float32"}
    page = jaxattn.report(packed, tmp_path)
    bytes_of = [(path.parent / "results.nc").read_bytes() for path in (page, written)]
    assert bytes_of[0] == bytes_of[1]


def test_a_sweeps_result_becomes_one_file_that_is_no_sweep(ds, tmp_path: Path) -> None:
    sweeps = ds.assign_attrs(spec_hash="0123456789abcdef" * 4)
    page = jaxattn.report(sweeps, tmp_path)
    opened = jaxattn.open(page.parent)
    assert "spec_hash" not in opened.attrs
    assert sweeps.attrs["spec_hash"], "the one that was given stays as it was"
    xr.testing.assert_identical(opened.drop_attrs(deep=False), ds.drop_attrs(deep=False))


@pytest.mark.parametrize(
    ("select", "lacking"),
    [
        (lambda ds: ds.sel(paradigm="soft"), "without paradigm,"),
        (lambda ds: ds.isel(seed=0, save=-1), "without seed, save,"),
        (lambda ds: ds.drop_attrs(deep=False), "without its attributes,"),
        (lambda ds: xr.Dataset(), "without paradigm, dynamics, seed, save,"),
    ],
    ids=["one paradigm", "one save", "no attributes", "nothing"],
)
def test_what_is_no_whole_result_is_refused_and_nothing_is_written(ds, select, lacking, tmp_path):
    with pytest.raises(InputError, match=lacking) as caught:
        jaxattn.report(select(ds), tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_a_selection_by_lists_is_a_result(ds, tmp_path: Path) -> None:
    page = jaxattn.report(ds.sel(paradigm=["soft"], seed=[0, 2]), tmp_path)
    assert jaxattn.open(page.parent)["seed"].values.tolist() == [0, 2]


def test_an_argument_that_it_does_not_have_is_named_with_the_nearest(ds, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'overwrite'"):
        jaxattn.report(ds, tmp_path, overwritten=True)
