"""Maps over segments and classes, drawn of a made-up result."""

import numpy as np
import pytest
from example_phase import CONFIG, example_phase
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex

from jaxattn import plots
from jaxattn.core.contracts import InputError
from jaxattn.experiments.phase.figures import focus_time_maps, lead_time_maps, leader_maps

PARADIGMS = ["soft", "hard", "lvml", "hybrid"]


@pytest.fixture(scope="module")
def result():
    return example_phase(failed=("hard",))


def mesh(ax):
    (found,) = (one for one in ax.collections if isinstance(one, QuadMesh))
    return found


def colours(ax):
    shown = mesh(ax)
    return [
        [to_hex(shown.cmap(shown.norm(value))).upper() for value in line]
        for line in np.ma.filled(shown.get_array(), np.nan)
    ]


@pytest.mark.parametrize(
    ("by", "name"), [("horizon", "largest_attention"), ("threshold", "first_to_focus")]
)
def test_a_cell_has_the_colour_of_its_leader_and_a_tie_is_grey(result, by, name):
    figure = leader_maps(result, by)
    maps = np.reshape(figure.axes, (2, 2))
    codes = {-1: "#D1D1D1", **{k: plots.COLOURS[one] for k, one in enumerate(PARADIGMS)}}
    for row, among in enumerate(("three", "all")):
        for column in range(2):
            expected = result[name].sel(among=among).isel({by: column}).values
            found = colours(maps[row, column])
            assert found == [[codes[int(code)].upper() for code in line] for line in expected]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["tie", "lvml"]


def test_cells_lie_around_their_sizes_on_both_logarithmic_axes(result):
    ax = focus_time_maps(result).axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    corners = mesh(ax).get_coordinates()
    for edges in (corners[0, :, 0], corners[:, 0, 1]):
        np.testing.assert_allclose(np.sqrt(edges[1:] * edges[:-1]), CONFIG.sizes, rtol=1e-12)
    assert (ax.get_ylabel(), figure_label(ax)) == ("segments m", "classes C")


def figure_label(ax):
    return [one.get_xlabel() for one in ax.figure.axes][2]


def test_times_to_focus_have_a_panel_each_and_one_scale_of_colours(result):
    figure = focus_time_maps(result, 0.5)
    maps = figure.axes[:4]
    assert [ax.get_title(loc="left") for ax in maps] == PARADIGMS
    times = result["time_to_focus"].sel(threshold=0.5)
    for ax, name in zip(maps, PARADIGMS, strict=True):
        shown = np.ma.filled(mesh(ax).get_array(), np.nan)
        np.testing.assert_array_equal(shown, times.sel(paradigm=name))
    assert len({(mesh(ax).norm.vmin, mesh(ax).norm.vmax) for ax in maps}) == 1
    assert "0.5" in figure.axes[-1].get_xlabel()
    assert "[m C]" in figure.axes[-1].get_xlabel()


def test_contours_are_labelled_and_left_out_where_everything_is_equal(result):
    figure = focus_time_maps(result)
    assert all(ax.texts for ax in figure.axes[:4])
    flat = result.assign(time_to_focus=0 * result["time_to_focus"] + 2.0)
    assert not any(ax.texts for ax in focus_time_maps(flat).axes[:4])


def test_every_pair_s_change_of_lead_is_a_map_and_what_never_happens_is_left_grey(result):
    figure = lead_time_maps(result)
    titles = [ax.get_title(loc="left") for ax in figure.axes[:3]]
    assert titles == ["hard over soft", "hard over lvml", "hybrid over lvml"]
    hidden = np.ma.getmaskarray(mesh(figure.axes[2]).get_array())
    assert hidden[0].all()
    assert not hidden[1:].any()
    assert to_hex(figure.axes[2].get_facecolor()) == "#d1d1d1"


def test_what_the_result_does_not_have_is_refused(result):
    with pytest.raises(InputError, match=r"threshold: got 0.7, expected one of \[0.5, 0.9\]"):
        focus_time_maps(result, 0.7)
    with pytest.raises(InputError, match="unknown by: got 'horizn'"):
        leader_maps(result, "horizn")
