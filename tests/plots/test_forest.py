"""Answers as a forest plot: what is drawn of each contrast, and what only once."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from example_contrasts import NAN, OPEN, contrast, example_contrasts
from example_results import example_result
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxattn import plots
from jaxattn.analysis.contrasts import contrasts
from jaxattn.core.contracts import InputError


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    return example_result(saves=5)


def panels(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.axison]


def rows(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def marks(ax: Axes, place: int, marker: str) -> list[float]:
    """Where markers of a form are on a row."""
    lines = [line for line in ax.lines if line.get_marker() == marker]
    return [float(line.get_xdata()[0]) for line in lines if line.get_ydata()[0] == place]


def spans(ax: Axes, place: int) -> list[Line2D]:
    """The lines from end to end of a row, the thin one first."""
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2]
    found = [line for line in lines if list(line.get_ydata()) == [place, place]]
    return sorted(found, key=lambda line: line.get_linewidth())


def notes(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_each_question_and_measure_is_a_panel_and_each_pair_a_row(whole: xr.Dataset) -> None:
    time, attention, accuracy = panels(plots.answers(whole, example_contrasts()))
    minus = "\N{MINUS SIGN}"
    assert rows(time) == [f"hard {minus} soft", f"hybrid {minus} soft", f"lvml {minus} hard"]
    assert [ax.get_title(loc="left") for ax in (time, accuracy)] == [
        "Who finds the segment\nfirst?",
        "Who answers best?",
    ]
    labels = [" ".join(ax.get_xlabel().split()) for ax in (time, attention, accuracy)]
    assert labels == [
        "time to focus, less is better; 1 is 5 steps",
        "attention on the foreground",
        "accuracy [points]",
    ]


def test_what_the_hybrid_brings_is_not_drawn_twice_and_alone_it_is(whole: xr.Dataset) -> None:
    table = example_contrasts()
    for turned in (False, True):
        again = table.copy()
        if turned:
            again.loc[len(table) - 1, ["a", "b"]] = ["soft", "hybrid"]
        assert sum(len(rows(ax)) for ax in panels(plots.answers(whole, again))) == len(table) - 1
    (alone,) = panels(plots.answers(whole, table[table["question"] == "hybrid"]))
    assert alone.get_title(loc="left") == "The hybrid?"


def test_two_quantities_of_one_question_are_two_panels_of_its_title(whole: xr.Dataset) -> None:
    gain = contrast("most-attention", "hard", "soft", at="late gain", unit="log odds")
    power = contrast("most-attention", "hard", "soft", at="late exponent", title="other")
    one, two = panels(plots.answers(whole, pd.DataFrame([gain, power])))
    assert one.get_title(loc="left") == two.get_title(loc="left")
    assert "late gain" in one.get_xlabel()
    assert "[log odds]" in one.get_xlabel()
    assert "late exponent" in two.get_xlabel()


def test_a_contrast_is_its_estimate_on_two_intervals_and_the_verdict_a_form(
    whole: xr.Dataset,
) -> None:
    time, attention, _ = panels(plots.answers(whole, example_contrasts()))
    assert marks(time, 0, "o") == [2.0]
    assert marks(attention, 1, "s") == [-0.004]
    assert marks(time, 2, "D") == [2.0]
    thin, thick = spans(time, 0)
    np.testing.assert_allclose(thin.get_xdata(), [1, 3])
    np.testing.assert_allclose(thick.get_xdata(), [1.5, 2.5])
    assert notes(time) == ["6/6", "same so far", "6/6"]
    assert notes(attention) == ["6/6", "4/6"]


def test_an_end_that_is_open_is_an_arrow_within_the_axes(whole: xr.Dataset) -> None:
    for low, high, marker in ((-OPEN, 3.0, "<"), (1.0, OPEN, ">")):
        table = pd.DataFrame([contrast("first-to-focus", "hard", "soft", low=low, high=high)])
        (ax,) = panels(plots.answers(whole, table))
        (edge,) = marks(ax, 0, marker)
        left, right = ax.get_xlim()
        assert left < edge < right
        assert edge in spans(ax, 0)[0].get_xdata()
        assert not marks(ax, 0, ">" if marker == "<" else "<")


def test_what_is_not_known_has_no_mark_and_what_is_0_in_every_seed_a_hollow_one(
    whole: xr.Dataset,
) -> None:
    time, _, accuracy = panels(plots.answers(whole, example_contrasts()))
    assert not spans(accuracy, 0)
    assert not [line for line in accuracy.lines if len(line.get_xdata()) == 1]
    assert notes(accuracy) == ["unknown"]
    assert not spans(time, 1)
    (hollow,) = [line for line in time.lines if list(line.get_ydata()) == [1]]
    assert (list(hollow.get_xdata()), to_hex(hollow.get_mfc())) == ([0.0], "#ffffff")


def test_grey_is_what_counts_as_equal(whole: xr.Dataset) -> None:
    lines = [
        contrast("first-to-focus", "hard", "soft", delta=0.7),
        contrast("first-to-focus", "lvml", "soft", delta=NAN),
    ]
    (ax,) = panels(plots.answers(whole, pd.DataFrame(lines)))
    (band,) = [one for one in ax.collections if isinstance(one, PolyCollection)]
    (path,) = band.get_paths()
    np.testing.assert_allclose(path.get_extents().extents, [-0.7, -0.5, 0.7, 0.5])
    assert ax.get_xlim()[0] < -0.7


def test_of_what_was_swept_the_first_value_is_drawn() -> None:
    ds = example_result(("soft", "hard"), temperatures=[0.5, 2.0], saves=3)
    lines = [contrast("accuracy", "hard", "soft", temperature=at, estimate=at) for at in (2.0, 0.5)]
    (ax,) = panels(plots.answers(ds, pd.DataFrame(lines)))
    assert marks(ax, 0, "o") == [0.5]


def test_long_names_have_the_width_of_the_figure(whole: xr.Dataset) -> None:
    def widths(name: str) -> list[float]:
        lines = [contrast(question, name, "soft") for question in ("accuracy", "most-attention")]
        figure = plots.answers(whole, pd.DataFrame(lines))
        figure.canvas.draw()
        return [ax.get_position().x0 for ax in panels(figure)]

    short, long = widths("hard"), widths("attention of my own")
    assert short[1] > 0.5
    assert long[0] == long[1]


def test_steps_are_told_where_one_unit_of_time_is_so_many_for_all(whole: xr.Dataset) -> None:
    same = contrast("first-to-focus", "hard", "soft", steps=10.0)
    other = contrast("first-to-focus", "lvml", "soft", steps=40.0)
    (one,) = panels(plots.answers(whole, pd.DataFrame([same])))
    (two,) = panels(plots.answers(whole, pd.DataFrame([same, other])))
    assert "5 steps" in " ".join(one.get_xlabel().split())
    assert "steps" not in two.get_xlabel()


def test_the_table_is_made_where_it_is_not_given_and_the_caption_says_what_differs(
    whole: xr.Dataset,
) -> None:
    counted = len(contrasts(whole))
    # Of what the hybrid brings, the attention is asked of all pairs as well.
    assert sum(len(rows(ax)) for ax in panels(plots.answers(whole))) == counted - 1
    drawings = plots.gallery(whole, None, example_contrasts())
    (drawing,) = [one for one in drawings if one.name == "answers"]
    assert "less is better; 1 is 5 steps: hard - soft 2 [1, 3]. " in drawing.caption
    assert "accuracy [points]: nothing." in drawing.caption
    assert len(panels(drawing.draw())) == 3


@pytest.mark.parametrize("paradigms", [["soft"], ["soft", "hard"]])
def test_without_contrasts_or_seeds_there_is_no_such_figure(paradigms: list[str]) -> None:
    ds = example_result(paradigms, seeds=1, saves=3)
    assert "answers" not in [drawing.name for drawing in plots.gallery(ds)]
    if len(paradigms) == 1:
        with pytest.raises(InputError, match=r"without contrasts, expected .* two paradigms"):
            plots.answers(ds)
