"""The theory figure, late laws and the phase portrait, drawn of a made-up result."""

import numpy as np
import pytest
from example_theory import NAMES, UNIT, example_theory
from matplotlib.collections import QuadMesh
from matplotlib.quiver import Quiver

from jaxattn import plots
from jaxattn.experiments.theory.figures import closed_forms, late_focus, panels
from jaxattn.experiments.theory.phase_portrait import phase_portrait


@pytest.fixture(scope="module")
def result():
    return example_theory()


def of_colour(ax, name, marked):
    """Lines in a paradigm's colour, or its markers without a line."""
    return [
        line
        for line in ax.lines
        if line.get_color() == plots.COLOURS[name] and (line.get_linestyle() == "None") == marked
    ]


def test_lines_are_the_closed_forms_and_markers_the_ode(result):
    figure = closed_forms(result)
    for ax, quantity in zip(figure.axes, ("mu", "nu", "alpha", "beta", "loss"), strict=False):
        for name in NAMES:
            one = result[quantity].sel(paradigm=name)
            (line,) = of_colour(ax, name, marked=False)
            np.testing.assert_array_equal(line.get_ydata(), one.sel(dynamics="closed-form"))
            (marks,) = of_colour(ax, name, marked=True)
            places = np.searchsorted(result["time"].values, marks.get_xdata())
            np.testing.assert_array_equal(marks.get_ydata(), one.sel(dynamics="ode")[places])
            assert 5 < len(places) < 25


def test_panels_are_mu_nu_and_alpha_of_the_first_process_under_one_legend(result):
    for ds, first in ((result, "closed-form"), (result.isel(dynamics=[1]), "ode")):
        figure = panels(ds)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == list(NAMES)
        assert not any(ax.get_legend() for ax in figure.axes)
        assert figure.axes[0].get_title(loc="left") == "4 segments, 5 classes"
        for ax, quantity in zip(figure.axes, ("mu", "nu", "alpha"), strict=True):
            assert ax.get_xlabel()
            assert ax.get_ylabel().startswith(quantity)
            for name in NAMES:
                (line,) = of_colour(ax, name, marked=False)
                values = result[quantity].sel(paradigm=name, dynamics=first)
                np.testing.assert_array_equal(line.get_ydata(), values)
                np.testing.assert_array_equal(line.get_xdata(), result["time"])


def test_panels_leave_out_what_was_not_solved_and_say_so():
    figure = panels(example_theory(failed={"hard": 1}))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["soft", "lvml"]
    assert not any(of_colour(ax, "hard", marked=False) for ax in figure.axes)
    assert "not solved: hard" in figure.axes[0].get_title(loc="left")


def test_panels_of_a_long_horizon_have_time_on_a_logarithmic_axis(result):
    long = result.assign_coords(time=result["time"] * 20)
    for ds, scale in ((result, "linear"), (long, "log")):
        for ax in panels(ds).axes:
            assert ax.get_xscale() == scale
            assert (min(ax.lines[0].get_xdata()) > 0) == (scale == "log")


def test_the_last_panel_is_the_largest_difference_so_far(result):
    ax = closed_forms(result).axes[5]
    assert ax.get_yscale() == "log"
    (line,) = of_colour(ax, "hard", marked=False)
    found = line.get_ydata()
    assert np.all(np.diff(found[1:]) >= 0)
    assert found[-1] == pytest.approx(3e-10, rel=1e-4)


def test_what_was_not_solved_is_left_out():
    figure = closed_forms(example_theory(failed={"hard": 1}))
    (marks,) = of_colour(figure.axes[0], "hard", marked=True)
    assert np.isnan(marks.get_ydata()).all()
    (line,) = of_colour(figure.axes[0], "hard", marked=False)
    assert np.isfinite(line.get_ydata()).all()


def test_late_laws_are_dotted_and_changes_of_lead_are_dots_where_they_happen(result):
    figure = late_focus(result)
    ahead, falls = figure.axes
    dots = [line for line in of_colour(ahead, "hard", marked=True) if len(line.get_xdata()) == 1]
    assert [float(dot.get_xdata()[0]) for dot in dots] == pytest.approx([2.0, 3.0])
    assert [float(dot.get_ydata()[0]) for dot in dots] == pytest.approx([0.0, 1.0], abs=0.05)
    curve, law = of_colour(falls, "hard", marked=False)
    assert curve.get_ydata()[-1] == pytest.approx(0.1)
    assert law.get_ydata()[-1] == pytest.approx(0.05)
    assert np.all(law.get_xdata() > 1)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == [*NAMES, "leading law", "takes the lead"]


def test_the_portrait_draws_every_orbit_in_its_paradigm_s_colour_and_the_field_beneath(result):
    figure = phase_portrait(result)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == list(NAMES)
    for ax, name in zip(figure.axes, NAMES, strict=False):
        assert len(of_colour(ax, name, marked=False)) == result.sizes["start"]
        (field,) = (one for one in ax.collections if isinstance(one, Quiver))
        # Equal on paper: the box is as wide as it is high here, so slopes are those of the field.
        np.testing.assert_allclose(np.hypot(field.U, field.V), 1.0, rtol=1e-12)
        rows = field.XY[:, 1]
        np.testing.assert_allclose(field.V / field.U, (0.1 + rows) / 0.5, rtol=1e-12)
        assert any(isinstance(one, QuadMesh) for one in ax.collections)


def test_the_last_panel_joins_the_states_of_equal_time(result):
    ax = phase_portrait(result).axes[3]
    assert [text.get_text() for text in ax.texts] == ["1", "1.5", "3"]
    joints = [line for line in ax.lines if line.get_color() == "0.4"]
    assert len(joints) == 3
    one = result.sel(paradigm="soft", dynamics="closed-form")
    expected = np.interp(3 * UNIT, one["time"], one["mu"])
    assert np.isclose(joints[-1].get_xdata(), expected).any()
