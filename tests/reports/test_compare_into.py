"""A comparison written to a directory: what is finished is there, whatever comes in between."""

from pathlib import Path

import pytest
import xarray as xr
from example_results import example_result
from helpers import study_of

from jaxattn import plots
from jaxattn.reports import compare_into as comparing
from jaxattn.reports.compare_into import companion, compare_into
from jaxattn.results.files import open_run, write_results

pytestmark = pytest.mark.needs_x64


def test_ctrl_c_while_the_last_results_are_written_does_not_lose_them(tmp_path, monkeypatch):
    done, calls = example_result(paradigms=("soft",), learning_rates=(0.1,), seeds=2), []

    def interrupted_once(ds: xr.Dataset, folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 1:
            raise KeyboardInterrupt
        write_results(ds, folder)

    monkeypatch.setattr(comparing, "run", lambda study, **_: done)
    monkeypatch.setattr(comparing, "write_results", interrupted_once)
    study = study_of("orthogonal-population", paradigms=("soft",), seeds=(0,), steps=1)
    with pytest.raises(KeyboardInterrupt):
        compare_into(tmp_path / "run", study, False, lambda progress: None)
    found = open_run(tmp_path / "run")
    xr.testing.assert_equal(found, done)
    assert not (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(("figures", "runs"), [("none", 1), ("overview", 1), ("all", 2)])
def test_the_solvable_setting_is_run_where_all_figures_are_drawn(
    figures, runs, tmp_path, monkeypatch
):
    done, calls = example_result(paradigms=("soft",), learning_rates=(0.1,), seeds=1), []
    done = done.assign_attrs(data_card="40 posts; 2 <b>empty</b>")

    def run(study, **_):
        calls.append(study)
        return done

    monkeypatch.setattr(comparing, "run", run)
    monkeypatch.setattr(plots, "gallery", lambda *_: [])
    study = study_of("digits", paradigms=("soft",), seeds=(0,), steps=1)
    compare_into(tmp_path / "run", study, False, figures=figures)
    assert len(calls) == runs
    page = (tmp_path / "run" / "report.html").read_text()
    assert "40 posts; 2 &lt;b&gt;empty" in page


@pytest.mark.parametrize(
    ("flow_seeds", "dynamics"), [(0, ("train",)), (1, ("train", "flow")), (2, ("train", "flow"))]
)
def test_the_solvable_setting_has_a_flow_where_the_study_has_one(flow_seeds, dynamics):
    study = study_of("digits", paradigms=("soft",), seeds=(0, 1), steps=1, flow_seeds=flow_seeds)
    solvable = companion(study)
    assert solvable is not None
    assert solvable.dynamics == dynamics
    assert solvable.seeds == (0,)
