"""The critical learning rate on the command line: a line a bisection, table, JSON."""

import json

import pandas as pd
import pytest

from jaxattn.cli.main import main

pytestmark = pytest.mark.needs_x64

WORDS = "critical-rate orthogonal-population --segments 4 --classes 3 --seeds 1"
ENDS = "--low 0.05 --high 4 --length 8"


def answered(words: str, capsys, monkeypatch) -> tuple[int, str, str]:
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    code = main([*words.split(), "--no-cache"])
    return code, *capsys.readouterr()


@pytest.fixture
def asked(monkeypatch) -> dict:
    """What the Python door is asked for, which then gives two seeds, one without a bracket."""
    told: dict = {}

    def critical_rate(**given):
        told.update(given)
        lines = {
            "seed": [0, 1],
            "within": [0.5, float("nan")],
            "left": [0.52, float("nan")],
            "share_within": [0.019, float("nan")],
            "share_left": [0.021, float("nan")],
            "own_error": [1e-9, float("nan")],
            "steps": [16.0, float("nan")],
            "status": ["done", "solver_failed"],
        }
        return pd.DataFrame(lines)

    monkeypatch.setattr("jaxattn.api.critical_rate.critical_rate", critical_rate)
    return told


@pytest.mark.slow
def test_it_says_each_bisection_and_prints_one_json_object(capsys, monkeypatch) -> None:
    words = f"{WORDS} {ENDS} --tolerance 0.02 --width 1 --saves 5 --json"
    code, out, err = answered(words, capsys, monkeypatch)
    assert code == 0, err
    said = json.loads(out)
    (line,) = said["rates"]
    assert said["failed"] == 0
    assert said["median"] == {name: line[name] for name in ("within", "left")}
    assert 0.05 <= line["within"] < line["left"] <= 2 * line["within"]
    lines = err.splitlines()
    assert lines[0] == "bisection 0 of 3: between 0.05 and 4"
    assert len(lines) == 4
    assert lines[-1] == f"bisection 3 of 3: between {line['within']:.3g} and {line['left']:.3g}"


def test_flags_reach_the_python_door_and_a_lost_seed_is_shown_and_counted(
    asked, capsys, monkeypatch
) -> None:
    words = f"{WORDS} {ENDS} --tolerance 0.02 --optimiser momentum --hypers momentum=0.5"
    code, out, _ = answered(f"{words} --limit modified --paradigm hard", capsys, monkeypatch)
    assert code == 3
    assert asked.pop("on_bracket")
    named = (asked["limit"], asked["paradigm"], asked["optimiser"])
    assert named == ("modified", "hard", "momentum")
    assert asked["hypers"] == {"momentum": 0.5}
    assert asked["task"].segments == 4
    assert (asked["tolerance"], asked["low"], asked["high"], asked["length"]) == (0.02, 0.05, 4, 8)
    assert not {"segments", "classes", "foreground", "json", "cache"} & set(asked)
    assert "0.52" in out
    assert "solver_failed" in out
    assert "nan" not in out
    assert "median" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--low 4 --high 0.05 --tolerance 0.02", "high: got 0.05, expected a learning rate above"),
        (f"{ENDS} --tolerance 0", "tolerance: got 0"),
        (f"{ENDS} --tolerance 1 --foreground 0 1", "--foreground: orthogonal-population has no"),
        (f"{ENDS} --tolerance 1 --hypers momentum", "--hypers: got 'momentum', expected NAME="),
        (f"{ENDS} --tolerance 1 --hypers temperature=1,2", "hypers: got temperature = (1.0, 2.0)"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(words, said, capsys, monkeypatch) -> None:
    code, out, err = answered(f"{WORDS} {words}", capsys, monkeypatch)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith(f"jaxattn: {said}")
