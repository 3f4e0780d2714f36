"""The command line as a person meets it: exit codes, what is said where, and what is written."""

import json
import re
import shlex
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from commands import ENVIRONMENT, SCRIPT, Answer, once, run, run_many

import jaxattn
from jaxattn.cli.doctor import REFERENCE
from jaxattn.cli.main import main
from jaxattn.core.canonical_json import plain
from jaxattn.core.contracts import InputError, Status
from jaxattn.experiments import EXPERIMENTS
from jaxattn.experiments.theory import paths as published

# A command switches 64 bits on by itself, so the leg without them would only repeat all this.
pytestmark = pytest.mark.needs_x64

# A refusal that is missed must not cost a long run: the words of a case come after these and win.
SHORT = "--paradigms soft --seeds 1 --steps 1 --saves 2 --flow-seeds 0"

REFUSED = {
    # names: the nearest one is offered
    "compare digitz": "did you mean 'digits'?",
    "compare digits --paradigms sotf": "did you mean 'soft'?",
    "compare digits --optimiser adm": "did you mean 'adam'?",
    "compare digits --model mpl": "did you mean 'mlp'?",
    "compare digits --attention sofmax": "did you mean 'softmax'?",
    "compare digits --schedule cosin": "did you mean 'cosine'?",
    "compare digits --hypers temprature=2": "did you mean 'temperature'?",
    "theory --paradigms lmvl": "did you mean 'lvml'?",
    "compare digits --order sorted": "order: got 'sorted', expected one of fixed, shuffled,",
    "compare digits --vary weather": "vary: got weather, expected some of init, data",
    "compare digits --precision float16": "precision: got 'float16', expected one of auto, float32",
    # sizes and classes of the task
    "compare digits --segments 1": "segments: got 1, expected an integer >= 2",
    "compare orthogonal --classes 1": "classes: got 1, expected an integer >= 2",
    "compare digits --foreground 0 11": "foreground: got class 11, expected classes of the data",
    "compare digits --foreground 3": "foreground: got (3,), expected at least 2",
    "compare digits --classes 3": "expected one of --foreground, --segments",
    "compare orthogonal --foreground 1 2": "expected one of --classes, --segments",
    # numbers
    "compare digits --learning-rates -0.1": "learning_rate: got -0.1, expected a number above 0",
    "compare digits --learning-rates 0.1 0": "learning_rate: got 0, expected a number above 0",
    "compare digits --learning-rates nan": "learning_rate: got nan, expected a number above 0",
    "compare digits --learning-rates inf": "learning_rate: got inf, expected a number above 0",
    "compare digits --learning-rates 1e39": "learning_rate: got 1e+39, expected a number above 0",
    "compare digits --learning-rates 1e-60": "learning_rate: got 1e-60, expected a number above 0",
    "compare digits --learning-rates 0.1 0.1": "learning_rate: got 0.1, 0.1, expected each once",
    "compare digits --learning-rates": "learning_rate: got none, expected at least one",
    "compare digits --steps 0": "steps: got 0, expected at least 1",
    "compare digits --seeds 0": "seeds: got 0, expected at least 1",
    "compare digits --seeds -2": "seeds: got -2, expected at least 1",
    "compare digits --seeds 4 4": "seeds: got [4, 4], expected each value once",
    "compare digits --saves 1": "saves: got 1, expected at least 2",
    "compare digits --saves log:1": "saves: log: got 1, expected at least 2",
    "compare digits --saves lin:9": "saves: got 'lin:9', expected 2 or more, log: and 2 or more",
    "compare digits --saves 0 10 many": "saves: got 'many', expected an integer, at least 0",
    "compare digits --saves 0 10 9 800": "saves: got [0, 10, 9, 800], expected increasing steps",
    "compare digits --batch-size -1": "batch_size: got -1, expected at least 1",
    "compare digits --figures overveiw": "figures: got 'overveiw', expected one of all, none, over",
    "compare digits --flow-seeds -1": "flow_seeds: got -1, expected at least 0",
    "compare digits --paradigms": "paradigms: got none, expected at least one of soft,",
    "compare digits --paradigms soft soft": "expected each once",
    "compare digits --hypers temperature": "--hypers: got 'temperature', expected NAME=VALUE",
    "compare digits --hypers temperature=warm": "--hypers: got 'temperature=warm', expected NAME=",
    "compare digits --hypers temperature=1,1": "temperature: got 1, 1, expected each once",
    "compare digits --hypers temperature=1 temperature=2": "temperature is given twice",
    "compare digits --hypers learning_rate=1": "learning_rate is given twice",
    "compare digits --hypers alpha=2 --attention imposed": "alpha: got 2, expected a number at",
    "compare digits --paradigms hybrid --switch-time nan": "switch_time: got nan, expected a",
    "theory --segments 1": "segments: got 1, expected at least 2",
    "theory --classes 1": "classes: got 1, expected at least 2",
    "theory --points 1": "points: got 1, expected 2 or more",
    "theory --t-end nan": "t_end: got nan, expected a positive number",
    "theory --t-end 0": "t_end: got 0.0, expected a positive number",
    "theory --switch-time -1": "switch time: got -1.0, expected a number in [0, 400000]",
    "theory --paradigms": "paradigms: got none, expected at least one of soft,",
    # experiments
    "reproduce fixed-focsu": "did you mean 'fixed-focus'?",
    "reproduce fixed-focsu --json": "jaxattn reproduce, without a name, says what each is.",
    "reproduce fixed-focus --scale papre": "did you mean 'paper'?",
    "reproduce fixed-focus --scale smoke --seeds 0": "seeds: got 0, expected at least 1",
    "reproduce fixed-focus --scale smoke --out full": "--out: got 'full', which holds 'mine.txt'",
    # folders
    "compare digits --out full": "--out: got 'full', which holds 'mine.txt'",
    "theory --points 2 --out full": "--out: got 'full', which holds 'mine.txt'",
    "compare digits --out full/mine.txt": "expected a writable directory (Not a directory)",
    "compare digits --out full/mine.txt/a": "expected a writable directory (Not a directory)",
}

UNREADABLE = {
    "compare digits --steps many": "--steps",
    "compare digits --seed 3": "--seed",
    "compair digits": "compair",
    "": "compare",
}
"""What the parser itself refuses, in a box of its own."""

LIST, LIST_JSON = "reproduce", "reproduce --json"
THEORY = "theory --segments 100 --classes 1000 --t-end 4e5 --json"
AGAIN = f"compare orthogonal-population {SHORT} --out old --overwrite"
DIVERGING = (
    "compare orthogonal-population --model mlp --paradigms soft --seeds 2 --steps 20 --saves 3 "
    "--flow-seeds 0 --learning-rates 0.1 1e30 --out diverging --json"
)

STALE = (
    *("results.nc", "run.json", "report.html", "population/results.nc"),
    *("figures/old.png", "figures/old.svg"),
)

PROGRESS = (
    r"(compiling )?[a-z]+ [a-z]+: \d+/\d+ runs(, \d+ failed)?, "
    r"(starting|about \d+ s for (all|training)|[\d.]+ runs/s, \d+ s left)"
)


def words_of(case: str, number: int) -> list[str]:
    words = shlex.split(case)
    if words[:1] == ["compare"]:
        words[2:2] = shlex.split(SHORT)
    return words if "--out" in words or not words else [*words, "--out", f"new/{number}"]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Answer]]:
    """Every command that needs no process of its own, by its words."""

    def make(folder: Path) -> dict[str, Answer]:
        (folder / "full").mkdir()
        (folder / "full" / "mine.txt").write_text("mine")
        cases = {c: words_of(c, i) for i, c in enumerate([*REFUSED, *UNREADABLE])}
        cases |= {c: c.split() for c in (THEORY, f"{THEORY} --points 7", LIST, LIST_JSON)}
        answers, _ = run_many(list(cases.values()), folder)
        return dict(zip(cases, answers, strict=True))

    return once(tmp_path_factory, "answered", make)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Answer]]:
    """The smallest of comparisons, in the place of an earlier run, by its words."""

    def make(folder: Path) -> dict[str, Answer]:
        for name in ("mine.txt", *STALE):
            (folder / "old" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "old" / name).write_text("mine")
        answers, _ = run_many([AGAIN.split()], folder)
        return {AGAIN: answers[0]}

    return once(tmp_path_factory, "ran", make)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer, Answer]:
    """A small comparison on real digits, and the answer to the same command once more."""
    command = (
        "compare digits --paradigms soft hybrid --seeds 2 --learning-rates 0.05 --steps 20 "
        "--saves 3 --flow-seeds 0 --json --out run"
    )

    def make(folder: Path) -> dict[str, Answer]:
        def ask() -> Answer:
            return run([SCRIPT, *command.split()], folder)

        first, before = ask(), contents(folder)
        again = ask()
        assert contents(folder) == before
        return {"first": first, "again": again}

    folder, answers = once(tmp_path_factory, "compared", make)
    return folder / "run", answers["first"], answers["again"]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def strict_json(text: str) -> Any:
    """JSON by the standard, which has no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"not JSON: {word}")

    return json.loads(text, parse_constant=refuse)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    case: str, answered: tuple[Path, dict[str, Answer]]
) -> None:
    folder, answers = answered
    code, out, err = answers[case]
    assert (code, out) == (2, ""), err
    assert err.startswith("jaxattn: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert REFUSED[case] in err
    assert not (folder / words_of(case, list(REFUSED).index(case))[-1]).is_dir() or "full" in case


@pytest.mark.parametrize("case", UNREADABLE)
def test_words_that_the_parser_cannot_read_exit_2_with_its_box_and_no_traceback(
    case: str, answered: tuple[Path, dict[str, Answer]]
) -> None:
    code, out, err = answered[1][case]
    assert (code, out) == (2, "")
    assert UNREADABLE[case] in err
    assert "Traceback" not in err


def test_refused_commands_leave_no_folder_and_no_file_behind(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    folder, _ = answered
    assert {path.name for path in folder.iterdir()} == {"full"}
    assert contents(folder / "full") == {"mine.txt": b"mine"}


@pytest.mark.parametrize(
    "command",
    [
        (SCRIPT, "compare", "digitz"),
        pytest.param(
            (sys.executable, "-m", "jaxattn.cli", "theory", "--points=1"), marks=pytest.mark.slow
        ),
    ],
    ids=["script", "module"],
)
def test_the_process_itself_exits_2_and_says_one_line(
    command: tuple[object, ...], tmp_path: Path
) -> None:
    code, out, err = run(command, tmp_path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(r"^jaxattn: .*got .*expected ", err)
    assert list(tmp_path.iterdir()) == []


# --- compare --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_comparison_prints_one_json_object_and_nothing_else(
    compared: tuple[Path, Answer, Answer],
) -> None:
    _, (code, out, err), _ = compared
    assert code == 0, err
    assert out.count("\n") == 1
    said = strict_json(out)
    assert said["failed"] == 0
    assert set(said) == {"questions", "claims", "summary", "differences", "failed"}
    names = [question["question"] for question in said["questions"]]
    assert names[:2] == ["first-to-focus", "most-attention"]
    assert {claim["verdict"] for claim in said["claims"]} == {"undecided"}  # of two seeds
    pairs = {(row["paradigm_a"], row["paradigm_b"]) for row in said["differences"]}
    assert pairs == {("soft", "hybrid")}
    assert {row["split"] for row in said["differences"]} == {"test"}
    for row in said["summary"]:
        assert set(row) >= {
            "paradigm",
            "learning_rate",
            "split",
            "inference",
            "measure",
            "median",
            "low",
            "high",
            "seeds",
        }
    assert {row["paradigm"] for row in said["summary"]} == {"soft", "hybrid"}
    assert {row["split"] for row in said["summary"]} == {"train", "validation", "test"}
    assert {row["seeds"] for row in said["summary"]} == {2}


@pytest.mark.slow
def test_the_printed_summary_is_that_of_the_stored_results(
    compared: tuple[Path, Answer, Answer],
) -> None:
    folder, (_, out, _), _ = compared
    table = jaxattn.summary(jaxattn.open(folder))
    assert strict_json(out)["summary"] == plain(table.to_dict("records"))
    never = [row for row in strict_json(out)["summary"] if row["measure"] == "time_to_fit"]
    assert {(row["median"], row["censored"]) for row in never} == {(None, 2)}


@pytest.mark.slow
def test_progress_goes_to_standard_error_in_plain_lines(
    compared: tuple[Path, Answer, Answer],
) -> None:
    _, (_, _, err), _ = compared
    few, *lines = err.splitlines()
    assert few.startswith("2 seeds cannot show a difference")
    assert [line for line in lines if not re.fullmatch(PROGRESS, line)] == []
    assert any(line.startswith("train hybrid: 4/4 runs") for line in lines)


@pytest.mark.slow
def test_stored_results_open_in_plain_xarray_with_labels(
    compared: tuple[Path, Answer, Answer],
) -> None:
    folder, _, _ = compared
    with xr.open_dataset(folder / "results.nc") as ds:
        sizes = dict(ds.sizes)
        assert sizes["paradigm"] == sizes["seed"] == 2
        assert (sizes["learning_rate"], sizes["save"], sizes["dynamics"]) == (1, 3, 1)
        assert list(ds["paradigm"].values) == ["soft", "hybrid"]
        assert list(ds["step"].values) == [0, 10, 20]
        np.testing.assert_allclose(ds["time"].values, [[0, 0.5, 1]], rtol=1e-6)
        assert np.all(ds["status"].values == Status.DONE)
        assert np.all(np.isfinite(ds["accuracy"].values))
        assert json.loads(ds.attrs["spec"])["task"] == "digits"


@pytest.mark.slow
def test_run_json_tells_times_apart_versions_devices_and_the_command(
    compared: tuple[Path, Answer, Answer],
) -> None:
    folder, _, _ = compared
    told = strict_json((folder / "run.json").read_text())
    assert told["seconds"].keys() == {"train"}
    assert told["seconds"]["train"]["compile"] > 0
    assert told["seconds"]["train"]["run"] > 0
    assert told["versions"]["jaxattn"] == jaxattn.__version__
    assert {"jax", "optax", "diffrax", "flax", "numpy", "xarray"} <= set(told["versions"])
    assert told["devices"] == ["cpu:cpu"]
    assert told["x64"] is True
    assert told["command"].startswith("jaxattn compare digits --paradigms soft hybrid")
    assert told["content_hash"] == jaxattn.open(folder).attrs["content_hash"]
    assert (told["rows"], told["failed"]) == (4, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("focus", "accuracy", "overview", "answers", "population"),
        *("error_cells", "error_cells_by_class", "answer_maps", "attention_on_images"),
    ],
)
def test_every_figure_is_there_as_png_and_svg(
    name: str, compared: tuple[Path, Answer, Answer]
) -> None:
    figures = compared[0] / "figures"
    assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(figures / f"{name}.svg").getroot().tag.endswith("svg")


@pytest.mark.slow
def test_the_companion_in_the_solvable_setting_is_written_beside(
    compared: tuple[Path, Answer, Answer],
) -> None:
    solved = jaxattn.open(compared[0] / "population")
    assert list(solved["dynamics"].values) == ["train", "theory"]
    assert list(solved["paradigm"].values) == ["soft", "hybrid"]
    assert json.loads(solved.attrs["spec"])["task"] == "orthogonal-population"


@pytest.mark.slow
def test_the_same_command_again_is_refused_and_changes_nothing(
    compared: tuple[Path, Answer, Answer],
) -> None:
    # That nothing was changed is asserted where the command was run.
    _, _, (code, out, err) = compared
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.endswith("choose another or add --overwrite.\n")


@pytest.mark.slow
def test_overwrite_replaces_what_a_run_wrote_and_keeps_what_is_not_its_own(
    ran: tuple[Path, dict[str, Answer]],
) -> None:
    folder, answers = ran
    assert answers[AGAIN].code == 0, answers[AGAIN].err
    left = contents(folder / "old")
    assert left.pop("mine.txt") == b"mine"
    assert b"mine" not in left.values()
    assert not {"figures/old.png", "figures/old.svg", "population/results.nc"} & set(left)
    assert jaxattn.open(folder / "old").sizes["seed"] == 1


def test_without_json_a_comparison_ends_in_a_table_and_its_findings(
    ran: tuple[Path, dict[str, Answer]],
) -> None:
    _, out, _ = ran[1][AGAIN]
    assert "after training (train): median [10 %, 90 %] over seeds" in out
    assert "One seed finished: what differs between paradigms cannot be told from chance" in out
    assert out.endswith("All of it, with figures: old/report.html\n")


@pytest.mark.slow
def test_a_diverging_rate_is_counted_and_exits_3_beside_one_that_is_done(
    tmp_path: Path,
) -> None:
    code, out, err = run([SCRIPT, *DIVERGING.split()], tmp_path)
    assert code == 3, err
    assert "Traceback" not in err
    assert "4/4 runs, 2 failed" in err
    assert err.splitlines()[-1] == (
        "warning: 2 of 2 rows of 'soft' at learning rate 1e+30 diverged, first between steps 0 "
        "and 10."
    )
    said = strict_json(out)
    assert said["failed"] == 2
    assert {row["learning_rate"] for row in said["summary"]} == {0.1}
    status = jaxattn.open(tmp_path / "diverging")["status"].sel(dynamics="train", paradigm="soft")
    assert np.all(status.sel(learning_rate=0.1) == Status.DONE)
    assert np.all(status.sel(learning_rate=1e30) == Status.DIVERGED)
    assert strict_json((tmp_path / "diverging" / "run.json").read_text())["failed"] == 2


@pytest.mark.slow
def test_ctrl_c_exits_130_and_keeps_finished_chunks_readable(tmp_path: Path) -> None:
    asked = (
        "compare orthogonal-population --paradigms soft hard lvml --seeds 400 --steps 2000 "
        "--saves 3 --flow-seeds 0 --figures none --out run"
    )
    with subprocess.Popen(
        [SCRIPT, *asked.split()],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        told = iter(process.stderr.readline, "")
        first = next(line for line in told if " 0/1200 " not in line and "cannot show" not in line)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    done = int(re.match(r"train soft: (\d+)/1200 runs", first)[1])
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.endswith("jaxattn: interrupted.\n")
    assert out == ""
    ds = jaxattn.open(tmp_path / "run")
    status = ds["status"].sel(dynamics="train", learning_rate=0.05)
    assert np.all(status.sel(paradigm="soft")[:done] == Status.DONE)
    # Of soft there are many chunks: the last paradigm was not begun.
    assert np.all(status.sel(paradigm="lvml") == Status.INTERRUPTED)
    assert np.all(status.isin([Status.DONE, Status.INTERRUPTED]))
    loss = ds["loss"].sel(dynamics="train", split="train", learning_rate=0.05)
    assert np.all(np.isfinite(loss) == (status == Status.DONE))
    assert not list((tmp_path / "run").glob(".*")), "a temporary file is left"


# --- theory ---------------------------------------------------------------------------------------


def test_theory_prints_the_reference_values_and_an_invariant_that_is_kept(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    code, out, err = answered[1][THEORY]
    assert (code, err, out.count("\n")) == (0, "", 1)
    said = strict_json(out)
    assert list(said) == ["segments", "classes", "method", "paradigms"]
    assert (said["segments"], said["classes"]) == (100, 1000)
    assert list(said["paradigms"]) == ["soft", "hard", "lvml"]
    for name, found in said["paradigms"].items():
        assert list(found) == ["t", "mu", "nu", "alpha", "beta", "invariant_drift"]
        assert {len(found[key]) for key in ("t", "mu", "nu", "alpha", "beta")} == {400}
        assert found["t"][0] == found["mu"][0] == found["nu"][0] == 0
        assert found["t"][-1] == pytest.approx(4e5, rel=1e-15)
        assert (found["alpha"][0], found["beta"][0]) == pytest.approx((0.01, 0.001), rel=1e-12)
        ends = (found["mu"][-1], found["nu"][-1])
        assert ends == pytest.approx(REFERENCE[name], abs=1e-7)
        assert found["invariant_drift"] <= 1e-8


def test_theory_gives_as_many_log_spaced_points_as_asked(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    found = strict_json(answered[1][f"{THEORY} --points 7"].out)["paradigms"]["lvml"]
    assert len(found["mu"]) == len(found["t"]) == 7
    ratios = np.divide(found["t"][2:], found["t"][1:-1])
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    assert found["mu"][-1] == pytest.approx(REFERENCE["lvml"][0], abs=1e-7)


def test_theory_that_the_solver_gives_up_on_exits_3_with_null_for_nan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    solve = published.solve_reduced

    def give_up(name: str, *args: Any, **sizes: Any) -> Any:
        path = solve(name, *args, **sizes)
        if name != "hard":
            return path
        lost = np.where(np.arange(path.mu.size) < 1, path.mu, np.nan)
        return path._replace(mu=lost, invariant_drift=np.inf, status=Status.SOLVER_FAILED)

    monkeypatch.setattr(published, "solve_reduced", give_up)
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    code = main(["theory", "--points", "3", "--json", "--no-cache"])
    out, err = capsys.readouterr()
    assert (code, err) == (3, "")
    found = strict_json(out)["paradigms"]
    assert found["hard"]["mu"] == [0, None, None]
    assert found["hard"]["invariant_drift"] is None
    assert None not in found["soft"]["mu"]


# --- reproduce ------------------------------------------------------------------------------------


def test_reproduce_without_a_name_lists_every_experiment_with_what_it_is_about(
    answered: tuple[Path, dict[str, Answer]],
) -> None:
    folder, answers = answered
    listed = {name: one.summary for name, one in EXPERIMENTS.items()}
    code, out, err = answers[LIST]
    assert (code, err) == (0, "")
    for name, about in listed.items():
        assert re.search(rf"\b{name} .*{re.escape(about)}", out)
    code, out, err = answers[LIST_JSON]
    assert (code, err, strict_json(out)) == (0, "", {"experiments": listed})
    assert not (folder / "runs").exists()


# --- help -----------------------------------------------------------------------------------------


def test_help_answers_without_jax_and_every_command_shows_an_example(tmp_path: Path) -> None:
    commands = ("compare", "critical-rate", "theory", "reproduce", "doctor")
    asked = [("--help",), *((name, "--help") for name in commands)]
    (general, *each), modules = run_many(asked, tmp_path)
    assert {"jax", "numpy", "xarray", "matplotlib", "rich.progress"} & set(modules) == set()
    assert general.code == 0
    for name, answer in zip(commands, each, strict=True):
        assert answer.code == 0
        assert name in general.out
        assert re.search(rf"Example: jaxattn {name}\b", answer.out)
        assert "--json" in answer.out


def test_refusals_are_input_errors_of_the_python_door_too() -> None:
    with pytest.raises(InputError, match="each once"):
        jaxattn.compare("digits", hypers={"learning_rate": [0.1, 0.1]})
    with pytest.raises(InputError, match="expected at least one"):
        jaxattn.compare("digits", hypers={"temperature": []})


@pytest.mark.needs_x64
def test_limits_alone_are_told_drawn_and_printed_without_training(capsys, tmp_path):
    words = ["compare", "orthogonal", "--paradigms", "soft", "--seeds", "2", "--times", "1", "10"]
    code = main([*words, "--out", str(tmp_path / "alone"), "--json", "--no-cache"])
    out, err = capsys.readouterr()
    assert code == 0, err
    told = strict_json(out)
    assert told["questions"] == told["claims"] == told["differences"] == []
    assert {line["dynamics"] for line in told["summary"]} == {"flow"}
    # Nothing is trained beside it, and what can be drawn is.
    assert not (tmp_path / "alone" / "population").exists()
    figures = {path.stem for path in (tmp_path / "alone" / "figures").iterdir()}
    assert {"curves_objective", "curves_attention_foreground"} <= figures
