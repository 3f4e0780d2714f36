"""Figures of the end of training: stacked cells, every seed, every learning rate, heat maps."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from seen import legend, said

from jaxattn import plots
from jaxattn.analysis.intervals import interval
from jaxattn.core.contracts import InputError, Status
from jaxattn.problems.measures import CELLS, EDGES

RATE = 0.05
FIGURES: dict[str, Callable[..., Axes]] = {
    "error_cells": plots.error_cells,
    "distribution": plots.distribution,
    "rate_sensitivity": plots.rate_sensitivity,
    "answer_map": plots.answer_map,
    "attention_on_images": plots.attention_on_images,
}


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    return example_result()


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def final(
    ds: xr.Dataset, name: str, paradigm: str, save: int = -1, rate: float = RATE
) -> np.ndarray:
    """Of the test split, by the paradigm's own rule: seeds first."""
    found = ds[name].sel(paradigm=paradigm, dynamics="train", learning_rate=rate, split="test")
    if "inference" in found.dims:
        rule = ds["natural_inference"].sel(paradigm=paradigm).item()
        found = found.sel(inference=rule)
    return found.isel(save=save).transpose("seed", ...).values


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "ds",
    [
        example_result(seeds=1, learning_rates=[RATE]),
        example_result(("mine", "soft", "yours"), seeds=2, splits=["train"], saves=3),
        example_result(seeds=40, paradigms=["soft"]),
        example_result().drop_attrs(),
        example_result(temperatures=[0.5, 2.0]).sel(paradigm="soft", seed=0, split="test"),
    ],
    ids=["one seed", "custom", "40 seeds", "bare", "selected"],
)
def test_every_result_is_drawn_without_a_warning(name: str, ds: xr.Dataset) -> None:
    ax = (
        FIGURES[name](ds, **({"paradigm": "mine"} if "mine" in ds["paradigm"] else {}))
        if (name == "answer_map")
        else FIGURES[name](ds)
    )
    ax.get_figure().canvas.draw()
    assert ax.has_data()
    assert name == "attention_on_images" or (ax.get_xlabel() and ax.get_ylabel())
    sizes = [text.get_fontsize() for text in ax.findobj(plt.Text) if text.get_text()]
    assert min(sizes) >= 8


@pytest.mark.parametrize("name", FIGURES)
def test_a_result_of_which_nothing_is_done_gives_empty_axes_and_the_reason(name: str) -> None:
    ds = end(example_result(), Status.DIVERGED)
    ax = FIGURES[name](ds)
    ax.get_figure().canvas.draw()
    count = {"rate_sensitivity": 48, "answer_map": 6}.get(name, 24)
    assert f"left out {count} of {count} runs: {count} diverged" in said(ax)
    assert not legend(ax)
    assert not [one for one in ax.lines if one.get_xdata().size]


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "attention_on_images"])
def test_a_measure_that_is_nowhere_known_is_drawn_without_a_warning(
    name: str, whole: xr.Dataset
) -> None:
    ds = whole.copy(deep=True)
    for measure in ("error_cell", "accuracy", "answer_map"):
        ds[measure][:] = np.nan
    ax = FIGURES[name](ds)
    ax.get_figure().canvas.draw()
    assert "NaN throughout" in said(ax)


@pytest.mark.parametrize(("at", "save"), [(None, -1), (60.0, 3)])
def test_bars_are_the_mean_cells_and_add_up_to_100_percent(
    at: float | None, save: int, whole: xr.Dataset
) -> None:
    ax = plots.error_cells(whole, at=at)
    for place, paradigm in enumerate(whole["paradigm"].values):
        expected = final(whole, "error_cell", paradigm, save).mean(axis=0)
        bars = [bar for bar in ax.patches if abs(bar.get_x() + bar.get_width() / 2 - place) < 0.1]
        np.testing.assert_allclose([bar.get_height() for bar in bars], expected)
        np.testing.assert_allclose(bars[-1].get_y() + bars[-1].get_height(), 100)
        colour = tuple(to_rgb(plots.COLOURS[paradigm]))
        assert bars[0].get_facecolor()[:3] == pytest.approx(colour)
    assert ("at step 60" if at else "at the end, step 200") in said(ax)
    assert [words.split(":")[0] for words in legend(ax)] == list(CELLS)


def test_a_whisker_is_the_interval_of_the_height_of_its_edge(whole: xr.Dataset) -> None:
    ax = plots.error_cells(whole, paradigms=["hard"])
    (whiskers,) = ax.collections
    cells = final(whole, "error_cell", "hard")
    expected = interval(np.cumsum(cells, axis=1).T[:-1])
    drawn = np.array([segment[:, 1] for segment in whiskers.get_segments()])
    np.testing.assert_allclose(drawn, np.clip([expected.low, expected.high], 0, 100).T)
    # The second edge is the accuracy.
    np.testing.assert_allclose(expected.mean[1], cells[:, :2].sum(axis=1).mean())


def test_one_seed_has_bars_and_no_whiskers() -> None:
    ax = plots.error_cells(example_result(seeds=1))
    assert len(ax.patches) == 16
    assert "whiskers" not in said(ax)


@pytest.mark.parametrize(("at", "save"), [(None, -1), (60.0, 3)])
def test_bars_of_a_class_are_its_mean_cells_and_add_up_to_100_percent(
    at: float | None, save: int, whole: xr.Dataset
) -> None:
    figure = plots.error_cells_by_class(whole, at=at)
    for ax, paradigm in zip(figure.axes, whole["paradigm"].values, strict=True):
        assert ax.get_title(loc="left").startswith(paradigm)
        every = final(whole, "error_cell_by_class", paradigm, save)
        own = (100 * every / every.sum(axis=-1, keepdims=True)).mean(axis=0)
        drawn = np.array([bar.get_height() for bar in ax.patches]).reshape(own.shape)
        np.testing.assert_allclose(drawn, own)
        middles = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
        np.testing.assert_allclose(middles, np.repeat([0, 1, 2], len(CELLS)))
        assert ticks(ax) == ["0", "1", "2"]
    assert ("at step 60" if at else "at the end, step 200") in figure.get_supxlabel()
    (names,) = figure.legends
    assert [one.get_text().split(":")[0] for one in names.get_texts()] == list(CELLS)


def test_a_class_without_examples_has_no_bar_and_a_seed_without_them_is_left_out() -> None:
    ds = example_result(("soft",), [RATE], seeds=3)
    ds["error_cell_by_class"].loc[{"class": 1}] = 0
    ds["error_cell_by_class"].loc[{"class": 2, "seed": 0}] = 0
    (ax,) = plots.error_cells_by_class(ds).axes
    heights = [bar.get_height() for bar in ax.patches]
    assert len(heights) == 2 * len(CELLS)
    every = final(ds, "error_cell_by_class", "soft")[1:, 2]
    own = (100 * every / every.sum(axis=-1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(heights[len(CELLS) :], own)


def test_a_result_that_does_not_tell_classes_apart_is_refused_by_error_cells_by_class() -> None:
    ds = example_result(seeds=1).drop_vars("error_cell_by_class")
    with pytest.raises(InputError, match=r"without error_cell_by_class.*at most 10 classes"):
        plots.error_cells_by_class(ds)


def test_what_is_left_out_or_unknown_is_said_below_the_cells_of_each_class() -> None:
    ds = example_result()
    one = plots.error_cells_by_class(end(ds, Status.DIVERGED, paradigm="hard", seed=[1]))
    assert "left out 1 of 24 runs: 1 diverged" in " ".join(one.get_supxlabel().split())
    for gone in (
        end(ds, Status.DIVERGED),
        ds.assign(error_cell_by_class=ds["error_cell_by_class"] * np.nan),
    ):
        none = plots.error_cells_by_class(gone)
        none.canvas.draw()
        assert not any(ax.patches for ax in none.axes)
        assert not none.legends
        assert "NaN throughout" in " ".join(none.get_supxlabel().split())


@pytest.mark.parametrize("count", [2, 4, 256])
def test_every_seed_has_its_point_beside_the_quantiles_of_all(count: int) -> None:
    ds = example_result(("soft", "hard"), learning_rates=[RATE], seeds=count, saves=3)
    ax = plots.distribution(ds, measure="attention_foreground")
    for place, paradigm in enumerate(("soft", "hard")):
        expected = final(ds, "attention_foreground", paradigm)
        marker = plots.style_of(paradigm).marker
        (points,) = [one for one in ax.lines if one.get_marker() == marker]
        np.testing.assert_array_equal(points.get_ydata(), expected)
        assert points.get_color() == plots.COLOURS[paradigm]
        assert np.all(np.abs(points.get_xdata() - place) < 0.5)
        drawn = np.concatenate(
            [
                one.get_ydata()
                for one in ax.lines
                if one is not points and abs(np.mean(one.get_xdata()) - place) < 0.5
            ]
        )
        for share in (0.1, 0.25, 0.5, 0.75, 0.9):
            assert np.min(np.abs(drawn - np.quantile(expected, share))) < 1e-12
    assert f"{count} seeds" in said(ax)


def test_seeds_that_differ_by_rounding_are_not_drawn_far_apart(whole: xr.Dataset) -> None:
    ds = whole.copy(deep=True)
    ds["attention_foreground"][:] = 0.05 + 1e-6 * ds["attention_foreground"]
    low, high = plots.distribution(ds, measure="attention_foreground").get_ylim()
    assert high - low >= 0.01 * 0.05
    assert low < 0.05 < high


def test_points_of_the_accuracy_are_read_by_each_paradigms_own_rule(whole: xr.Dataset) -> None:
    ax = plots.distribution(whole, at=100.0)
    (points,) = [one for one in ax.lines if one.get_marker() == "o"]
    np.testing.assert_array_equal(points.get_ydata(), final(whole, "accuracy", "soft", 5))
    assert ticks(ax)[0] == "soft\n(average-input)"
    assert ticks(plots.distribution(whole, inference="average-output"))[0] == "soft"


def test_a_line_over_the_rates_is_the_median_of_each_and_a_failed_rate_a_gap() -> None:
    rates = [0.1, 0.01, 0.05]
    ds = example_result(("soft", "hard"), learning_rates=rates)
    ds = end(ds, Status.DIVERGED, paradigm="hard", learning_rate=0.1)
    ds = end(ds, Status.DIVERGED, paradigm="hard", learning_rate=0.05, seed=[1, 2])
    ax = plots.rate_sensitivity(ds)
    assert ax.get_xscale() == "log"
    lines = {one.get_label().split(" (")[0]: one for one in ax.lines if "(" in one.get_label()}
    for name, line in lines.items():
        expected = [np.nanmedian(final(ds, "accuracy", name, rate=rate)) for rate in (0.01, 0.05)]
        np.testing.assert_array_equal(line.get_xdata(), sorted(rates))
        np.testing.assert_allclose(line.get_ydata()[:2], expected)
    assert np.isfinite(lines["soft"].get_ydata()[2])
    assert np.isnan(lines["hard"].get_ydata()[2])
    assert "left out 8 of 36 runs: 8 diverged; hollow: some seeds left out there" in said(ax)
    hollow = [one for one in ax.lines if one.get_mfc() == "white" and len(one.get_xdata())]
    assert [one.get_xdata().tolist() for one in hollow] == [[0.05, 0.1]]
    assert "learning rate" not in said(ax)


def test_one_rate_is_a_point_for_each_paradigm_side_by_side() -> None:
    ax = plots.rate_sensitivity(example_result(learning_rates=[RATE]))
    places = [one.get_xdata()[0] for one in ax.lines if len(one.get_xdata())]
    assert len(set(places)) == 4
    np.testing.assert_allclose(places, RATE, rtol=0.05)


def test_a_map_shows_the_mean_share_of_each_cell_between_the_fixed_edges(whole: xr.Dataset) -> None:
    for rule in (None, "average-input"):
        ax = plots.answer_map(whole, paradigm="hard", inference=rule)
        (mesh,) = [one for one in ax.collections if isinstance(one, QuadMesh)]
        at = {"inference": rule or "argmax-segment", "split": "test", "dynamics": "train"}
        shares = whole["answer_map"].sel(paradigm="hard", learning_rate=RATE, **at).isel(save=-1)
        expected = shares.mean("seed").transpose("answer_bin", "attention_bin").values
        np.testing.assert_allclose(mesh.get_array(), expected)
        np.testing.assert_array_equal(mesh.get_coordinates()[0, :, 0], EDGES)
        np.testing.assert_array_equal(mesh.get_coordinates()[:, 0, 1], EDGES)
        numbers = {tuple(t.get_position()): t.get_text() for t in ax.texts}
        # Attention runs to the right and the answer upwards.
        right_low = [text for (x, y), text in numbers.items() if x > 0.8 and y < 0.2]
        assert right_low == [f"{expected[0, 4]:.1f}"]
        assert f"hard, answers by {at['inference']}" in said(ax)


def test_the_maps_of_all_paradigms_are_read_as_published_and_by_their_own_rule(
    whole: xr.Dataset,
) -> None:
    figure = plots.answer_maps(whole)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[:4] == [
        "soft: average-input (published)",
        "soft: average-input (own rule)",
        "hard: average-input (published)",
        "hard: argmax-segment (own rule)",
    ]
    assert "mean over 6 seeds" in figure.get_supxlabel()
    assert len(plots.answer_maps(whole, paradigms=["lvml"]).axes) == 2


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda ds: plots.error_cells(ds, at=61.0), "got step 61, expected one.*60 or 80"),
        (lambda ds: plots.error_cells(ds, axis="epoch"), "unknown axis: got 'epoch'"),
        (
            lambda ds: plots.distribution(ds, at=1e9, axis="time"),
            "got time 1e.09, expected.*9 or 10",
        ),
        (lambda ds: plots.distribution(ds, measure="los"), "unknown measure.*did you mean 'loss'"),
        (lambda ds: plots.distribution(ds, measure="error_cell"), "has the axis 'cell'"),
        (lambda ds: plots.rate_sensitivity(ds, measure="los"), "unknown measure.*'loss'"),
        (lambda ds: plots.rate_sensitivity(ds, split="valid"), "unknown split: got 'valid'"),
        (lambda ds: plots.answer_map(ds, paradigm="sofd"), "got 'sofd'.*did you mean 'soft'"),
        (lambda ds: plots.answer_map(ds, inference="argmax"), "unknown inference rule"),
        (lambda ds: plots.answer_maps(ds, learning_rate=0.03), "got 0.03, expected one of"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_would_do(
    ask: Callable[[xr.Dataset], object], words: str, whole: xr.Dataset
) -> None:
    with pytest.raises(InputError, match=words):
        ask(whole)
    assert not plt.get_fignums()
