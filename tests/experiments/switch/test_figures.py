"""The figures of the switch and schedule experiments, drawn of made-up results."""

import numpy as np
import pytest
from example_hybrids import CLASSES, HORIZONS, SEGMENTS, example_schedule, example_switch
from matplotlib.colors import to_hex

from jaxattn.experiments.schedule.figures import schedule_shares, schedule_switching
from jaxattn.experiments.switch.figures import switch_curves, switch_scaling

SIZES = [f"{m} segments, {c} classes" for m in SEGMENTS for c in CLASSES]


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes]


def words(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_a_panel_a_size_has_a_curve_a_horizon_and_a_dot_at_the_best_switch():
    ds = example_switch()
    figure = switch_curves(ds)
    assert titles(figure) == SIZES
    for ax, (m, c) in zip(figure.axes, [(m, c) for m in SEGMENTS for c in CLASSES], strict=True):
        one = ds.sel(segments=m, classes=c)
        curves, dots = ax.lines[0::2], ax.lines[1::2]
        assert len(curves) == len(dots) == len(HORIZONS)
        for place, (curve, dot) in enumerate(zip(curves, dots, strict=True)):
            np.testing.assert_array_equal(curve.get_ydata(), one["missing"][place])
            np.testing.assert_array_equal(curve.get_xdata(), ds["switch_time"][place])
            assert dot.get_xdata() == [float(one["best_switch"][place])]
            assert curve.get_color() == dot.get_color()
    (legend,) = figure.legends
    assert words(legend) == ["horizon 1", "horizon 4", "horizon 16", "best"]


def test_a_size_that_was_not_solved_has_no_dot():
    figure = switch_curves(example_switch(failed=1))
    assert [len(ax.lines) for ax in figure.axes] == [5, 6, 6, 6]


def test_scaling_is_against_the_horizon_and_against_the_segments_with_the_law():
    ds = example_switch()
    left, right = switch_scaling(ds).axes
    lines = {line.get_label(): line for line in left.lines}
    np.testing.assert_array_equal(
        lines["10, 4"].get_ydata(), ds["best_switch"].sel(segments=10, classes=4)
    )
    diagonal = lines["soft to the end"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert words(right.get_legend()) == ["4 classes", "100 classes", "many segments"]
    solid = [line for line in right.lines if line.get_marker() != "None"]
    np.testing.assert_array_equal(solid[0].get_xdata(), SEGMENTS)
    dashed = [line for line in right.lines if len(line.get_xdata()) == 2 and line not in solid]
    heights = [line.get_ydata()[0] for line in dashed]
    np.testing.assert_allclose(heights, np.sqrt(np.pi * np.array([4 / 6, 100 / 198])))


def test_shares_are_steps_the_best_thick_with_the_best_hybrid_at_the_top():
    ds = example_schedule()
    figure = schedule_shares(ds)
    assert titles(figure) == SIZES
    for ax in figure.axes:
        widths = [step.get_linewidth() for step in ax.patches]
        assert len(widths) == 3 * len(HORIZONS)
        assert sum(width > 1 for width in widths) == len(HORIZONS)
        # At the first horizon soft to the end is best, and no hybrid switches.
        marks = [float(line.get_xdata()[0]) for line in ax.lines]
        assert marks == pytest.approx([0.6 * 4, 0.6 * 16])
    first = figure.axes[0].patches[-1].get_data()
    np.testing.assert_array_equal(first.values, [1, 1, 1, 0.3, 0, 0])


def test_starts_that_failed_are_not_drawn():
    figure = schedule_shares(example_schedule(failed=2))
    assert {len(ax.patches) for ax in figure.axes} == {len(HORIZONS)}
    nothing = schedule_switching(example_schedule(failed=3))
    assert all(len(ax.lines) == 1 for ax in nothing.axes), "the line at 0 alone"


def test_the_switching_function_is_red_where_it_and_the_schedule_disagree():
    def red(figure):
        return [
            line
            for ax in figure.axes
            for line in ax.lines
            if to_hex(line.get_color()).lower() == "#cc0000"
        ]

    assert red(schedule_switching(example_schedule())) == []
    (line,) = red(schedule_switching(example_schedule(wrong=True)))
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == pytest.approx((0, 4 / 6))


def test_the_switching_function_is_scaled_to_one_and_times_time():
    ds = example_schedule()
    ax = schedule_switching(ds).axes[0]
    for place, line in enumerate(ax.lines[: len(HORIZONS)]):
        assert np.max(np.abs(line.get_ydata())) == pytest.approx(1)
        one = ds.isel(segments=0, classes=0, horizon=place)
        expected = one["time"] * one["switching"]
        np.testing.assert_allclose(line.get_ydata(), expected / np.abs(expected).max())
