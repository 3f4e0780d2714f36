"""Runs that fail: counted, named, and without a trace in the runs beside them."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_sweeps import Answer, sweep, with_cache

import jaxattn
from jaxattn.core.contracts import Status

SETTINGS, SEEDS = 1000, 10
BAD = range(7, SETTINGS, 100)
"""One of a hundred settings, ten runs each, has a learning rate at which every run diverges."""


def text(*, clean: bool) -> str:
    """Two columns that move together; a clean sweep differs in the bad settings' rates alone."""
    rates = np.linspace(0.1, 0.5, SETTINGS)
    rates[list(BAD)] = 0.3 if clean else 1e25
    # Apart by the other column, as a point may not be there twice.
    focus = np.linspace(0.5, 2.0, SETTINGS)
    return f"""
        [task]
        name = "orthogonal"
        segments = 3
        classes = 3
        train = 8
        validation = 0
        test = 4
        points = 4
        [model]
        name = "linear"
        start = "normal"
        [settings]
        steps = 4
        saves = [0, 1, 2, 3, 4]
        batch_size = 1
        [axes]
        paradigm = ["soft"]
        point = {{ zip = {{ learning_rate = {rates.tolist()}, focus_rate = {focus.tolist()} }} }}
        seed = {{ count = {SEEDS} }}
        [layout]
        tile = 256
        chunk = 2048
        [output]
        measures = ["accuracy"]
    """


def ran(folder: Path, name: str, environment: dict[str, str], *, clean: bool) -> Answer:
    (folder / f"{name}.toml").write_text(text(clean=clean))
    words = ("run", f"{name}.toml", "--out", name, "--json")
    return sweep(*words, cwd=folder, environment=environment)


@pytest.mark.default_xla
@pytest.mark.slow
def test_a_hundred_bad_runs_of_ten_thousand_change_no_bit_of_the_others(tmp_path: Path) -> None:
    environment = with_cache(tmp_path / "compiled")
    clean = ran(tmp_path, "clean", environment, clean=True)
    assert clean.code == 0, clean.err
    bad = ran(tmp_path, "bad", environment, clean=False)
    assert bad.code == 3, bad.err
    count = len(BAD) * SEEDS
    told = json.loads(bad.out)
    assert (told["rows"], told["failed"], told["chunks"]) == (SETTINGS * SEEDS, count, 5)
    written = json.loads((tmp_path / "bad" / "run.json").read_text())
    assert (written["rows"], written["failed"]) == (SETTINGS * SEEDS, count)
    status = sweep("status", "bad", "--json", cwd=tmp_path)
    assert json.loads(status.out)["runs"] == {
        **dict.fromkeys(json.loads(status.out)["runs"], 0),
        **{"all": SETTINGS * SEEDS, "done": SETTINGS * SEEDS, "diverged": count},
    }
    assert f"{count} runs diverged." in sweep("status", "bad", cwd=tmp_path).out
    # Gone on with, there is nothing to do and it is still said.
    again = sweep("resume", "bad", cwd=tmp_path, environment=environment)
    assert again.code == 3
    assert f"{count} failed" in again.out

    one, other = (jaxattn.open(tmp_path / name).load().squeeze() for name in ("clean", "bad"))
    failed = np.isin(np.arange(SETTINGS), BAD)
    assert (other["status"] == Status.DIVERGED).transpose("point", "seed").values[failed].all()
    assert (one["status"] == Status.DONE).all()
    for name, variable in one.data_vars.items():
        good = variable.isel(point=~failed)
        np.testing.assert_array_equal(
            np.ascontiguousarray(good).view(np.uint8),
            np.ascontiguousarray(other[name].isel(point=~failed)).view(np.uint8),
            err_msg=str(name),
        )
