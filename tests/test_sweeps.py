"""Sweeps from Python: run, resumed, watched, and looked at while runs are missing."""

import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from small_sweeps import contents

import jaxattn
from jaxattn import sweeps
from jaxattn.analysis.best_rates import best_rates
from jaxattn.analysis.findings import findings
from jaxattn.analysis.paired_differences import differences, times
from jaxattn.experiments import report
from jaxattn.results.checksum import chunk_name
from jaxattn.results.dataset import ABSENT, spec_of

TABLES = {
    "task": {
        "name": "orthogonal",
        "segments": 3,
        "classes": 3,
        "train": 12,
        "validation": 0,
        "test": 8,
        "points": 4,
    },
    "settings": {"steps": 8, "saves": [0, 4, 8], "batch_size": "all"},
    "axes": {
        "paradigm": ["soft", "hard"],
        "optimiser": ["sgd"],
        "draw": {
            "random": {
                "learning_rate": {"log": [0.1, 1.0]},
                "temperature": {"range": [0.5, 1.5]},
            },
            "count": 2,
        },
        "seed": {"count": 6},
    },
    "layout": {"tile": 3, "chunk": 3},
    "output": {"measures": ["accuracy", "attention_foreground", "time_to_focus"]},
}
"""Two programs, soft and hard; eight chunks; a static axis of names, and rates that are drawn."""

MISSING = (3, 4)
"""Chunks that were not run yet: half of draw 1 of soft, and half of draw 0 of hard."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweeps") / "whole"
    outcome = sweeps.run(TABLES, str(path))
    assert outcome[:4] == (24, 0, 8, 8)
    return path


@pytest.fixture
def unfinished(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "unfinished"
    shutil.copytree(folder, path)
    for number in MISSING:
        (path / chunk_name(number)).unlink()
    (path / "run.json").unlink()
    return path


def as_absent(folder: Path, unfinished: Path) -> xr.Dataset:
    """The whole sweep, in which what is not run yet was never asked for."""
    whole, part = jaxattn.open(folder).load(), jaxattn.open(unfinished)
    waiting = part["status"] == jaxattn.Status.RUNNING
    assert int(waiting.sum()) == 6
    lead = whole["status"].dims
    for name, values in whole.data_vars.items():
        if name != "status" and lead == values.dims[: len(lead)]:
            whole[name] = values.where(~waiting)
    whole["status"] = whole["status"].where(~waiting, np.int8(ABSENT))
    return whole


# --- the door -------------------------------------------------------------------------------------


def test_a_spec_may_be_a_file_tables_or_an_object(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(
        '[task]\nname = "orthogonal"\n[axes]\nparadigm = ["soft"]\nseed = [3]\n'
    )
    tables = {"task": {"name": "orthogonal"}, "axes": {"paradigm": ["soft"], "seed": [3]}}
    columns = {"paradigm": ("soft",), "seed": (3,)}
    axes = tuple(sweeps.Axis(name, ((name, at),)) for name, at in columns.items())
    spec = sweeps.Spec({"name": "orthogonal"}, axes)
    assert sweeps.as_spec(spec) is spec
    assert sweeps.as_spec(tables) == spec
    assert sweeps.as_spec(str(tmp_path / "spec.toml")) == spec
    with pytest.raises(jaxattn.InputError, match="no_such"):
        sweeps.as_spec(tmp_path / "no_such.toml")


def test_what_is_missing_is_run_and_said_where_it_is_asked_for(
    folder: Path, unfinished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboardX")
    before = sweeps.status(unfinished)
    assert (before["chunks"], before["runs"]["done"]) == ({"all": 8, "whole": 6}, 18)
    outcome = sweeps.resume(str(unfinished), spec=TABLES, progress=True, tensorboard=True)
    assert (outcome.rows, outcome.chunks, outcome.computed) == (24, 8, 2)
    assert contents(unfinished) == contents(folder)
    out, err = capsys.readouterr()
    assert out == ""
    first, second, *rest = err.splitlines()
    assert first == "6 of 8 chunks are finished already."
    assert second == "compiling train soft, optimiser sgd: 0/6 runs, starting"
    assert rest[-1].startswith("train hard, optimiser sgd: 6/6 runs")
    assert len(list((unfinished / "tensorboard").iterdir())) == 1
    events = sweeps.read_log(unfinished)["event"].tolist()
    assert events[-4:] == ["begun", "chunk", "chunk", "finished"]
    assert sweeps.resume(unfinished).computed == 0
    assert capsys.readouterr() == ("", "")


def test_another_spec_is_refused_with_the_difference(folder: Path) -> None:
    other = {**TABLES, "settings": {**TABLES["settings"], "steps": 9, "saves": [0, 9]}}
    with pytest.raises(jaxattn.InputError, match=r"settings\.steps: 8 there, 9 here"):
        sweeps.resume(folder, spec=other)


# --- results --------------------------------------------------------------------------------------


def test_runs_not_run_yet_count_as_little_as_those_never_asked_for(
    folder: Path, unfinished: Path
) -> None:
    part, absent = jaxattn.open(unfinished), as_absent(folder, unfinished)
    pd.testing.assert_frame_equal(jaxattn.summary(part), jaxattn.summary(absent))
    pd.testing.assert_frame_equal(differences(part), differences(absent))
    pd.testing.assert_frame_equal(times(part), times(absent))
    counted = jaxattn.summary(part).groupby(["paradigm", "draw"])["seeds"].max()
    assert counted.to_dict() == {
        ("soft", 0): 6,
        ("soft", 1): 3,
        ("hard", 0): 3,
        ("hard", 1): 6,
    }
    said, told = findings(part), findings(absent)
    assert said[:-1] == told
    assert said[-1].text == "6 of 24 training runs were not run yet and are left out."


def test_names_and_drawn_rates_stand_in_tables_and_settings(folder: Path) -> None:
    ds = jaxattn.open(folder)
    table = differences(ds)
    rates = ds["learning_rate"].values
    assert table["optimiser"].unique().tolist() == ["sgd"]
    for draw, lines in table.groupby("draw"):
        assert set(lines["learning_rate_a"]) == set(lines["learning_rate_b"]) == {rates[draw]}
    settings = {one.setting for one in findings(ds) if one.setting}
    assert settings == {
        f"learning rate {rate:g}, optimiser sgd, draw {draw}" for draw, rate in enumerate(rates)
    }
    with pytest.raises(jaxattn.InputError, match="rates that move together"):
        best_rates(ds)


def test_a_sweep_is_spoken_of_in_the_words_of_a_comparison(folder: Path) -> None:
    spec = spec_of(jaxattn.open(folder))
    assert (spec["task"], spec["steps"], spec["paradigms"]) == ("orthogonal", 8, ["soft", "hard"])
    assert spec["axes"]["optimiser"] == ["sgd"]
    assert list(spec["axes"]) == ["optimiser", "learning_rate", "temperature"]
    assert spec["seeds"] == [0, 1, 2, 3, 4, 5]


def test_every_figure_of_an_unfinished_sweep_can_be_drawn(unfinished: Path) -> None:
    ds = jaxattn.open(unfinished)
    drawings = jaxattn.plots.gallery(ds)
    assert {"overview", "focus", "accuracy", "distribution_accuracy"} <= {d.name for d in drawings}
    for drawing in drawings:
        drawing.draw().canvas.draw()
    ax = jaxattn.plots.focus(ds.isel(draw=[1]))
    title = ax.get_title(loc="left").replace("\n", " ")
    assert "optimiser sgd, draw 1" in title
    assert f"learning rate {ds['learning_rate'].values[1]:g}" in title
    assert "left out 3 of 12 runs: 3 not run yet" in title
    plt.close("all")


@pytest.mark.slow
def test_an_unfinished_sweep_has_a_report(unfinished: Path) -> None:
    page = report(unfinished).path.read_text()
    assert "6 of 24 training runs were not run yet" in page
    assert "18 of 24" in page
