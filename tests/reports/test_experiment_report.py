"""The report of an experiment, from results made up: what it shows, and how it is made again."""

import base64
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from example_experiment import DRAWN, MADE_UP
from example_results import example_result

from jaxattn.analysis.findings import Finding
from jaxattn.cli.main import main
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.reasons import Reason
from jaxattn.experiments import registry, report, reproduce
from jaxattn.reports.experiment import Experiment
from jaxattn.reports.experiment_report import MOST_LINES
from jaxattn.results.files import write_json, write_results

MEGABYTE = 1_000_000
TIMES = "\N{MULTIPLICATION SIGN}"


def reproduced(experiment: Experiment, folder: Path, scale: str = "smoke") -> str:
    reproduce(experiment, scale, folder, False, lambda progress: None)
    return (folder / "report.html").read_text()


@pytest.fixture
def known(monkeypatch):
    for one in (MADE_UP, DRAWN):
        monkeypatch.setitem(registry.EXPERIMENTS, one.name, one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, reproduced(DRAWN, folder)


@dataclass(frozen=True)
class Grid:
    """Of an experiment without seeds: one run at each of many temperatures."""

    points: int = 5000
    lost: int = 0
    reason: int = 0


def on_a_grid(size, to):
    status = np.full(size.points, int(Status.DONE))
    status[: size.lost] = Status.SOLVER_FAILED
    ds = xr.Dataset(
        {"time_to_focus": ("temperature", np.arange(size.points) / 8, {"units": "time"})},
        {"temperature": np.linspace(1, 2, size.points)},
        {"schema_version": 1},
    ).assign(status=("temperature", status))
    if not size.reason:
        return ds
    why = {"reason": size.reason, "time_reached": 2.5}
    return ds.assign({name: ("temperature", np.full(size.points, at)) for name, at in why.items()})


EXACT = Experiment(
    name="exact",
    summary="nothing is random",
    scales={
        "smoke": Grid(),
        "small": Grid(points=20, lost=2, reason=int(Reason.STEPS_USED_UP)),
        "paper": Grid(points=40, lost=39),
    },
    run=on_a_grid,
    figures=lambda ds: [],
    numbers=lambda ds: [
        {"line": f"line {at}", "time_to_focus": float(value)}
        for at, value in enumerate(ds["time_to_focus"].values)
    ],
    findings=lambda ds: ["It is exact."],
)


def test_the_page_says_what_was_run_what_was_found_and_how_to_cite_and_run_it_again(whole):
    folder, text = whole
    run = json.loads((folder / "run.json").read_text())
    assert "<h1>drawn: nothing is trained</h1>" in text
    assert f"50 runs: 2 paradigms {TIMES} 5 alphas {TIMES} 5 seeds; scale smoke." in text
    assert all(sentence.replace(">", "&gt;") in text for sentence in run["findings"])
    assert run["findings"]
    assert "No run failed." in text
    assert "<dt>seeds</dt><dd>5</dd>" in text
    assert "<dt>experiment</dt><dd>drawn</dd>\n<dt>scale</dt><dd>smoke</dd>" in text
    assert "10.3233/FAIA230541" in text
    assert run["content_hash"] in text
    assert f"pip install jaxattn=={run['versions']['jaxattn']} " in text


def test_every_figure_is_on_the_page_with_its_caption_and_beside_it(whole):
    folder, text = whole
    (figure,) = re.findall(
        r'<img src="data:image/(?:png|svg\+xml);base64,[^"]+" alt="([^"]+)"', text
    )
    assert f"<figcaption>{figure}</figcaption>" in text
    assert figure.startswith("Above, the loss L(alpha)")
    beside = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert set(beside) == {"fixed_focus.png", "fixed_focus.svg"}
    assert base64.b64encode(min(beside.values(), key=len)).decode() in text


def test_the_numbers_are_a_table_that_can_be_sorted_with_units(whole):
    _, text = whole
    table = text[text.index('<table class="sortable">') :]
    heads = re.findall(r"<th scope=\"col\"><button type=\"button\">([^<]+)</button>", table)
    assert heads[:5] == ["paradigm", "alpha", "split", "loss [nat]", "loss: ceiling [nat]"]
    assert "gap: peak epoch" in heads
    assert table.count("<tr>") == 1 + 20


def test_the_page_stands_alone_and_is_small(whole):
    _, text = whole
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert len(text.encode()) < 5 * MEGABYTE


def test_report_makes_the_same_page_and_figures_again(known, whole):
    folder, text = whole
    figures = {path: path.read_bytes() for path in (folder / "figures").iterdir()}
    for path in (folder / "report.html", *figures):
        path.unlink()
    made = report(folder)
    assert made.path == folder / "report.html"
    assert made.path.read_text() == text
    assert {path: path.read_bytes() for path in (folder / "figures").iterdir()} == figures
    run = json.loads((folder / "run.json").read_text())
    assert made.findings == [Finding("", "", sentence) for sentence in run["findings"]]
    assert [(line["paradigm"], line["alpha"], line["seeds"]) for line in made.numbers[::2]] == [
        (name, alpha, 5) for name in ("soft", "hard") for alpha in (0.2, 0.4, 0.6, 0.8, 1.0)
    ]


@pytest.mark.needs_x64
def test_the_command_makes_the_page_again_and_says_the_findings(
    known, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("EQX_ON_ERROR", "nan")  # set by the command, and put back by this
    text = reproduced(MADE_UP, tmp_path / "run")
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert main(["report", str(tmp_path / "run"), "--no-cache"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == [*run["findings"], f"wrote {tmp_path / 'run' / 'report.html'}"]
    assert main(["report", str(tmp_path / "run"), "--json", "--no-cache"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"report", "findings", "numbers"}
    assert [one["text"] for one in said["findings"]] == run["findings"]
    assert len(said["numbers"]) == 10
    assert (tmp_path / "run" / "report.html").read_text() == text


def test_an_interrupted_run_has_a_page_of_what_was_kept(known, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        reproduced(MADE_UP, tmp_path / "run", scale="paper")
    assert not (tmp_path / "run" / "run.json").exists()
    text = report(tmp_path / "run").path.read_text()
    assert "<h1>made-up: nothing is trained</h1>" in text
    assert f"25 runs: 5 alphas {TIMES} 5 seeds; without a run.json, as of a run that was" in text


def test_failed_runs_are_counted_setting_by_setting(tmp_path):
    text = reproduced(MADE_UP, tmp_path / "run", scale="small")
    assert "10 of 25 runs did not finish." in text
    assert "<li>alpha 0.2: 2 diverged</li>" in text
    assert "No run failed." not in text


def test_without_seeds_the_page_says_so_and_names_what_failed(tmp_path):
    text = reproduced(EXACT, tmp_path / "run", scale="small")
    assert "20 runs: 20 temperatures; nothing in it is drawn at random; scale small." in text
    assert "<li>temperature 1: 1 solver failed: steps used up at t = 2.5</li>" in text
    text = reproduced(EXACT, tmp_path / "more", scale="paper")
    assert "39 of 40 runs did not finish." in text
    assert text.count("1 solver failed</li>") == 12
    assert "And 27 settings more." in text


def test_a_long_table_ends_at_a_number_of_lines_that_is_said(tmp_path):
    text = reproduced(EXACT, tmp_path / "run")
    assert f"The first {MOST_LINES} of 5000 lines; jaxattn report --json with" in text
    assert text.count("<tr>") == 1 + MOST_LINES
    assert "time to focus [time]" in text
    assert f"line {MOST_LINES - 1}<" in text
    assert f"line {MOST_LINES}<" not in text
    assert len(text.encode()) < 5 * MEGABYTE


def test_text_like_a_script_is_harmless_wherever_it_comes_from(tmp_path):
    evil = "<script>alert(1)</script>"
    said = {"numbers": lambda ds: [{evil: evil, "b": {evil: 1}}], "findings": lambda ds: [evil]}
    text = reproduced(replace(MADE_UP, name=evil, summary=evil, **said), tmp_path / "run")
    assert text.count("&lt;script&gt;alert(1)") >= 6
    assert text.count("<script") == 1


def test_an_unknown_experiment_is_refused_by_its_name_and_left_as_it_is(tmp_path):
    write_results(example_result(paradigms=("soft",), seeds=2), tmp_path)
    write_json(tmp_path / "run.json", {"experiment": "of-tomorrow"})
    with pytest.raises(InputError, match="experiment 'of-tomorrow', expected one of "):
        report(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"results.nc", "run.json"}


def test_a_comparison_is_reported_by_the_same_door(tmp_path):
    write_results(example_result(paradigms=("soft",), learning_rates=(0.1,), seeds=1), tmp_path)
    made = report(tmp_path)
    assert made.numbers == []
    assert "One seed finished" in made.path.read_text()
