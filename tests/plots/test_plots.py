"""Figures draw the numbers of the result, leave out what is not done, and say so."""

from collections.abc import Callable
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from seen import legend, said

from jaxattn import compare, plots
from jaxattn.core.contracts import InputError, Status
from jaxattn.results.files import open_run, write_results

LAST_RATE = 0.05

FIGURES: dict[str, Callable[[xr.Dataset, Axes | None], Axes]] = {
    "focus": plots.focus,
    "accuracy": plots.accuracy,
    "learning": plots.learning,
    "beside_flow": plots.beside_flow,
    "mu_nu": plots.mu_nu,
}


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    return example_result(flow_seeds=2, theory=True)


def line(ax: Axes, label: str) -> Line2D:
    (found,) = [one for one in ax.lines if f"{one.get_label()} (".startswith(f"{label} (")]
    return found


def band(ax: Axes, colour: str) -> np.ndarray:
    """The corners of the band of this colour."""
    (found,) = [
        one
        for one in ax.collections
        if isinstance(one, PolyCollection) and to_hex(one.get_facecolor()[0]) == colour.lower()
    ]
    return found.get_paths()[0].vertices


def measured(ds: xr.Dataset, name: str, paradigm: str, dynamics: str = "train") -> xr.DataArray:
    at = {"paradigm": paradigm, "dynamics": dynamics, "learning_rate": LAST_RATE, "split": "test"}
    return ds[name].sel(at)


@pytest.mark.parametrize("name", FIGURES)
def test_the_title_of_a_figure_begins_with_the_setting(name: str, whole: xr.Dataset) -> None:
    assert "digits, learning rate 0.05" in said(FIGURES[name](whole, None))


def test_the_line_is_the_median_over_seeds_and_the_band_its_tenth_and_ninetieth_percent(
    whole: xr.Dataset,
) -> None:
    ax = plots.focus(whole)
    for paradigm in whole["paradigm"].values:
        values = measured(whole, "attention_foreground", paradigm)
        drawn = line(ax, paradigm)
        np.testing.assert_allclose(drawn.get_ydata(), values.median("seed"), rtol=1e-12)
        corners = band(ax, drawn.get_color())
        for x, low, high in zip(
            whole["step"].values,
            values.quantile(0.1, "seed").values,
            values.quantile(0.9, "seed").values,
            strict=True,
        ):
            here = corners[corners[:, 0] == x, 1]
            np.testing.assert_allclose([here.min(), here.max()], [low, high], rtol=1e-12)


def test_accuracy_is_read_by_each_paradigms_own_inference_rule(whole: xr.Dataset) -> None:
    ax = plots.accuracy(whole)
    for paradigm, rule in zip(
        whole["paradigm"].values, whole["natural_inference"].values, strict=True
    ):
        values = measured(whole, "accuracy", paradigm).sel(inference=rule)
        np.testing.assert_allclose(line(ax, paradigm).get_ydata(), values.median("seed"))
        assert f"{paradigm} ({rule})" in legend(ax)


def test_accuracy_is_read_by_one_rule_where_one_is_asked_for(whole: xr.Dataset) -> None:
    ax = plots.accuracy(whole, inference="average-output")
    values = measured(whole, "accuracy", "hard").sel(inference="average-output")
    np.testing.assert_allclose(line(ax, "hard").get_ydata(), values.median("seed"))
    assert "answers by average-output" in said(ax)
    assert "hard" in legend(ax)


@pytest.mark.parametrize("axis", ["step", "time", "gradients"])
def test_training_is_drawn_against_the_axis_asked_for(axis: str, whole: xr.Dataset) -> None:
    ax = plots.focus(whole, axis=axis)
    at = whole[axis]
    at = at.sel(learning_rate=LAST_RATE) if "learning_rate" in at.dims else at
    np.testing.assert_array_equal(line(ax, "soft").get_xdata(), at.values)
    assert ax.get_xlabel() == whole[axis].attrs["long_name"]


@pytest.mark.parametrize(("axis", "at"), [("step", 50), ("time", 2.5), ("gradients", 50 * 256)])
def test_a_thin_line_is_where_the_hybrid_switches(axis: str, at: float, whole: xr.Dataset) -> None:
    ax = plots.focus(whole, axis=axis)
    (switch,) = [one for one in ax.lines if one.get_label() == "hybrid switches"]
    np.testing.assert_allclose(switch.get_xdata(), at)


def test_no_switch_is_drawn_without_a_hybrid_or_where_it_lies_beyond_the_run() -> None:
    for ds in (
        example_result(("soft", "hard")),
        example_result().drop_vars("switch_time").assign_coords(switch_time=1e6),
    ):
        assert "hybrid switches" not in legend(plots.focus(ds))


def test_a_swept_switch_time_is_drawn_where_it_was_chosen() -> None:
    ds = example_result().drop_vars("switch_time").expand_dims(switch_time=[4.0, 8.0])
    (switch,) = [
        one for one in plots.focus(ds, axis="time").lines if one.get_label() == "hybrid switches"
    ]
    np.testing.assert_allclose(switch.get_xdata(), 4.0)


def test_rows_that_are_not_done_are_left_out_and_counted() -> None:
    ds = example_result()
    ds = end(ds, Status.DIVERGED, paradigm="hard", seed=[1, 4])
    ds = end(ds, Status.INTERRUPTED, paradigm="lvml", seed=[5])
    ax = plots.focus(ds)
    kept = measured(ds, "attention_foreground", "hard").sel(seed=[0, 2, 3, 5])
    np.testing.assert_allclose(line(ax, "hard").get_ydata(), kept.median("seed"))
    assert "left out 3 of 24 runs: 2 diverged, 1 interrupted" in said(ax)
    assert "4 to 6 seeds" in said(ax)


def test_values_of_a_failed_row_are_not_drawn_even_where_they_are_finite() -> None:
    ds = example_result(learning_rates=[LAST_RATE])
    ds["attention_foreground"].loc[{"seed": 0}] = 1e6
    ds["status"].loc[{"seed": 0}] = int(Status.DIVERGED)
    ax = plots.focus(ds)
    assert max(np.max(one.get_ydata()) for one in ax.lines) <= 1
    assert "left out 4 of 24 runs" in said(ax)


def test_rows_that_nobody_asked_for_are_not_counted_as_left_out(whole: xr.Dataset) -> None:
    assert (whole["status"].sel(dynamics="flow") == -1).any()
    for ax in (plots.focus(whole), plots.beside_flow(whole), plots.mu_nu(whole)):
        assert "left out" not in said(ax)


def test_a_paradigm_of_which_nothing_is_done_has_no_line_and_no_entry_in_the_legend() -> None:
    ds = end(example_result(learning_rates=[LAST_RATE]), Status.INTERRUPTED, paradigm="lvml")
    ax = plots.focus(ds)
    assert legend(ax) == ["soft", "hard", "hybrid", "hybrid switches"]
    assert "left out 6 of 24 runs: 6 interrupted" in said(ax)


@pytest.mark.parametrize("name", FIGURES)
def test_a_result_of_which_nothing_is_done_gives_empty_axes_and_the_reason(name: str) -> None:
    ds = example_result(flow_seeds=2, theory=True)
    ds["status"][:] = int(Status.SOLVER_FAILED)
    ax = FIGURES[name](ds, None)
    assert "solver failed" in said(ax)
    assert not ax.lines
    assert not legend(ax)
    ax.figure.canvas.draw()


def test_one_seed_has_a_line_and_no_band() -> None:
    ax = plots.focus(example_result(seeds=1))
    assert not ax.collections
    assert line(ax, "soft").get_ydata().size
    assert "1 seed" in said(ax)


def test_a_measure_that_is_nowhere_known_is_drawn_without_a_warning() -> None:
    ds = example_result()
    ds["attention_foreground"][:] = np.nan
    ax = plots.focus(ds)
    ax.figure.canvas.draw()
    assert "left out" not in said(ax)
    assert "NaN throughout" in said(ax)


def test_the_largest_learning_rate_at_which_every_paradigm_has_a_seed_is_drawn_unless_told() -> (
    None
):
    ds = example_result(learning_rates=[0.1, 0.02, 0.05])
    assert "learning rate 0.1" in said(plots.focus(ds))
    ds = end(ds, Status.DIVERGED, paradigm="hard", learning_rate=0.1)
    assert "learning rate 0.05" in said(plots.focus(ds))
    ax = plots.focus(ds, learning_rate=0.02)
    assert "learning rate 0.02" in said(ax)
    values = ds["attention_foreground"].sel(
        paradigm="soft", dynamics="train", learning_rate=0.02, split="test"
    )
    np.testing.assert_allclose(line(ax, "soft").get_ydata(), values.median("seed"))


def test_a_further_swept_axis_is_drawn_at_its_first_value_and_the_title_says_so() -> None:
    ds = example_result(temperatures=[0.5, 2.0])
    ax = plots.focus(ds)
    values = measured(ds, "attention_foreground", "soft").sel(temperature=0.5)
    np.testing.assert_allclose(line(ax, "soft").get_ydata(), values.median("seed"))
    assert "temperature 0.5" in said(ax)
    assert "temperature 2" in said(plots.focus(ds.sel(temperature=2.0)))


def test_a_selection_of_a_result_is_drawn_like_the_whole(whole: xr.Dataset) -> None:
    part = whole.sel(paradigm="hard", learning_rate=LAST_RATE, split="test")
    for draw in (plots.focus, plots.accuracy, plots.beside_flow):
        draw(part).figure.canvas.draw()
    np.testing.assert_array_equal(
        line(plots.focus(part), "hard").get_ydata(), line(plots.focus(whole), "hard").get_ydata()
    )
    one = whole.sel(seed=3, dynamics="train")
    np.testing.assert_allclose(
        line(plots.focus(one), "hard").get_ydata(),
        measured(whole, "attention_foreground", "hard").sel(seed=3),
    )


@pytest.mark.slow
def test_a_result_read_from_its_file_is_drawn_like_the_one_in_memory(
    whole: xr.Dataset, tmp_path: Path
) -> None:
    write_results(whole, tmp_path)
    for draw in (plots.accuracy, plots.beside_flow, plots.mu_nu):
        first, second = (draw(ds, Figure().subplots()) for ds in (whole, open_run(tmp_path)))
        assert (said(first), legend(first)) == (said(second), legend(second))
        for one, other in zip(first.lines, second.lines, strict=True):
            np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
            assert one.get_color() == other.get_color()


def test_a_paradigm_has_the_same_colour_in_every_figure(whole: xr.Dataset) -> None:
    every = example_result(tuple(plots.COLOURS), flow_seeds=2, theory=True)
    for name, colour in plots.COLOURS.items():
        for draw in (plots.focus, plots.accuracy, plots.beside_flow, plots.mu_nu):
            ax = draw(every, Figure().subplots(), paradigms=[name])
            assert {one.get_color() for one in ax.lines} == {colour}
    for name in ("soft", "hard", "lvml"):
        assert line(plots.focus(whole), name).get_color() == plots.COLOURS[name]


def test_custom_paradigms_get_colours_and_lines_of_their_own_whichever_are_drawn() -> None:
    names = ("mine", "soft", "hard", "lvml", "hybrid", "em", "yours", "theirs")
    styles = [plots.style_of(name, names) for name in names]
    assert len({style.colour for style in styles}) == len(names)
    assert len({str(style.line) for style in styles}) == len(names)
    assert len({style.marker for style in styles}) == len(names)
    ds = example_result(names)
    yours = line(plots.focus(ds), "yours").get_color()
    assert line(plots.focus(ds, paradigms=["yours"]), "yours").get_color() == yours
    assert line(plots.focus(ds.sel(paradigm=["yours"])), "yours").get_color() == yours


def test_a_flow_stands_beside_the_training_of_the_same_seeds_alone(whole: xr.Dataset) -> None:
    ax = plots.beside_flow(whole, paradigms=["soft"])
    train = measured(whole, "attention_foreground", "soft").sel(seed=[0, 1])
    flow = measured(whole, "attention_foreground", "soft", "flow").sel(seed=[0, 1])
    expected = [*train, train.median("seed"), flow.median("seed")]
    for drawn, values in zip(ax.lines, expected, strict=True):
        np.testing.assert_allclose(drawn.get_ydata(), values)
        np.testing.assert_array_equal(
            drawn.get_xdata(), whole["time"].sel(learning_rate=LAST_RATE).values
        )


def test_a_flow_whose_training_failed_is_left_out_and_counted(whole: xr.Dataset) -> None:
    ds = end(whole, Status.DIVERGED, paradigm="soft", seed=1)
    ax = plots.beside_flow(ds, paradigms=["soft"])
    train = measured(ds, "attention_foreground", "soft").sel(seed=0)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), train)
    assert len(ax.lines) == 2
    assert "left out 1 of 2 runs: 1 without training" in said(ax)


@pytest.mark.parametrize("quantity", ["mu", "nu", "attention_foreground"])
def test_theory_flow_and_training_are_drawn_over_one_another(
    quantity: str, whole: xr.Dataset
) -> None:
    ax = plots.mu_nu(whole, quantity=quantity, paradigms=["lvml"])
    at = {"paradigm": "lvml", "learning_rate": LAST_RATE, "split": "train"}
    seeds = {"theory": 1, "flow": 2, "train": 6}
    for drawn, (dynamics, count) in zip(ax.lines, seeds.items(), strict=True):
        values = whole[quantity].sel(dynamics=dynamics, seed=range(count), **at)
        np.testing.assert_allclose(drawn.get_ydata(), values.median("seed"))
    assert legend(ax) == ["lvml", "theory", "gradient flow", "training"]


def test_processes_that_a_result_does_not_have_are_not_named() -> None:
    assert legend(plots.mu_nu(example_result(("soft",)))) == ["soft", "training"]


def test_logarithmic_time_starts_after_zero(whole: xr.Dataset) -> None:
    ax = plots.mu_nu(whole, log=True)
    assert ax.get_xscale() == "log"
    assert all(np.min(one.get_xdata()) > 0 for one in ax.lines if one.get_xdata()[0] != 2.5)


def test_figures_of_several_panels_have_one_legend_for_all(whole: xr.Dataset) -> None:
    for figure, panels in (
        (plots.overview(whole), 2),
        (plots.population(whole), 3),
    ):
        assert len(figure.axes) == panels
        assert len(figure.legends) == 1
        assert not any(ax.get_legend() for ax in figure.axes)


def test_the_overview_says_below_what_was_run_and_what_was_left_out(whole: xr.Dataset) -> None:
    ds = end(whole, Status.DIVERGED, paradigm="hard", seed=2)
    caption = plots.overview(ds).get_supxlabel().replace("\n", " ")
    for words in (
        "digits, mlp, sgd, batches of 256, shuffled, learning rate 0.05, test split",
        "5 to 6 seeds, which vary the initial parameters",
        "left out 1 of 24 runs: 1 diverged",
    ):
        assert words in caption


def test_the_panels_of_the_population_say_once_below_what_their_time_is() -> None:
    ds = example_result(theory=True)
    ds["time"].attrs["long_name"] = "time: the optimiser's clock"
    figure = plots.population(ds)
    assert [ax.get_xlabel() for ax in figure.axes] == ["time"] * 3
    assert figure.get_supxlabel().endswith("; time: the optimiser's clock")


def test_a_figure_needs_no_description_of_the_run(whole: xr.Dataset) -> None:
    bare = whole.drop_attrs()
    assert "learning rate 0.05" in said(plots.focus(bare))
    assert plots.overview(bare).get_supxlabel().startswith("learning rate 0.05, test split: median")


def test_a_result_of_one_split_without_its_name_is_drawn_and_says_none(whole: xr.Dataset) -> None:
    figure = plots.overview(whole.sel(split="train", drop=True))
    assert "split" not in figure.get_supxlabel()
    drawn, named = (ax.lines[0].get_ydata() for ax in (figure.axes[0], plots.focus(whole)))
    trained = plots.focus(whole, split="train").lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, trained)
    assert not np.array_equal(drawn, named)


def test_bars_of_a_result_read_by_one_rule_do_not_claim_another(whole: xr.Dataset) -> None:
    ax = plots.error_cells(whole.sel(inference="average-output"))
    assert [label.get_text() for label in ax.get_xticklabels()] == [*whole["paradigm"].values]
    assert ax.get_xlabel() == "paradigm"


@pytest.mark.parametrize("layout", ["constrained", "tight", "none"])
def test_a_figure_that_is_saved_keeps_its_layout_window_and_size(
    layout: str, whole: xr.Dataset, tmp_path: Path
) -> None:
    figure = plt.figure(figsize=(5, 3), dpi=80, layout=layout)
    plots.focus(whole, figure.subplots())
    engine, manager = figure.get_layout_engine(), figure.canvas.manager
    plots.save(figure, tmp_path, "a")
    assert figure.get_layout_engine() is engine
    assert figure.canvas.manager is manager
    assert figure.get_dpi() == 80
    np.testing.assert_allclose(figure.get_size_inches(), (5, 3))
    plt.close(figure)


def test_equal_figures_are_saved_as_equal_bytes(whole: xr.Dataset, tmp_path: Path) -> None:
    for draw in (
        lambda: plots.overview(whole),
        lambda: plots.mu_nu(whole, log=True).figure,
    ):
        first = plots.save(draw(), tmp_path / "made" / "here", "figure")
        assert [path.name for path in first] == ["figure.png", "figure.svg"]
        content = [path.read_bytes() for path in first]
        assert content[0].startswith(b"\x89PNG")
        assert b"<svg" in content[1]
        assert [path.read_bytes() for path in plots.save(draw(), tmp_path, "again")] == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.png", "again.svg", "made"]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda ds: plots.focus(ds, axis="epoch"), "unknown axis: got 'epoch'.*expected.*step"),
        (lambda ds: plots.focus(ds, split="valid"), "unknown split: got 'valid'.*train"),
        (lambda ds: plots.focus(ds, learning_rate=0.03), "got 0.03, expected one of 0.02, 0.05"),
        (
            lambda ds: plots.focus(ds.sel(learning_rate=0.02), learning_rate=0.05),
            "got 0.05, expected one of 0.02",
        ),
        (lambda ds: plots.focus(ds, paradigms=["sofd"]), "got 'sofd'.*did you mean 'soft'"),
        (lambda ds: plots.accuracy(ds, inference="argmax"), "unknown inference rule: got 'argmax'"),
        (lambda ds: plots.learning(ds, measure="los"), "unknown measure.*did you mean 'loss'"),
        (lambda ds: plots.beside_flow(ds, measure="los"), "unknown measure.*did you mean 'loss'"),
        (lambda ds: plots.learning(ds, measure="status"), "unknown measure: got 'status'"),
        (
            lambda ds: plots.learning(ds, measure="error_cell"),
            r"has the axis 'cell'.*ds.sel\(cell='FTPT'\)",
        ),
        (lambda ds: plots.mu_nu(ds, quantity="xi"), "unknown quantity: got 'xi'"),
        (lambda ds: plots.focus(ds.sel(dynamics=["flow"])), "unknown dynamics: got 'train'"),
        (lambda ds: plots.beside_flow(ds.sel(dynamics=["train"])), "flow_seeds=2"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_would_do(
    ask: Callable[[xr.Dataset], object], words: str, whole: xr.Dataset
) -> None:
    with pytest.raises(InputError, match=words):
        ask(whole)
    assert not plt.get_fignums()


@pytest.mark.slow
@pytest.mark.needs_x64
def test_a_comparison_that_was_really_run_is_drawn_in_every_figure(tmp_path: Path) -> None:
    assert jax.config.jax_enable_x64
    ds = compare(
        "orthogonal-population",
        "linear",
        paradigms=("soft",),
        hypers={"learning_rate": 0.5},
        seeds=1,
        steps=20,
        saves=5,
        batch_size=None,
        flow_seeds=1,
        precision="float64",
    )
    for draw in FIGURES.values():
        assert draw(ds, Figure().subplots()).lines
    assert "full batch" in plots.overview(ds).get_supxlabel()
    plots.save(plots.population(ds), tmp_path, "population")
    # The linear model from zero: training, flow and theory lie on one curve.
    theory, flow, train = plots.mu_nu(ds, paradigms=["soft"]).lines
    np.testing.assert_allclose(flow.get_ydata(), theory.get_ydata(), atol=1e-4)
    np.testing.assert_allclose(train.get_ydata(), theory.get_ydata(), atol=0.2)
