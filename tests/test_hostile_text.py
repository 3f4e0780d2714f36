"""Text from users is never markup: every place that shows some is tried with the same strings."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from example_results import example_result
from helpers import study_of
from hostile_text import HOSTILE
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from jaxattn import plots, tasks
from jaxattn.analysis.findings import findings
from jaxattn.analysis.summary import summary
from jaxattn.core.contracts import HyperSpec, InputError, MeasureSpec, Paradigm
from jaxattn.core.text import printable
from jaxattn.plots.canvas import as_written, own_figures
from jaxattn.plots.frame import finish_axes, label_of
from jaxattn.plots.legends import legend_handles, set_caption, shown_label
from jaxattn.problems.check_data import check_splits
from jaxattn.problems.result_measures import attributes_of
from jaxattn.reports.comparison import report_into
from jaxattn.results.files import open_run, write_results
from jaxattn.run.compare import Progress
from jaxattn.terminal.output import complain, print_json, show
from jaxattn.terminal.progress_bar import Reporter
from jaxattn.terminal.tables import numbers_table, results_table, sentences

SHOWN = [text for text in HOSTILE if text.isprintable()]
"""Those that a result may hold as a name."""

every = pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))


def _letters(shown: Text) -> str:
    """What matplotlib draws, which is no formula."""
    text = shown.get_text()
    assert not is_math_text(text), text
    return text.replace(r"\$", "$").replace("\N{ZERO WIDTH SPACE}", "")


# --- figures


@every
def test_a_figure_shows_titles_labels_legends_and_captions_letter_by_letter(text: str) -> None:
    figure = Figure(figsize=(60, 4))
    ax = figure.subplots()
    attributes = {"long_name": text, "units": text}
    labels = (label_of({"long_name": text}, "x"), label_of(attributes, "y"))
    finish_axes(ax, labels, (text, text), legend_handles({text: {}}))
    set_caption(figure, text)
    figure.draw_without_rendering()
    expected = printable(text)
    said = [ax.title, ax.xaxis.label, ax.yaxis.label, *figure.texts, figure._supxlabel]
    said += ax.get_legend().get_texts()
    # The left title is matplotlib's own attribute.
    said[0] = next(one for one in ax.get_children() if isinstance(one, Text) and one.get_text())
    for one in said:
        letters = _letters(one).replace("\n", "")
        assert expected.replace(" ", "")[:40] in letters.replace(" ", ""), letters


@pytest.mark.parametrize("text", SHOWN, ids=range(len(SHOWN)))
def test_a_label_of_ours_may_be_a_formula_and_theirs_may_not(text: str) -> None:
    assert not is_math_text(as_written(text))
    assert not shown_label(text).startswith("_")


def _renamed(text: str) -> xr.Dataset:
    """A result with text wherever a result has some."""
    ds = example_result(paradigms=("soft", "hard"), seeds=3, flow_seeds=2, saves=3)
    spec = json.loads(ds.attrs["spec"])
    names = [text, "hard"]
    spec |= {"task": text, "model": text, "optimiser": text, "schedule": text, "paradigms": names}
    ds = ds.assign_coords(paradigm=names, split=["train", f"{text}."])
    for name in ("attention_foreground", "accuracy", "time"):
        ds[name].attrs |= {"long_name": text, "units": text}
    return ds.assign_attrs(spec=json.dumps(spec))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "_<script>alert(1)</script>$\\foo$[/]{0}%s:smile:",
        r"$\foo$",
        "_mine",
        "[/] {0} %s",
        "<b>",
    ],
)
def test_a_result_with_such_text_everywhere_is_drawn_written_and_told(text, tmp_path) -> None:
    ds = _renamed(text)
    write_results(ds, tmp_path)
    path, said = report_into(tmp_path)
    page = path.read_text()
    assert "<script>alert" not in page
    xr.testing.assert_equal(open_run(tmp_path), ds)
    with own_figures():
        for drawing in plots.gallery(ds):
            figure = drawing.draw()
            for one in figure.findobj(Text):
                if text in one.get_text().replace("\n", " "):
                    assert not is_math_text(one.get_text())
    out = _said(results_table(summary(ds), ds), *sentences(said))
    assert text.split()[0][:12] in out
    assert findings(ds)


# --- the terminal


def _said(*parts: object) -> str:
    """What `show` prints, at a width at which nothing is broken."""
    file = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rich.console.Console", lambda **given: Console(file=file, **given))
        show(*parts)
    return file.getvalue()


def _is_harmless(said: str) -> bool:
    return all(line.isprintable() for line in said.split("\n"))


@every
def test_a_terminal_shows_lines_tables_and_complaints_letter_by_letter(text, capsys) -> None:
    lines = [{"name": text, text: 1.0}]
    said = _said(text, numbers_table(lines, xr.Dataset()))
    assert _is_harmless(said)
    assert said.startswith(printable(text)[:100])
    complain(text)
    error = capsys.readouterr().err
    assert error == f"jaxattn: {printable(text)}\n"
    print_json({text: text})
    written = capsys.readouterr().out
    assert _is_harmless(written)
    assert json.loads(written) == {text: text}


@pytest.mark.parametrize("is_terminal", [True, False])
@every
def test_progress_shows_names_letter_by_letter(text, is_terminal, capsys, monkeypatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(
        "jaxattn.terminal.progress_bar.Console",
        lambda **_: Console(file=file, force_terminal=is_terminal, color_system=None, width=900),
    )
    with Reporter() as reporter:
        reporter.on_note(text)
        reporter.on_progress(Progress(text, "train", 1, 2, 0))
        reporter.on_progress(Progress(text, "train", 2, 2, 0))
    said = file.getvalue() + capsys.readouterr().err
    assert printable(text)[:100] in said
    assert "\x1b[2J" not in said
    assert "\x1b]0" not in said
    assert "\x07" not in said


# --- names and labels at the door, and in files


def _loss(log_attention, values, read, label, context):
    return -read.log_probability(values[0], label), ()


@every
def test_the_name_of_a_hyperparameter_is_one_that_a_program_can_have(text: str) -> None:
    mine = Paradigm("mine", _loss, hypers=(HyperSpec(text, 1.0),))
    if text.isidentifier():
        assert text in study_of("orthogonal-population", paradigms=mine).constants
        return
    with pytest.raises(InputError, match=r"hyperparameter: got the name .* expected letters"):
        study_of("orthogonal-population", paradigms=mine)


@every
def test_the_name_of_a_split_is_one_that_figures_and_files_can_show(text: str) -> None:
    task = tasks.orthogonal_population(3, 3)
    splits = task.make(0)
    if text.isprintable() and "$" not in text:
        check_splits(task, {**splits, text: splits["train"]})
        return
    with pytest.raises(InputError, match=r"split: got the name .* expected printable text"):
        check_splits(task, {**splits, text: splits["train"]})


@every
def test_the_words_of_a_measure_are_written_in_a_file_as_a_line(text, tmp_path) -> None:
    attributes = attributes_of(MeasureSpec("mine", unit=text, long_name=text))
    ds = xr.Dataset({"mine": ("x", np.zeros(2), attributes)}, attrs={"schema_version": 2})
    write_results(ds, tmp_path)
    assert open_run(tmp_path)["mine"].attrs["long_name"] == printable(text)


@every
def test_the_files_of_a_figure_are_in_their_folder(text: str, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for path in plots.save(Figure(figsize=(1, 1)), tmp_path / "figures", text):
        assert path.parent == tmp_path / "figures"
        assert path.is_file()
