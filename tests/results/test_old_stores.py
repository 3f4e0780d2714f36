"""Results that earlier versions wrote still open, and are told and drawn as new ones.

``stores/schema_1.tar.xz`` is of version 0.1.0 before its modules moved: a comparison of soft and
hybrid attention on the orthogonal population with its flow and theory, and a sweep of two
paradigms, two rates and two seeds in chunks of four rows.
"""

import shutil
import tarfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import jaxattn
from jaxattn.analysis.findings import findings
from jaxattn.core.contracts import Status
from jaxattn.experiments import report
from jaxattn.results.dataset import spec_of
from jaxattn.terminal.sweep_tables import status_lines

STORES = Path(__file__).parent / "stores"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(STORES / "schema_1.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


def test_an_old_comparison_opens_with_its_values(old: Path) -> None:
    ds = jaxattn.open(old / "comparison")
    assert ds["dynamics"].values.tolist() == ["train", "flow", "theory"]
    assert (ds["status"].sel(dynamics="train") == Status.DONE).all()
    assert spec_of(ds)["hypers"]["learning_rate"] == [1.0, 2.0]
    mu = ds["mu"].sel(split="train", paradigm="soft", seed=0, learning_rate=1.0).isel(save=-1)
    # The flow was solved to 1e-4 a step.
    np.testing.assert_allclose(mu.sel(dynamics="flow"), mu.sel(dynamics="theory"), rtol=1e-3)


@pytest.mark.parametrize("name", ["comparison", "sweep"])
def test_old_results_are_summarised_judged_and_drawn(name: str, old: Path) -> None:
    ds: xr.Dataset = jaxattn.open(old / name)
    assert set(jaxattn.summary(ds)["paradigm"]) == set(ds["paradigm"].values)
    assert findings(ds)
    for drawing in jaxattn.plots.gallery(ds):
        drawing.draw()
        plt.close("all")


@pytest.mark.slow
def test_an_old_sweep_opens_chunk_by_chunk_and_has_a_report(old: Path) -> None:
    ds = jaxattn.open(old / "sweep")
    assert (ds["status"] == Status.DONE).all()
    assert np.isfinite(ds["objective"].values).all()
    chunks = jaxattn.sweeps.status(old / "sweep")["chunks"]
    assert chunks["whole"] == chunks["all"] > 0
    assert "Findings" in report(old / "sweep").path.read_text()


def test_what_another_version_began_is_not_gone_on_with(old: Path) -> None:
    for go_on in (jaxattn.sweeps.resume, jaxattn.sweeps.final_params):
        with pytest.raises(jaxattn.InputError, match=r"another version .* \(schema 1, here 2\)"):
            go_on(old / "sweep")


def test_the_status_of_what_another_version_began_sends_nobody_here(
    old: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(old / "sweep", tmp_path / "sweep"))
    next((folder / "chunks").iterdir()).unlink()
    *_, last = status_lines(jaxattn.sweeps.status(folder))
    assert last == "Another version of jaxattn began it: go on by that one."


def test_what_is_read_later_is_found_wherever_the_program_has_gone(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(old)
    ds = jaxattn.open("sweep")
    monkeypatch.chdir("/")
    assert np.isfinite(ds["objective"].values).all()
