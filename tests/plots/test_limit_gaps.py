"""Figures of training against its limits, drawn of a made-up result."""

import numpy as np
import pytest
import xarray as xr
from example_limits import END, POWERS, RATES, example_limits
from example_results import end, example_result
from matplotlib.figure import Figure

from jaxattn import plots
from jaxattn.analysis.limit_gaps import TOLERANCE
from jaxattn.core.contracts import InputError, Status

EDGE = 8.0
DRAWN = {
    "distance": plots.distance,
    "distances": plots.distances,
    "orders": plots.orders,
    "sharpness": plots.sharpness,
    "sharpnesses": plots.sharpnesses,
}


def named(ax):
    handles, labels = ax.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def words(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_distance_has_a_line_a_rate_in_shares_of_the_limits_way():
    ds = example_limits()
    ax = plots.distance(ds, limit="modified", paradigm="hard")
    assert ax.get_yscale() == "log"
    lines = named(ax)
    assert list(lines) == ["rate 0.4", "0.2", "0.1", "0.05", "0.025", "1 % of its way"]
    one = ds.sel(paradigm="hard", dynamics="modified", learning_rate=0.2)
    expected = one["distance"].median("seed") / one["moved"].isel(seed=0, save=-1)
    np.testing.assert_allclose(lines["0.2"].get_ydata(), expected[1:], rtol=1e-12)
    np.testing.assert_array_equal(lines["0.2"].get_xdata(), one["time"][1:])
    assert set(lines["1 % of its way"].get_ydata()) == {TOLERANCE}


def test_the_own_error_of_a_limit_is_a_thin_line_that_leaves_the_rest_readable():
    ds = example_limits(own_error=1e-5)
    line = named(plots.distance(ds, limit="flow", paradigm="hard"))["own error of the limit"]
    share = ds["time"][0, 1:] / END  # the limit's way is 1
    np.testing.assert_allclose(line.get_ydata(), 1e-5 * share, rtol=1e-12)
    level = named(plots.orders(ds))["own error of the modified flow"]
    assert set(level.get_ydata()) == {1e-5}
    bare = plots.orders(example_limits()).get_ylim()
    near = plots.orders(example_limits(own_error=0.02 * bare[0])).get_ylim()
    assert near == pytest.approx((0.01 * bare[0], bare[1]))
    # One that is far below, or not known, takes no room.
    for own in (1e-30, np.nan):
        ax = plots.orders(example_limits(own_error=own))
        assert ax.get_ylim() == pytest.approx(bare)
        assert not any("own error" in label for label in named(ax))
    one = plots.orders(example_limits(rates=(0.1,), own_error=1e-5))
    assert not any("own error" in label for label in named(one))


def rings(ax):
    """Where there are single marks."""
    marks = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()) == 1]
    return [(m.get_xdata()[0], m.get_ydata()[0]) for m in marks if np.isfinite(m.get_xdata()[0])]


def test_a_ring_is_where_training_leaves():
    (ring,) = rings(plots.distance(example_limits()))
    # 0.012 (t / END) 1.1 of the middle seed is 0.01 at 6.06: the save at 6.4 is the first to see.
    assert ring == pytest.approx((6.4, 0.0132 * 6.4 / END))
    assert rings(plots.distance(example_limits(), limit="modified")) == []


def test_panels_are_a_row_a_paradigm_and_a_column_a_limit_on_one_scale():
    figure = plots.distances(example_limits())
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        f"{name} and the {limit} flow"
        for name in ("soft", "hard")
        for limit in ("gradient", "modified")
    ]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    (legend,) = figure.legends
    assert words(legend)[0] == "rate 0.4"


def test_orders_have_their_slopes_in_the_legend_and_a_guide_of_the_expected_power():
    ds = example_limits()
    ax = plots.orders(ds)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert words(ax.get_legend()) == [
        "soft, flow: 1.00 [1.00, 1.00]",
        "hard, flow: 1.00 [1.00, 1.00]",
        "soft, modified: 2.00 [2.00, 2.00]",
        "hard, modified: 2.00 [2.00, 2.00]",
    ]
    line = named(ax)["hard, modified: 2.00 [2.00, 2.00]"]
    factor, power = POWERS["modified"]
    np.testing.assert_array_equal(line.get_xdata(), RATES)
    np.testing.assert_allclose(line.get_ydata(), 1.1 * factor * np.asarray(RATES) ** power)
    guides = [line for line in ax.lines if line.get_label().startswith("_")]
    slopes = [np.polyfit(np.log(g.get_xdata()), np.log(g.get_ydata()), 1)[0] for g in guides]
    np.testing.assert_allclose(slopes, [1, 2])
    assert [text.get_text() for text in ax.texts] == ["power 1", "power 2"]


def test_a_stochastic_limit_is_drawn_without_a_slope_or_a_guide():
    ax = plots.orders(example_limits(("soft",), powers={"sde": (0.1, 0.5)}))
    assert words(ax.get_legend()) == ["soft, sde"]
    assert len(ax.lines) == 1


def test_sharpness_has_the_edge_as_a_line_and_a_ring_where_training_reaches_it():
    ds = example_limits(sharpest=EDGE)
    ax = plots.sharpness(ds)
    assert words(ax.get_legend())[-2:] == ["flow", "edge: 2"]
    np.testing.assert_allclose(
        named(ax)["0.1"].get_ydata(),
        0.1 * ds["sharpness"].isel(paradigm=0, dynamics=0, learning_rate=2, seed=0),
    )
    (ring,) = rings(ax)
    # The edge is reached at 4/7 END = 4.57.
    assert ring == pytest.approx((4.8, 0.4 * (1 + 7 * 4.8 / END)))
    assert "edge: 3" in words(plots.sharpness(example_limits(optimiser="momentum")).get_legend())


def test_eigenvalues_below_the_largest_are_thin_lines_of_the_colour_of_their_rate():
    ds = example_limits(sharpest=EDGE)
    ranks = xr.DataArray([1.0, 0.5, 0.25], coords={"eigenvalue": [1, 2, 3]}, dims="eigenvalue")
    ax = plots.sharpness(ds.assign(eigenvalues=ds["sharpness"] * ranks))
    largest = named(ax)["0.1"]
    below = [line for line in ax.lines if line.get_color() == largest.get_color()]
    thin = [line for line in below if line.get_linewidth() < 1]
    for line, share in zip(thin, (0.5, 0.25), strict=True):
        np.testing.assert_allclose(line.get_ydata(), share * largest.get_ydata(), rtol=1e-6)
    assert "next eigenvalues" in words(ax.get_legend())
    assert "next eigenvalues" not in words(plots.sharpness(ds).get_legend())


def test_of_an_optimiser_whose_edge_is_of_something_else_none_is_drawn():
    ax = plots.sharpness(example_limits(sharpest=EDGE, optimiser="rmsprop"))
    assert words(ax.get_legend())[-1] == "flow"
    assert rings(ax) == []
    with pytest.raises(InputError, match="expected one of a constant learning rate"):
        plots.sharpness(example_limits(schedule="cosine"))


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_lost_is_left_out_and_said_and_what_has_no_limits_is_refused(name):
    lost = end(example_limits(), Status.DIVERGED, paradigm="soft", learning_rate=0.4)
    drawn = DRAWN[name](lost)
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure()
    parts = [ax.get_title(loc="left") for ax in figure.axes]
    parts.append(figure.get_supxlabel())
    assert any("left out" in text.replace("\n", " ") for text in parts)
    figure.savefig("/dev/null", format="png", dpi=30)
    DRAWN[name](end(example_limits(), Status.DIVERGED))
    DRAWN[name](example_limits(rates=(0.1,), seeds=1))
    with pytest.raises(InputError, match=r"against=\('flow', 'modified'\)"):
        DRAWN[name](example_result(flow_seeds=1))


def test_names_that_a_result_does_not_have_are_refused():
    with pytest.raises(InputError, match="unknown limit: got 'adam'"):
        plots.distance(example_limits(), limit="adam")
    with pytest.raises(InputError, match="did you mean 'soft'"):
        plots.sharpness(example_limits(), paradigm="sotf")


def test_the_gallery_of_a_result_with_limits_begins_with_them():
    ds = example_limits(sharpest=EDGE)
    drawings = plots.gallery(ds)
    assert [one.name for one in drawings][:3] == [
        "limit_distances",
        "limit_orders",
        "limit_sharpness",
    ]
    for one in drawings[:3]:
        assert len(one.caption.split()) > 30
        assert "over 3 seeds" in one.caption
    assert "the gradient flow and the modified flow" in drawings[0].caption
    assert "edge of stability, above" in drawings[2].caption
    assert "No edge" in plots.gallery(example_limits(optimiser="rmsprop"))[2].caption
    names = [one.name for one in plots.gallery(ds.sel(learning_rate=[0.4]))]
    assert "limit_orders" not in names
    assert not {"limit_distances"} & {
        one.name for one in plots.gallery(example_result(flow_seeds=2))
    }
