"""A comparison written to a directory: what is finished is there, whatever comes in between."""

from pathlib import Path

import pytest
import xarray as xr
from example_results import example_result
from helpers import study_of

from jaxattn.reports import compare_into as comparing
from jaxattn.reports.compare_into import compare_into
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
