"""The report of a comparison, from results made up: what it shows, and what it must not."""

import html
import json
import re
from pathlib import Path

import pytest
import xarray as xr
from example_results import end, example_result

from jaxattn.analysis.answers import answers
from jaxattn.analysis.claims import claims
from jaxattn.analysis.contrasts import contrasts
from jaxattn.core.contracts import InputError, Status
from jaxattn.plots import gallery
from jaxattn.reports.comparison import report_into
from jaxattn.results.dataset import spec_of
from jaxattn.results.files import open_run, write_json, write_results

MEGABYTE = 1_000_000


def report(ds: xr.Dataset, folder: Path) -> str:
    write_results(ds, folder)
    path, _ = report_into(folder)
    assert path == folder / "report.html"
    return path.read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A result with a flow, its companion, and what its run says of itself."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "population").mkdir()
    solved = example_result(learning_rates=(0.1,), seeds=1, flow_seeds=1, theory=True)
    write_results(solved, folder / "population")
    run = {
        "command": "jaxattn compare digits --seeds 6 --out runs/a",
        "content_hash": "ab12",
        "versions": {"jaxattn": "0.1.0", "jax": "0.10.2"},
        "seconds": {"train": {"compile": 1.5, "run": 20.25}},
        "devices": ["cpu:cpu"],
    }
    write_json(folder / "run.json", run)
    return folder, report(example_result(flow_seeds=2), folder)


def test_the_page_says_what_was_run_how_to_cite_it_and_how_to_run_it_again(whole):
    _, text = whole
    grid = " \N{MULTIPLICATION SIGN} ".join(["4 paradigms", "2 learning rates", "6 seeds"])
    assert f"48 training runs: {grid};" in text
    assert "jaxattn compare digits --seeds 6 --out runs/a" in text
    assert "pip install jaxattn==0.1.0 jax==0.10.2" in text
    assert "10.3233/FAIA230541" in text
    assert "compile 1.5 s, run 20.2 s" in text
    assert "No run failed." in text


@pytest.mark.parametrize(("most", "drawn"), [(0, set()), (1, {"overview.png", "overview.svg"})])
def test_figures_that_are_left_out_are_named_and_drawn_later(most, drawn, tmp_path):
    ds = example_result(paradigms=("soft",), learning_rates=(0.1,), seeds=1)
    write_results(ds, tmp_path)
    left = [drawing.title for drawing in gallery(ds)][most:]
    text = report_into(tmp_path, most)[0].read_text()
    assert {path.name for path in tmp_path.glob("figures/*")} == drawn
    assert html.escape(f"Not drawn: {'; '.join(left)}. jaxattn report draws") in text
    assert "Not drawn" not in report_into(tmp_path)[0].read_text()
    assert len(list(tmp_path.glob("figures/*"))) == 2 * (most + len(left))


def test_every_figure_of_the_result_is_on_the_page_and_beside_it(whole):
    folder, text = whole
    shown = gallery(
        example_result(flow_seeds=2),
        example_result(learning_rates=(0.1,), seeds=1, flow_seeds=1, theory=True),
    )
    # The overview shows what two of them show.
    assert len(re.findall("<img ", text)) == len(shown) - 2
    for drawing in shown:
        assert (folder / "figures" / f"{drawing.name}.png").is_file()
        assert (folder / "figures" / f"{drawing.name}.svg").is_file()


def test_first_are_the_answers_then_what_shows_them_then_the_claims_and_all_else_is_folded(whole):
    folder, text = whole
    ds = open_run(folder)
    table = contrasts(ds)
    headings = re.findall(r"<h2 [^>]*>([^<]*)</h2>", text)
    assert headings[:2] == ["Answers", "The paper&#39;s claims"]
    _, first, second, rest = text.split("<h2 ", 3)
    said = answers(ds, table)
    cards = [html.unescape(card) for card in re.findall(r"<li><h3>.*?</li>", first)]
    assert len(cards) == len(said) == 5
    for card, answer in zip(cards, said, strict=True):
        assert card.startswith(f"<li><h3>{answer.title}</h3><p>{answer.text}</p>")
        assert answer.more in card
    shown = re.findall(r"<h3>([^<]*)</h3>\s*<figure>", first)
    assert shown == [
        "Where the attention goes, and how well it answers",
        "Every answer with its interval",
    ]
    for claim in claims(ds, table):
        assert claim.name in second
        assert claim.verdict in second
    assert all("</details>" in after for after in re.split(r"<img |<table ", rest)[1:])


def test_the_page_stands_alone_and_is_small(whole):
    _, text = whole
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert len(text.encode()) < 3 * MEGABYTE


@pytest.mark.slow
def test_the_same_results_make_the_same_page(whole):
    folder, text = whole
    assert report_into(folder)[0].read_text() == text


@pytest.mark.slow
def test_a_task_named_like_a_script_is_harmless(tmp_path):
    ds = example_result(paradigms=("soft", "hard"), learning_rates=(0.1,), seeds=3)
    spec = spec_of(ds) | {"task": "<script>alert(1)</script>"}
    text = report(ds.assign_attrs(spec=json.dumps(spec)), tmp_path)
    assert "&lt;script&gt;alert(1)" in text
    assert text.count("<script") == 1


@pytest.mark.slow
def test_what_failed_has_a_part_of_its_own(tmp_path):
    ds = example_result(paradigms=("soft", "hard"), learning_rates=(0.1,), seeds=3)
    text = report(end(ds, Status.DIVERGED, paradigm="hard", seed=[2]), tmp_path)
    assert "1 of 6 training runs did not finish and are left out: hard at learning rate 0.1" in text
    assert "No run failed." not in text


def test_where_all_failed_there_is_a_page_that_says_so(tmp_path):
    ds = example_result(paradigms=("soft", "hard"), learning_rates=(0.1,), seeds=3)
    text = report(end(ds, Status.DIVERGED), tmp_path)
    assert "No training run of 6 finished, so nothing is said of them" in text


@pytest.mark.parametrize("paradigms", [("soft",), ("soft", "hard")])
def test_one_seed_has_a_page_without_answers_on_which_no_figure_is_folded(tmp_path, paradigms):
    ds = example_result(paradigms=paradigms, learning_rates=(0.1,), seeds=1)
    text = report(ds, tmp_path)
    assert "One seed finished" in text
    assert 'class="cards"' not in text
    figures = text.split('id="figures"')[1].split("<h2 ")[0]
    assert "<figure>" in figures
    assert "<details>" not in figures


@pytest.mark.slow
def test_a_swept_temperature_has_its_columns(tmp_path):
    ds = example_result(paradigms=("soft", "hard"), seeds=3, temperatures=(0.5, 2.0))
    text = report(ds, tmp_path)
    assert "temperature 0.5" in text
    assert "2 temperatures" in text


def test_without_results_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match="expected a directory with"):
        report_into(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_an_experiment_is_refused_by_its_name_and_left_as_it_is(tmp_path):
    write_results(example_result(paradigms=("soft",), seeds=2), tmp_path)
    write_json(tmp_path / "run.json", {"experiment": "fixed-focus"})
    with pytest.raises(InputError, match="experiment fixed-focus, expected one of compare"):
        report_into(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"results.nc", "run.json"}


def test_a_damaged_run_file_is_named_and_nothing_is_written(tmp_path):
    write_results(example_result(paradigms=("soft",), seeds=2), tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json: got a file that is not JSON"):
        report_into(tmp_path)
    assert not (tmp_path / "report.html").exists()
    assert not (tmp_path / "figures").exists()
