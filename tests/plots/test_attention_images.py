"""The attention drawn on a mosaic is that of the example, seed and saves it says."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from example_results import SEGMENTS, end, example_result
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from seen import said

from jaxattn import plots
from jaxattn.core.contracts import InputError, Status

RATE = 0.05


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    return example_result(("soft", "hard"))


def rectangles(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def bars(ax: Axes, colour: str) -> np.ndarray:
    """Lengths of the bars of this colour, full bars being 1, in the order drawn."""
    full = next(r.get_width() for r in rectangles(ax) if r.get_facecolor() == to_rgba("0.88"))
    found = [r.get_width() for r in rectangles(ax) if r.get_facecolor() == to_rgba(colour)]
    return np.array(found) / full


def frames(ax: Axes) -> list[tuple[float, float]]:
    return [r.get_xy() for r in rectangles(ax) if not r.get_fill()]


def attention(
    ds: xr.Dataset, paradigm: str, seed: int, shown: int, split: str = "test"
) -> np.ndarray:
    at = {"paradigm": paradigm, "dynamics": "train", "learning_rate": RATE, "split": split}
    return ds["attention_shown"].sel(at).sel(seed=seed, shown=shown).values


@pytest.mark.parametrize("shown", [0, 3])
def test_bars_and_numbers_are_the_attention_before_during_and_after(
    shown: int, whole: xr.Dataset
) -> None:
    ax = plots.attention_on_images(whole, shown=shown)
    for name in ("soft", "hard"):
        expected = attention(whole, name, 0, shown)[[0, 5, 10]]
        np.testing.assert_allclose(bars(ax, plots.COLOURS[name]), expected.ravel())
        for share in expected.ravel():
            assert f"{share:.2f}" in {text.get_text() for text in ax.texts}
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["before: step 0", "during: step 100", "after: step 200"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["soft", "hard"]
    assert f"test split, example {shown}, seed 0" in said(ax)


def test_the_pictures_are_those_of_the_example_and_the_foreground_is_framed(
    whole: xr.Dataset,
) -> None:
    ax = plots.attention_on_images(whole, shown=1, split="train")
    held = whole["picture"].sel(split="train", shown=1).values
    scaled = (held - held.min()) / (held.max() - held.min())
    assert len(ax.images) == 2 * 3 * SEGMENTS
    for image, expected in zip(ax.images, np.tile(scaled, (6, 1, 1)), strict=True):
        np.testing.assert_allclose(image.get_array(), expected, atol=1e-6)
    place = int(np.argmax(whole["picture_foreground"].sel(split="train", shown=1).values))
    first = ax.images[place].get_extent()
    assert len(frames(ax)) == 6
    assert frames(ax)[0][0] < first[0] < frames(ax)[0][0] + 1


def test_the_saves_asked_for_are_drawn(whole: xr.Dataset) -> None:
    ax = plots.attention_on_images(whole, at=[0.0, 2.0], axis="time", paradigms=["hard"])
    expected = attention(whole, "hard", 0, 0)[[0, 2]]
    np.testing.assert_allclose(bars(ax, plots.COLOURS["hard"]), expected.ravel())
    assert [label.get_text() for label in ax.get_xticklabels()] == ["time 0", "time 2"]


def test_the_first_seed_that_most_paradigms_have_finished_is_drawn(whole: xr.Dataset) -> None:
    ds = end(whole, Status.DIVERGED, paradigm="hard", seed=[0, 1])
    ax = plots.attention_on_images(ds)
    assert "seed 2" in said(ax)
    np.testing.assert_allclose(
        bars(ax, plots.COLOURS["soft"])[:SEGMENTS], attention(ds, "soft", 2, 0)[0]
    )
    ax = plots.attention_on_images(ds, seed=1)
    assert not bars(ax, plots.COLOURS["hard"]).size
    assert "did not finish" in {text.get_text() for text in ax.texts}


def test_where_seeds_vary_the_data_only_the_first_is_drawn_and_the_title_says_so() -> None:
    ds = example_result(("soft", "hard"), vary=["data"])
    ax = plots.attention_on_images(end(ds, Status.DIVERGED, paradigm="hard", seed=0))
    assert "seed 0, the first, whose data these are" in said(ax)
    for ask in (lambda: plots.attention_on_images(ds, seed=1),):
        with pytest.raises(
            InputError, match="got 1, expected one whose data the pictures are of: 0"
        ):
            ask()
    with pytest.raises(InputError, match=r"got a selection of seeds 1, 2, expected the first seed"):
        plots.attention_on_images(ds.sel(seed=[1, 2]))


def test_colours_and_padding_and_longer_bags_are_drawn(whole: xr.Dataset) -> None:
    colour = example_result(("soft",), picture=(4, 6, 3))
    assert plots.attention_on_images(colour).images[0].get_array().shape == (4, 6, 3)
    padded = whole.copy(deep=True)
    padded["picture"][:, :, SEGMENTS - 1] = np.nan
    assert len(plots.attention_on_images(padded).images) == 2 * 3 * (SEGMENTS - 1)
    long = xr.concat(
        [whole.isel(segment=[i % SEGMENTS]) for i in range(12)], "segment", data_vars="minimal"
    )
    ax = plots.attention_on_images(long)
    assert len(ax.images) == 2 * 3 * 12
    ax.get_figure().canvas.draw()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda ds: plots.attention_on_images(ds.drop_vars("picture")),
            r"got a result without pictures.*picture=\(height, width\)",
        ),
        (lambda ds: plots.attention_on_images(ds, shown=4), "got 4, expected 0 to 3"),
        (lambda ds: plots.attention_on_images(ds, shown=-1), "got -1, expected 0 to 3"),
        (
            lambda ds: plots.attention_on_images(ds, seed=99),
            "got 99, expected one.*0, 1, 2, 3, 4, 5",
        ),
        (lambda ds: plots.attention_on_images(ds, at=[7.0]), "got step 7, expected one.*0 or 20"),
        (lambda ds: plots.attention_on_images(ds, split="valid"), "unknown split"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_would_do(
    ask: Callable[[xr.Dataset], object], words: str, whole: xr.Dataset
) -> None:
    with pytest.raises(InputError, match=words):
        ask(whole)
    assert not plt.get_fignums()
