"""The trap of the class that is left: what is trained, counted, said of it, drawn, and kept."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from experiment_runs import assert_labelled_and_kept, smoke
from helpers import compiled_quickly

from jaxattn.core.contracts import InputError, Status
from jaxattn.experiments.mosaics import sweep_of
from jaxattn.experiments.trap.experiment import TRAP, Traps, run
from jaxattn.experiments.trap.figures import share_of_seeds
from jaxattn.experiments.trap.findings import (
    _against_soft,
    _counted,
    _how_often,
    _verdicts,
    _what_is_left,
    findings,
    most_apart,
    numbers,
)
from jaxattn.experiments.trap.statistic import left_over, trap_of
from jaxattn.reports.experiment import Listeners
from jaxattn.run.stopwatch import Stopwatch

TINY = replace(
    TRAP.scales["smoke"], segments=(2, 3), learning_rates=(0.05, 0.2), train=64, test=64,
    validation=32, evaluate=32, batch_size=32, steps=4, saves=2, seeds=2,
)  # fmt: skip
AXES = ("paradigm", "classes", "segments", "learning_rate", "seed")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, kept = tmp_path_factory.mktemp("trap") / "chunks", []
    with compiled_quickly():
        ds = run(TINY, Listeners(lambda _: None, kept.append, Stopwatch(), folder))
    return ds, kept, folder


def ends_of(**trap_by_paradigm):
    """What `trap_of` gives of seeds of these traps, at one setting, in class 1 of two."""
    trap = np.array(list(trap_by_paradigm.values()), float)[:, None, None, None]
    coords = {"paradigm": list(trap_by_paradigm), "classes": [2], "segments": [5]}
    coords |= {"learning_rate": [0.1], "seed": np.arange(trap.shape[-1])}
    every = {"trap": trap, "left": np.where(np.isnan(trap), np.nan, 1.0)}
    every |= {"others": 0 * trap + 0.9, "FTPT": 100 - 50 * trap, "FFPT": 50 * trap}
    return xr.Dataset({name: (AXES, of) for name, of in every.items()}, coords)


def test_each_number_of_classes_is_a_sweep_of_the_first_classes():
    assert replace(TINY, classes=(2, 4)).foregrounds == {2: (0, 1), 4: (0, 1, 2, 3)}
    spec = sweep_of(replace(TINY, foreground=(1, 3)), ["accuracy"])
    assert list(spec.task["foreground"]) == [1, 3]
    assert "foreground" not in sweep_of(TINY, ["accuracy"]).task
    for sizes in TRAP.scales.values():
        assert isinstance(sizes, Traps)
        assert min(sizes.classes) >= 2


@pytest.mark.slow
def test_all_is_kept_and_goes_on_where_it_was(ran, tmp_path):
    ds, kept, folder = ran
    assert ds["classes"].values.tolist() == [2, 3]
    assert [part.sizes["classes"] for part in kept] == [1, 2]
    assert kept[-1].equals(ds)
    assert_labelled_and_kept(ds, tmp_path)
    paths = sorted(folder.rglob("chunks/*.nc"))
    before = {path: path.stat().st_mtime_ns for path in paths[1:]}
    paths[0].unlink()
    with compiled_quickly():
        again = run(TINY, Listeners(lambda _: None, lambda _: None, Stopwatch(), folder))
    assert again.equals(ds)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_a_line_is_of_one_rule_and_classes_that_are_there(ran):
    ds, _, _ = ran
    lines = numbers(ds)
    assert len(lines) == 2**4
    for line in lines:
        at = {name: line[name] for name in ("classes", "segments", "learning_rate", "paradigm")}
        rule = str(ds["natural_inference"].sel(paradigm=line["paradigm"]).values)
        rows = ds.sel(**at, inference=rule, dynamics="train", split="test").isel(save=-1)
        cells = rows["error_cell_by_class"].transpose("seed", "class", "cell").values
        assert np.isfinite(cells).all(axis=(0, 2)).sum() == line["classes"]
        far = left_over(cells[:, : line["classes"]])[0]
        assert line["seeds"] == 2
        assert line["trap"]["mean"] == pytest.approx(far.mean(), abs=1e-12)
        assert line["trapped"]["seeds"] == (far > 0.5).sum()
        assert line["FTPT"]["median"] == float(rows["error_cell"].sel(cell="FTPT").median())
    of_soft = [line["trap"]["mean"] for line in lines if line["paradigm"] == "soft"]
    for soft, line in zip(of_soft, [x for x in lines if x["paradigm"] == "hard"], strict=True):
        difference = line["against_soft"]["difference"]
        assert difference == pytest.approx(line["trap"]["mean"] - soft, abs=1e-12)
    # The first of equal ones, as where soft attention itself is trapped furthest everywhere.
    most = max(lines, key=lambda line: (line["against_soft"] or {"difference": 0.0})["difference"])
    assert most_apart(ds) == (most["classes"], most["segments"], most["learning_rate"])


@pytest.mark.slow
def test_rows_that_did_not_finish_are_left_out(ran):
    ds, _, _ = ran
    gone = ds.copy(deep=True)
    gone["status"].loc[{"paradigm": "hard", "seed": 1}] = Status.DIVERGED
    for line in numbers(gone):
        assert line["seeds"] == (1 if line["paradigm"] == "hard" else 2)
    gone["status"][:] = Status.DIVERGED
    assert np.isnan(trap_of(gone)["trap"]).all()
    assert {line["seeds"] for line in numbers(gone)} == {0}
    assert not any("that are trapped" in sentence for sentence in findings(gone))


@pytest.mark.slow
def test_a_panel_for_each_number_of_classes_and_rate(ran):
    ds, _, _ = ran
    depth, share, by_class = (drawing.draw() for drawing in TRAP.figures(ds))
    titles = [ax.get_title(loc="left") for ax in share.axes]
    expected = [f"{count} classes, rate {rate:g}" for rate in (0.05, 0.2) for count in (2, 3)]
    assert titles == expected == [ax.get_title(loc="left") for ax in depth.axes]
    lines = {
        (x["paradigm"], x["segments"]): x["trapped"]["seeds"]
        for x in numbers(ds)
        if (x["classes"], x["learning_rate"]) == (3, 0.2)
    }
    drawn = [100 * lines[name, length] / 2 for name in ("soft", "hard") for length in (2, 3)]
    shares = [container.lines[0].get_ydata().item() for container in share.axes[-1].containers]
    assert shares == drawn
    assert len(by_class.axes) == 2
    with pytest.raises(InputError, match="expected one of jaxattn reproduce trap"):
        share_of_seeds(ds.drop_vars("classes"))


def test_seeds_past_a_half_are_trapped():
    counted = _counted(ends_of(soft=[0.4, 0.6, 0.9, np.nan]).sel(paradigm="soft"))
    assert counted["seeds"] == 3
    assert (counted["trapped"]["seeds"], counted["trapped"]["class"]) == (2, 1)
    assert counted["trapped"]["without_others"] == 0
    assert counted["trap"]["mean"] == pytest.approx(1.9 / 3)
    none = _counted(ends_of(soft=[0.4, 0.1]).sel(paradigm="soft"))
    assert (none["trapped"]["seeds"], none["trapped"]["class"]) == (0, None)


def test_a_difference_to_soft_is_told_where_all_seeds_show_it():
    soft = np.linspace(0.1, 0.2, 8)
    ends = ends_of(soft=soft, hard=soft + 0.5, hybrid=soft, lvml=soft + 0.3 * (-1) ** np.arange(8))
    found = _against_soft(ends, 1e-12)
    by_name = {at[-1]: line for at, line in found.items()}
    assert {at[:-1] for at in found} == {(2, 5, 0.1)}
    verdicts = {name: line["verdict"] for name, line in by_name.items()}
    assert verdicts == {"hard": "differs", "hybrid": "equal", "lvml": "undecided"}
    assert by_name["hard"]["difference"] == pytest.approx(0.5)
    assert by_name["lvml"]["low"] < 0 < by_name["lvml"]["high"]
    at = {"classes": 2, "segments": 5, "learning_rate": 0.1, "seeds": 8}
    lines = [at | {"against_soft": by_name[name]} for name in ("hard", "lvml")]
    said = _verdicts("it", lines)
    assert said.startswith("How far it is trapped against soft, 8 seeds. Further at 2 classes, ")
    assert "rate 0.1 (0.5 [0.5, 0.5]). Undecided at 2 classes, mosaics of 5, rate 0.1." in said
    away = {**by_name["hard"], "difference": -0.5, "low": -0.6, "high": -0.4}
    assert "Less far at 2 classes" in _verdicts("it", [at | {"against_soft": away}])


def test_what_is_said_names_shares_classes_and_what_a_whole_class_would_leave():
    ends = ends_of(hard=[1.0, 1.0, 1.0, 0.2])
    (left,) = _what_is_left(ends)
    assert left.startswith("2 classes: 3 of 4 runs are trapped, in class 1 in 3; ")
    assert "median is FTPT 50 % and FFPT 50 % (a whole class left: 50 % and 50 %)" in left
    setting = {"classes": 2, "segments": 5, "learning_rate": 0.1, "paradigm": "hard"}
    (often,) = _how_often([setting | _counted(ends.sel(paradigm="hard"))])
    # Of 3 in 4: 0.19412 and 0.99369 in tables of Clopper and Pearson's limits.
    assert often == (
        "2 classes, mosaics of 5, rate 0.1: seeds that are trapped: hard 3 of 4 (19 to 99 %)."
    )
    (none,) = _what_is_left(ends_of(hard=[0.2, 0.1]))
    assert none == "2 classes: no run is trapped."


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_smoke_command_says_and_draws_all(tmp_path):
    said = smoke("trap", tmp_path, ("depth", "share_of_seeds", "by_class"))
    assert {line["classes"] for line in said["numbers"]} == {2, 3}
