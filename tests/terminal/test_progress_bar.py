"""Progress on standard error: what a person is told while runs go on, and when."""

import re
from types import SimpleNamespace

import pytest
import rich.console
import rich.live

from jaxattn.core.contracts import Status
from jaxattn.run.compare import Progress
from jaxattn.run.failures import Failed
from jaxattn.terminal import progress_bar
from jaxattn.terminal.progress_bar import Reporter


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds on the only clock that a `Reporter` reads."""
    now = [100.0]
    monkeypatch.setattr(progress_bar, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def at(done: int, total: int = 16, failed: int = 0, paradigm: str = "soft") -> Progress:
    return Progress(paradigm, "train", done, total, failed)


def test_progress_lines_tell_runs_per_second_and_the_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 4
        reporter.on_progress(at(4))
        clock[0] += 4
        reporter.on_progress(at(16))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "train soft: 4/16 runs, 1.0 runs/s, 12 s left",
        "train soft: 16/16 runs, 2.0 runs/s, 0 s left",
    ]


def test_nothing_is_foretold_before_half_a_second(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 0.1
        reporter.on_progress(at(1))
    assert capsys.readouterr().err == "train soft: 1/16 runs, starting\n"


def test_there_is_a_line_at_most_every_two_seconds_and_always_a_last_one(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        for done in range(1, 17):
            clock[0] += 0.6
            reporter.on_progress(at(done))
    told = re.findall(r"(\d+)/16", capsys.readouterr().err)
    assert told == ["1", "5", "9", "13", "16"]


def test_failed_runs_are_counted_while_it_goes_on(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 1
        reporter.on_progress(at(4, failed=3))
    assert ": 4/16 runs, 3 failed, 4.0 runs/s" in capsys.readouterr().err


@pytest.mark.parametrize("total", [8, 16], ids=["of another size", "of the same size"])
def test_a_second_comparison_is_timed_from_the_end_of_the_first(
    total: int, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 100
        reporter.on_progress(at(16))
        clock[0] += 2
        reporter.on_progress(at(4, total))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"train soft: 4/{total} runs, 2.0 runs/s, {(total - 4) / 2:.0f} s left")


def test_a_part_of_the_same_size_that_ends_in_one_chunk_is_timed_by_itself(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 100
        reporter.on_progress(at(1, 1))
        clock[0] += 2
        reporter.on_progress(at(1, 1, paradigm="hard"))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "train hard: 1/1 runs, 0.5 runs/s, 0 s left"


def test_a_part_without_paradigm_that_has_only_begun_is_told_of_too(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 3
        reporter.on_progress(Progress("", "theory", 0, 9, 0))
        clock[0] += 3
        reporter.on_progress(Progress("", "theory", 9, 9, 0))
    assert capsys.readouterr().err.splitlines() == [
        "theory: 0/9 runs, starting",
        "theory: 9/9 runs, 1.5 runs/s, 0 s left",
    ]


def test_a_terminal_shows_a_live_bar_instead_of_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Reporter() as reporter:
        assert reporter.console.is_terminal
        reporter.on_progress(at(8, failed=2, paradigm="lvml"))
    out, err = capsys.readouterr()
    assert out == ""
    assert "train lvml" in err
    assert "8/16 runs, 2 failed" in err
    assert " left" not in err


def test_the_live_bar_of_another_part_of_the_same_size_starts_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Reporter() as reporter:
        reporter.on_progress(at(16))
        (task,) = reporter._bar.tasks
        assert task.finished
        reporter.on_progress(at(4, paradigm=""))
        assert (task.completed, task.finished) == (4, False)
    assert "train" in capsys.readouterr().err


def test_a_narrow_terminal_shortens_what_runs_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with Reporter() as reporter:
        clock[0] += 30
        setting = "segments 10, optimiser adam"
        reporter.on_progress(Progress("soft", "train", 300, 1200, 12, setting=setting))
    shown = capsys.readouterr().err
    assert re.search(r"train soft.*300/1200 runs, 12 failed 10\.0 runs/s \S+ 0:01:30", shown)


@pytest.mark.parametrize(("done", "left"), [(400, "12 s"), (100, "60 s"), (25, "0:04:12")])
def test_the_time_left_is_in_seconds_or_on_a_clock(
    done: int, left: str, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        clock[0] += 4
        reporter.on_progress(at(done, 1600))
    assert f"{left} left" in capsys.readouterr().err


def test_what_is_compiled_is_said_before_it_takes_its_time(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        reporter.on_progress(at(0)._replace(compiling=True, setting="segments 5"))
        clock[0] += 4
        reporter.on_progress(at(8))
        reporter.on_progress(at(8, paradigm="hard")._replace(compiling=True))
    assert capsys.readouterr().err.splitlines() == [
        "compiling train soft, segments 5: 0/16 runs, starting",
        "train soft: 8/16 runs, 2.0 runs/s, 4 s left",
        "compiling train hard: 8/16 runs, 2.0 runs/s, 4 s left",
    ]


def test_what_is_foretold_is_said_before_anything_is_back_and_then_the_pace_is(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        reporter.on_progress(at(0)._replace(compiling=True))
        reporter.on_progress(at(0)._replace(seconds=40.4))
        clock[0] += 8
        reporter.on_progress(at(8))
        reporter.on_progress(at(0, 18)._replace(seconds=600.0, seconds_of="training"))
    assert capsys.readouterr().err.splitlines() == [
        "compiling train soft: 0/16 runs, starting",
        "train soft: 0/16 runs, about 40 s for all",
        "train soft: 8/16 runs, 1.0 runs/s, 8 s left",
        "train soft: 0/18 runs, about 0:10:00 for training",
    ]


@pytest.mark.parametrize("seconds", [None, 0.5])
def test_what_is_over_before_anyone_reads_it_or_is_unknown_is_not_foretold(
    seconds: float | None, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter() as reporter:
        reporter.on_progress(at(0)._replace(compiling=True))
        reporter.on_progress(at(0)._replace(seconds=seconds))
    assert capsys.readouterr().err == "compiling train soft: 0/16 runs, starting\n"


def test_a_bar_has_what_is_foretold_and_warnings_stand_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with Reporter() as reporter:
        reporter.on_progress(at(0)._replace(seconds=40.0))
        reporter.on_failed(Failed("[red]", "train", {}, 8, {Status.DIVERGED: 8}, 11, 12))
    out, err = capsys.readouterr()
    assert out == ""
    assert "0/16 runs about 40 s for all" in err
    assert "warning: 8 of 8 rows of '[red]' diverged, first at step 12." in err


@pytest.mark.parametrize("widgets", [True, False])
def test_a_notebook_has_a_bar_where_it_can_show_one_and_lines_elsewhere(
    widgets: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[bool] = []
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(rich.live.Live, "refresh", lambda self: drawn.append(True))
    found = object() if widgets else None
    monkeypatch.setattr(progress_bar, "find_spec", lambda name: found)
    with Reporter() as reporter:
        reporter.on_progress(at(16))
    assert bool(drawn) is widgets
    assert bool(capsys.readouterr().err) is not widgets
