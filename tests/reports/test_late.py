"""Whatever fails after the results: they are whole, one line says it, and the rest is done."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from example_experiment import MADE_UP
from example_results import example_result
from helpers import slow_but, study_of
from matplotlib.figure import Figure

from jaxattn import plots
from jaxattn.cli.main import INTERRUPTED, UNFINISHED, main
from jaxattn.core.errors import LateError
from jaxattn.experiments import registry, reproduce
from jaxattn.experiments.theory import command as theory
from jaxattn.plots import Drawing
from jaxattn.reports import compare_into as comparing
from jaxattn.reports import comparison, experiment_report
from jaxattn.reports.compare_into import compare_into
from jaxattn.reports.late import after_results
from jaxattn.results.files import open_run

pytestmark = pytest.mark.needs_x64

DISK = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "figures/a.png")
FAILURES = {
    "text that is no formula": ValueError("\\foo\n^\nParseFatalException \x1b[2J"),
    "a full disk": DISK,
    "no backend": ImportError("No module named 'absent'"),
    "no TeX": RuntimeError("Failed to process string with tex"),
    "no memory": MemoryError(),
}
# What the system, or Python, might have a meaning for on the way: any other ends as these do.
each_kind = pytest.mark.parametrize(
    "failure", slow_but(["a full disk"], ["a full disk", "no backend"])
)


def _raising(error: BaseException) -> Any:
    def fails(*given: Any, **named: Any) -> Any:
        raise error

    return fails


@pytest.fixture
def done(monkeypatch) -> xr.Dataset:
    """What every comparison gives here, at once."""
    ds = example_result(paradigms=("soft",), learning_rates=(0.1,), seeds=2)
    monkeypatch.setattr(comparing, "run", lambda study, **_: ds)
    return ds


def _gallery(*drawings: Drawing) -> Any:
    return lambda ds, solved=None, table=None: list(drawings)


def _compare(folder: Path) -> xr.Dataset:
    study = study_of("orthogonal-population", paradigms=("soft",), seeds=(0,), steps=1)
    return compare_into(folder, study, False, lambda progress: None)


GOOD = Drawing("good", "Good", "Something is drawn.", Figure)


@pytest.mark.parametrize("failure", slow_but(["a full disk", "text that is no formula"], FAILURES))
def test_a_figure_that_fails_loses_neither_the_results_nor_the_others(
    failure, done, tmp_path, monkeypatch
) -> None:
    error = FAILURES[failure]
    bad = Drawing("bad", "Bad", "Nothing is drawn.", _raising(error))
    monkeypatch.setattr(plots, "gallery", _gallery(bad, GOOD))
    with pytest.raises(LateError, match=f"^figure bad: got {type(error).__name__} ") as caught:
        _compare(tmp_path)
    said = str(caught.value)
    assert said.isprintable()
    assert caught.value.__cause__ is error
    xr.testing.assert_equal(caught.value.done, done)
    xr.testing.assert_equal(open_run(tmp_path), done)
    assert (tmp_path / "run.json").is_file()
    assert (tmp_path / "figures" / "good.png").is_file()
    page = (tmp_path / "report.html").read_text()
    assert "figure bad: got" in page
    assert "Something is drawn." in page


def test_several_that_fail_are_one_line(done, tmp_path, monkeypatch) -> None:
    bad = [Drawing(name, "Bad", "Nothing.", _raising(ValueError("no"))) for name in "abc"]
    monkeypatch.setattr(plots, "gallery", _gallery(*bad))
    with pytest.raises(LateError, match=r"^figure a: got ValueError \(no\).* 2 more failed"):
        _compare(tmp_path)


@each_kind
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (comparison, "render"),
        (comparison, "findings"),
        (comparison, "write_bytes"),
        (comparing, "environment"),
        (plots, "gallery"),
    ],
    ids=["template", "findings", "page", "facts", "gallery"],
)
def test_what_follows_the_results_cannot_lose_them(
    module, name, failure, done, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(plots, "gallery", _gallery())
    monkeypatch.setattr(module, name, _raising(FAILURES[failure]))
    with pytest.raises(
        LateError, match=r"the results in .* are whole; mend that, then run jaxattn"
    ):
        _compare(tmp_path)
    xr.testing.assert_equal(open_run(tmp_path), done)


def test_ctrl_c_in_a_figure_leaves_the_results_whole(done, tmp_path, monkeypatch) -> None:
    late = Drawing("late", "Late", "Nothing.", _raising(KeyboardInterrupt()))
    monkeypatch.setattr(plots, "gallery", _gallery(late, GOOD))
    with pytest.raises(KeyboardInterrupt):
        _compare(tmp_path)
    xr.testing.assert_equal(open_run(tmp_path), done)


# --- as commands


def _command(*words: object) -> int:
    return main([*map(str, words), "--json", "--no-cache"])


@each_kind
def test_a_comparison_says_its_answer_then_what_failed_and_exits_3(
    failure, done, tmp_path, capsys, monkeypatch
) -> None:
    error = FAILURES[failure]
    bad = Drawing("bad", "Bad", "Nothing is drawn.", _raising(error))
    monkeypatch.setattr(plots, "gallery", _gallery(bad, GOOD))
    code = _command("compare", "orthogonal-population", "--steps", 1, "--out", tmp_path)
    said = capsys.readouterr()
    assert code == UNFINISHED == 3
    assert json.loads(said.out)["failed"] == 0
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"jaxattn: figure bad: got {type(error).__name__} (")
    # What mends it: the same page from the same results.
    monkeypatch.setattr(plots, "gallery", _gallery(GOOD))
    assert _command("report", tmp_path) == 0
    assert "figure bad" not in (tmp_path / "report.html").read_text()
    monkeypatch.setattr(plots, "gallery", _gallery(bad))
    assert _command("report", tmp_path) == UNFINISHED


def test_ctrl_c_in_a_figure_is_an_interrupted_command(done, tmp_path, monkeypatch) -> None:
    late = Drawing("late", "Late", "Nothing.", _raising(KeyboardInterrupt()))
    monkeypatch.setattr(plots, "gallery", _gallery(late))
    code = _command("compare", "orthogonal-population", "--steps", 1, "--out", tmp_path)
    assert code == INTERRUPTED
    xr.testing.assert_equal(open_run(tmp_path), done)


@pytest.mark.parametrize(
    "name", slow_but(["figures", "numbers"], ["figures", "numbers", "findings", "page"])
)
def test_an_experiment_whose_report_fails_has_its_results(name, tmp_path, capsys, monkeypatch):
    bad = Drawing("bad", "Bad", "Nothing is drawn.", _raising(ValueError("no")))
    failing = {
        "figures": {"figures": lambda ds: [bad, GOOD]},
        "numbers": {"numbers": _raising(ValueError("no"))},
        "findings": {"findings": _raising(ValueError("no"))},
        "page": {},
    }
    if name == "page":
        monkeypatch.setattr(experiment_report, "render", _raising(DISK))
    experiment = replace(MADE_UP, **failing[name])
    monkeypatch.setitem(registry.EXPERIMENTS, "made-up", experiment)
    with pytest.raises(LateError, match=r"the results in .* are whole"):
        reproduce("made-up", "smoke", tmp_path / "python", False, lambda progress: None)
    assert open_run(tmp_path / "python").attrs["experiment"] == "made-up"
    code = _command("reproduce", "made-up", "--scale", "smoke", "--out", tmp_path / "command")
    said = capsys.readouterr()
    assert code == UNFINISHED
    complaints = [line for line in said.err.splitlines() if line.startswith("jaxattn:")]
    assert len(complaints) == 1
    if name in ("figures", "page"):
        assert json.loads(said.out)["numbers"]


@pytest.mark.slow
def test_paths_of_theory_are_written_and_said_whatever_becomes_of_their_figure(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(theory, "panels", _raising(DISK))
    code = _command("theory", "--points", 3, "--method", "closed-form", "--out", tmp_path)
    said = capsys.readouterr()
    assert code == UNFINISHED
    assert json.loads(said.out) == json.loads((tmp_path / "theory.json").read_text())
    assert said.err.startswith("jaxattn: figure theory: got OSError ([Errno 28] No space left")


@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_fails_after_the_results_is_late(failure, tmp_path) -> None:
    error, done = FAILURES[failure], object()
    with (
        pytest.raises(
            LateError, match=f"^report: got {type(error).__name__} .* are whole;"
        ) as caught,
        after_results("report", tmp_path, done),
    ):
        raise error
    assert str(caught.value).isprintable()
    assert caught.value.__cause__ is error
    assert caught.value.done is done


def test_what_is_no_failure_of_what_is_drawn_is_raised_as_it_is(tmp_path) -> None:
    for error in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(error), after_results("figure", tmp_path):
            raise error
