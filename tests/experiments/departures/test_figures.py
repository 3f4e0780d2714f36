"""The figures of the departures experiment, drawn of a made-up result."""

import numpy as np
import pytest
from example_departures import AVERAGE, CONFIG, FACTOR, example_departures

from jaxattn import plots
from jaxattn.core.contracts import InputError
from jaxattn.experiments.departures.distances import distance
from jaxattn.experiments.departures.figures import departing_classes, departures
from jaxattn.experiments.departures.rows import frequencies_at


@pytest.fixture(scope="module")
def result():
    return example_departures(("soft", "hard"), failed=1)


@pytest.fixture(scope="module")
def figure(result):
    return departures(result)


def drawn(ax, colour):
    return [line for line in ax.lines if line.get_color() == colour]


def test_filled_markers_are_root_mean_squares_and_hollow_ones_the_average(result, figure):
    frequency = figure.axes[0]
    for name, scale in (("soft", 1.0), ("hard", 0.5)):
        each, average = drawn(frequency, plots.style_of(name).colour)
        amount = np.asarray(CONFIG.imbalances)
        both = scale * np.hypot(FACTOR * amount, AVERAGE * amount**2)
        np.testing.assert_allclose(each.get_ydata(), both, rtol=1e-12)
        np.testing.assert_allclose(average.get_ydata(), scale * AVERAGE * amount**2, rtol=1e-10)
        assert average.get_markerfacecolor() == "white"
        np.testing.assert_array_equal(each.get_xdata(), amount)


def test_the_average_is_not_drawn_where_all_classes_move_alike(figure):
    colour = plots.style_of("soft").colour
    assert [len(drawn(ax, colour)) for ax in figure.axes[:5]] == [2, 1, 1, 1, 2]


def test_theory_is_dotted_where_there_is_one(result, figure):
    for ax, departure in zip(figure.axes, result["departure"].values, strict=False):
        black = drawn(ax, "black")
        assert len(black) == (2 if departure in ("equal", "noise", "sample") else 0)
        if black:
            soft = distance(result.sel(paradigm="soft"), departure, "nu")
            np.testing.assert_allclose(black[0].get_ydata(), soft.predicted)


def test_slopes_are_written_beside_their_colours(figure):
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["1.00, 2.00", "1.00, 2.00", "slope, average's"]
    assert [text.get_text() for text in figure.axes[3].texts] == ["2.00", "2.00", "slope"]


def test_axes_are_logarithmic_with_names_and_one_legend_stands_in_the_free_panel(figure):
    for ax in figure.axes[:5]:
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert ax.get_xlabel()
    names = [text.get_text() for text in figure.axes[5].get_legend().get_texts()]
    assert names[:2] == ["soft", "hard"]
    said = " ".join(figure.get_supxlabel().split())
    assert "3 classes, 5 segments" in said
    assert "6 runs that failed are left out" in said


def test_each_class_has_a_line_the_rarest_palest_beside_the_reduced_system(result):
    figure = departing_classes(result)
    soft = figure.axes[0]
    *classes, reduced = soft.lines
    assert len(classes) == CONFIG.classes
    assert reduced.get_color() == "black"
    luminance = [np.dot(line.get_color(), [0.2126, 0.7152, 0.0722]) for line in classes]
    assert np.all(np.diff(luminance) < 0)
    ends = [line.get_ydata()[-1] for line in classes]
    assert np.all(np.diff(ends) > 0)
    rarest = 100 * frequencies_at(max(CONFIG.imbalances), CONFIG.classes)[0]
    assert f"pale, {rarest:.1f} % of the bags" in " ".join(figure.get_supxlabel().split())
    assert {ax.get_title(loc="left") for ax in figure.axes} == {"soft", "hard"}


def test_a_part_of_the_paradigms_and_another_measure_can_be_drawn():
    one = example_departures(("hard",))
    assert len(departures(one, "attention").axes) == 6
    assert len(departing_classes(one).axes) == 1


def test_an_unknown_measure_is_refused(result):
    with pytest.raises(InputError, match="did you mean 'attention'"):
        departures(result, "attentoin")
