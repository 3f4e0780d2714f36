"""Experiments by name: what `reproduce` writes, refuses and says, and the command that calls it."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from commands import SCRIPT, run
from example_experiment import MADE_UP
from small_sweeps import tiny

from jaxattn.cli.main import main
from jaxattn.core.contracts import InputError, Status
from jaxattn.engine.cost import layout
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.directory import begin, clear
from jaxattn.experiments import EXPERIMENTS, plan, registry, reproduce
from jaxattn.experiments.fixed_focus.config import FixedFocusImages
from jaxattn.experiments.in_chunks import run_once
from jaxattn.reports.experiment import SCALES
from jaxattn.reports.page import cell
from jaxattn.results.files import content_hash, open_run
from jaxattn.study.parse import parse_spec
from jaxattn.tasks.readers.catalogue import SETS


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "made-up", MADE_UP)


def go(folder, name="made-up", scale="smoke", overwrite=False, seeds=None):
    told = []
    return reproduce(name, scale, folder, overwrite, told.append, seeds), told


def test_a_plan_says_what_the_sweeps_would_cost_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = EXPERIMENTS["trap"].scales["smoke"]
    each = 3 * len(sizes.paradigms) * len(sizes.segments) * len(sizes.learning_rates)
    expected = {str(count): each for count in sizes.classes}
    costs = plan("trap", "smoke", seeds=3)
    assert {name: cost.runs for name, cost in costs.items()} == expected
    words = ["reproduce", "trap", "--scale", "smoke", "--seeds", "3", "--plan", "--no-cache"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {name: cost["runs"] for name, cost in said.items()} == expected
    assert main(words) == 0
    assert capsys.readouterr().out.count(f"{each} runs in") == len(sizes.classes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "scale", "words"),
    [
        ("theory", "smoke", "--plan: got theory, which is made of no sweeps, expected all, "),
        ("sdc", "huge", "scale: got 'huge'"),
        ("sdd", "smoke", "experiment: got 'sdd'"),
    ],
)
def test_what_cannot_be_planned_is_refused(name, scale, words):
    with pytest.raises(InputError, match=words):
        plan(name, scale)


def test_every_experiment_is_listed_under_its_name_with_all_scales():
    for name, one in EXPERIMENTS.items():
        assert name == one.name
        assert tuple(one.scales)[: len(SCALES)] == SCALES
        assert one.summary
        seeds = [getattr(config, "seeds", 1) for config in one.scales.values()]
        # None: what it is made of has its own.
        assert all(count is None or count > 0 for count in seeds)


def test_a_run_leaves_results_figures_and_what_it_ran_on(made_up, tmp_path):
    outcome, told = go(tmp_path / "run")
    found = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*.*")}
    assert found == {
        *("results.nc", "run.json", "report.html"),
        *("figures/empty.png", "figures/empty.svg"),
    }
    assert open_run(tmp_path / "run").equals(outcome.results)
    assert len(told) == 1
    run_json = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run_json["experiment"], run_json["scale"]) == ("made-up", "smoke")
    assert run_json["config"]["seeds"] == 5
    assert run_json["findings"] == outcome.findings
    assert run_json["content_hash"] == content_hash(outcome.results)
    assert (run_json["rows"], run_json["failed"], outcome.failed) == (25, 0, 0)


def test_seeds_are_refused_where_nothing_is_random(tmp_path):
    @dataclass(frozen=True)
    class Exact:
        points: int = 5

    exact = replace(MADE_UP, scales=dict.fromkeys(SCALES, Exact()))
    with pytest.raises(InputError, match="seeds: got 3, but made-up draws nothing at random"):
        go(tmp_path / "run", name=exact, seeds=3)
    assert not (tmp_path / "run").exists()


def test_the_number_of_seeds_can_be_chosen(made_up, tmp_path):
    outcome, _ = go(tmp_path / "run", seeds=2)
    assert outcome.results.sizes["seed"] == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["seeds"] == 2


def test_what_an_interrupted_run_kept_is_readable(made_up, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", scale="paper")
    assert np.all(open_run(tmp_path / "run")["status"] == Status.DONE)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "made-pu"}, "did you mean 'made-up'"),
        ({"scale": "smok"}, "unknown scale: got 'smok', .*did you mean 'smoke'"),
        ({"seeds": 0}, "seeds: got 0, expected at least 1"),
    ],
)
def test_what_cannot_be_run_is_refused_and_nothing_is_written(made_up, tmp_path, asked, message):
    with pytest.raises(InputError, match=message):
        go(tmp_path / "run", **asked)
    assert list(tmp_path.iterdir()) == []


def _without_x64(patch, empty):
    del empty
    patch.setattr("jaxattn.core.precision.x64_is_on", lambda: False)


def _without_data(patch, empty):
    patch.setenv("JAXATTN_DATA", str(empty))


def _without_images_of_the_last_fixed_focus(patch, empty):
    patch.setenv("JAXATTN_DATA", str(empty))
    patch.setitem(SETS, "mnist", SETS["mnist"]._replace(installed=""))
    smoke = EXPERIMENTS["all"].scales["smoke"]
    sizes = replace(smoke, fixed=(*smoke.fixed, FixedFocusImages(images="mnist")))
    late = replace(EXPERIMENTS["all"], scales={"smoke": sizes})
    patch.setitem(registry.EXPERIMENTS, "all", late)


def _without_memory(patch, empty):
    del empty
    patch.setattr(layout, "_budget", lambda _: layout.Budget(1, 1))


def _without_extra(patch, empty):
    del empty
    patch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)


@pytest.fixture
def earlier(tmp_path):
    """A folder with what an earlier run wrote; a file that is removed cannot be read afterwards."""
    folder = tmp_path / "earlier"
    folder.mkdir()
    for name in ("results.nc", "report.html"):
        (folder / name).write_bytes(b"of an earlier run")
    yield folder
    for name in ("results.nc", "report.html"):
        assert (folder / name).read_bytes() == b"of an earlier run"


@pytest.mark.parametrize(
    ("name", "scale", "hinder", "words"),
    [
        *(
            (name, "smoke", _without_x64, "got JAX with x64 off")
            for name in ("theory", "phase", "switch", "schedule", "departures")
        ),
        ("fixed-focus-images", "paper", _without_data, "cifar10"),
        ("all", "paper", _without_data, "cifar10"),
        ("all", "smoke", _without_images_of_the_last_fixed_focus, "mnist: got no data in"),
        ("captions", "smoke", _without_extra, "caption metrics"),
        ("sdc", "smoke", _without_memory, r"layout\.memory: got .*expected at least"),
    ],
)
def test_what_cannot_be_run_is_refused_before_an_earlier_run_makes_room(
    name, scale, hinder, words, earlier, tmp_path, monkeypatch
):
    hinder(monkeypatch, tmp_path)
    for out in (earlier, tmp_path / "new"):
        with pytest.raises(InputError, match=words):
            go(out, name, scale, overwrite=True)
    assert not (tmp_path / "new").exists()


def test_chunks_of_another_sweep_are_refused_before_an_earlier_run_makes_room(earlier):
    there, asked = (choose_layout(parse_spec(tiny(seeds=count))).spec for count in (2, 3))
    one = replace(MADE_UP, sweeps=lambda config: {"tiny": asked})
    for place in ("chunks", "chunks/tiny"):
        chunks = earlier / place
        chunks.mkdir()
        begin(chunks, there)
        with pytest.raises(InputError, match="resume: got another spec"):
            reproduce(one, "smoke", earlier, False, lambda _: None, resume=True)
        clear(chunks)


def test_a_folder_in_use_is_kept_unless_it_may_be_overwritten(made_up, tmp_path):
    go(tmp_path)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(InputError, match="add --overwrite"):
        go(tmp_path, seeds=2)
    assert (tmp_path / "run.json").read_bytes() == before
    go(tmp_path, seeds=2, overwrite=True)
    assert open_run(tmp_path).sizes["seed"] == 2


def test_an_overwritten_run_makes_its_parts_anew(monkeypatch, tmp_path):
    made = []

    def part(to):
        made.append(to)
        return xr.Dataset(attrs={"spec": "same", "schema_version": 1})

    def run_with_a_part(config, to):
        run_once("part", "same", part, to)
        return MADE_UP.run(config, to)

    monkeypatch.setitem(registry.EXPERIMENTS, "made-up", replace(MADE_UP, run=run_with_a_part))
    for overwrite in (False, True):
        go(tmp_path / "run", overwrite=overwrite)
    assert len(made) == 2


@pytest.mark.needs_x64
@pytest.mark.parametrize(("scale", "code"), [("smoke", 0), ("small", 3)])
def test_the_command_says_what_was_found_and_exits_3_where_rows_failed(
    made_up, tmp_path, monkeypatch, capsys, scale, code
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    words = ["reproduce", "made-up", "--scale", scale, "--no-cache"]
    assert main([*words, "--json"]) == code
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"numbers", "findings", "failed"}
    assert said["failed"] == (10 if code else 0)
    assert said["findings"][0].startswith("hard: ")
    assert {line["seeds"] for line in said["numbers"]} == {3 if code else 5}
    assert main([*words, "--overwrite"]) == code
    shown = capsys.readouterr().out
    assert said["findings"][0] in shown
    middle = said["numbers"][0]["gap"]["median"]
    assert f" {cell(middle).text} [" in shown
    assert ("10 runs failed" in shown) == bool(code)
    assert f"results, figures and run.json are in {Path('runs/made-up')}." in shown


@pytest.mark.slow
@pytest.mark.needs_x64
def test_the_smoke_command_of_fixed_focus_trains_draws_and_prints_one_json_object(tmp_path):
    # One seed: what takes time is to compile the three paradigms.
    words = "reproduce fixed-focus --scale smoke --seeds 1 --json --out run"
    code, out, err = run([SCRIPT, *words.split()], tmp_path)
    assert code == 0, err
    said = json.loads(out)
    assert out.count("\n") == 1
    assert {(x["paradigm"], x["alpha"]) for x in said["numbers"]} == {
        (name, alpha) for name in ("soft", "hard", "lvml") for alpha in (0.2, 0.4, 0.6, 0.8, 1.0)
    }
    for line in said["numbers"]:
        assert line["seeds"] == 1
        assert line["loss"]["ceiling"] - 0.01 < line["loss"]["median"] < np.log(5) + 0.2
    assert said["failed"] == 0
    assert (tmp_path / "run/figures/fixed_focus.png").read_bytes().startswith(b"\x89PNG")
    made = (tmp_path / "run/report.html").read_bytes()
    assert made.count(b"<img ") == 1
    code, again, err = run([SCRIPT, "report", "run", "--json"], tmp_path)
    assert code == 0, err
    assert (tmp_path / "run/report.html").read_bytes() == made
    assert json.loads(again)["numbers"] == said["numbers"]
    assert (
        open_run(tmp_path / "run").sizes["save"]
        == EXPERIMENTS["fixed-focus"].scales["smoke"].epochs + 1
    )
