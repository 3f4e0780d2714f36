"""The fixed-focus figure, drawn of a made-up result."""

import numpy as np
import pytest
from example_fixed_focus import example_fixed_focus, falls, rises

from jaxattn import plots
from jaxattn.experiments.fixed_focus.figures import fixed_focus

COURSES = {"soft": falls, "hard": rises, "lvml": rises}


@pytest.fixture(scope="module")
def result():
    return example_fixed_focus(COURSES, failed=1)


@pytest.fixture(scope="module")
def panels(result):
    """Loss above gap, a column a paradigm."""
    figure = fixed_focus(result)
    return figure, np.reshape(figure.axes, (2, 3))


def lines(ax, style):
    return [
        line for line in ax.lines if (line.get_linestyle() == style and len(line.get_xdata()) > 2)
    ]


def test_solid_is_the_median_after_the_steps_and_dashed_the_median_on_all_bags(result, panels):
    for row, name in enumerate(("loss", "gap")):
        for column, paradigm in enumerate(COURSES):
            one = result[name].sel(paradigm=paradigm, dynamics="train").isel(seed=slice(1, None))
            middle = one.median("seed")
            for style, split in (("-", "minibatch"), ("--", "train")):
                drawn = lines(panels[1][row, column], style)
                assert len(drawn) == 5
                for line, alpha in zip(drawn, result["alpha"].values, strict=True):
                    np.testing.assert_array_equal(line.get_xdata(), result["epoch"])
                    expected = middle.sel(alpha=alpha, split=split)
                    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)


def test_the_band_is_from_the_tenth_to_the_ninetieth_percent_of_the_finished_seeds(result, panels):
    band = panels[1][0, 1].collections[0].get_paths()[0].vertices[:, 1]
    one = result["loss"].sel(paradigm="hard", dynamics="train", split="minibatch", alpha=0.2)
    low, high = np.quantile(one.values[1:], (0.1, 0.9), axis=0)
    assert band.min() == pytest.approx(low.min())
    assert band.max() == pytest.approx(high.max())


def test_limits_are_thin_lines_with_their_values_and_equal_ones_are_drawn_once(panels):
    def values(ax):
        return [text.get_text() for text in ax.texts]

    _, axes = panels
    classes = 5
    assert values(axes[0, 0]) == ["0.00"]
    hard = [f"{(1 - alpha) * np.log(classes):.2f}" for alpha in (1, 0.8, 0.6, 0.4, 0.2)]
    assert values(axes[0, 1]) == hard
    assert values(axes[1, 1]) == ["0.0000", f"{0.01 * np.log(classes):.4f}"]
    assert len(values(axes[1, 2])) == 5
    for ax in axes.flat:
        flat = [line for line in ax.lines if len(line.get_xdata()) == 2]
        assert len(flat) == len(ax.texts)


def test_alphas_have_an_ordered_palette_that_is_no_paradigms_own(panels):
    _, axes = panels
    for ax in axes.flat:
        colours = [line.get_color() for line in lines(ax, "-")]
        assert not set(colours) & {colour.lower() for colour in plots.COLOURS.values()}
        rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours])
        luminance = rgb @ [0.2126, 0.7152, 0.0722]
        assert np.all(np.diff(luminance) < 0)


def test_axes_have_units_columns_their_rates_and_one_legend_names_everything(panels):
    figure, axes = panels
    assert axes[0, 0].get_ylabel() == r"loss $L(\alpha)$ [nat]"
    assert axes[1, 0].get_ylabel() == r"$L(\alpha)-L(\alpha+0.01)$ [nat]"
    assert {ax.get_xlabel() for ax in axes[1]} == {"epoch"}
    titles = [ax.get_title(loc="left") for ax in axes[0]]
    assert titles == [
        f"{n}, learning rate {r}" for n, r in zip(COURSES, (0.05, 0.01, 0.05), strict=True)
    ]
    assert all(ax.get_legend() is None for ax in axes.flat)
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert next(word for word in words if "alpha" in word) == r"$\alpha$ = 0.2"
    assert len(words) == 5 + 3


def test_the_caption_says_what_seeds_vary_and_what_was_left_out(panels):
    said = " ".join(panels[0].get_supxlabel().split())
    assert "5 seeds, which vary the initial parameters" in said
    assert "5 classes, 4 segments and 10 bags" in said
    assert "15 runs that failed are left out" in said


def test_one_seed_has_lines_and_no_band_and_none_has_limits_alone():
    one = fixed_focus(example_fixed_focus(COURSES, failed=4))
    assert all(not ax.collections for ax in one.axes)
    assert all(len(lines(ax, "-")) == 5 for ax in one.axes)
    none = fixed_focus(example_fixed_focus(COURSES, failed=5))
    assert all(not lines(ax, "-") and ax.texts for ax in none.axes)


def test_a_part_of_the_paradigms_can_be_drawn():
    assert len(fixed_focus(example_fixed_focus({"hard": rises})).axes) == 2
