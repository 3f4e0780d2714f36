"""Where the attention goes on a mosaic one can see, before, during and after training."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from jaxattn.core.contracts import InputError
from jaxattn.plots.canvas import as_written, inches_of, new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, left_out, runs
from jaxattn.plots.frame import set_title
from jaxattn.plots.legends import legend_below, legend_patches
from jaxattn.plots.selection import Setting, choose, moment
from jaxattn.plots.style import SMALL, TEXT

__all__ = ["DRAWINGS", "attention_on_images"]

# Lengths in widths of a picture.
_BAR, _NUMBER, _GAP, _MARGIN = 0.13, 0.37, 0.5, 0.08
_IN_A_ROW = 5
"""A bag of so many segments is a strip; a longer one is nearly square."""
_ROOM = 0.26
"""Inches that a number needs: where there is less, the foreground alone has one."""

_LOOKS: dict[str, dict[str, Any]] = {
    "frame: the foreground": {"fill": False, "edgecolor": "black", "linewidth": 1.6},
    "bar and number: attention on the picture": {"facecolor": "0.5", "linewidth": 0},
}


class _Mosaic(NamedTuple):
    """One example: its pictures ``[segment, height, width(, colour)]``, and where they lie."""

    pictures: np.ndarray
    foreground: np.ndarray
    columns: int
    rows: int

    @property
    def tall(self) -> float:
        """Height of one picture in widths."""
        return float(self.pictures.shape[1] / self.pictures.shape[2])

    @property
    def step(self) -> tuple[float, float]:
        """The way from one mosaic to the next one, across and down."""
        return self.columns + _GAP, self.rows * (self.tall + _BAR + _NUMBER) + _GAP

    def corner(self, segment: int) -> tuple[float, float]:
        row, column = divmod(segment, self.columns)
        return float(column), row * (self.tall + _BAR + _NUMBER)


def attention_on_images(
    ds: xr.Dataset,
    ax: Axes | None = None,
    shown: int = 0,
    axis: str = "step",
    at: Sequence[float] | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    seed: int | None = None,
) -> Axes:
    """One mosaic and the attention on each of its pictures: paradigms down, saves across.

    The bar below a picture, and the number, is the attention on it; the foreground has a frame.
    All is of one seed; where seeds vary the data, of the first, whose pictures the result holds.

    Args:
        ds: a result of a task whose segments are pictures.
        ax: where to draw; by default on a new figure.
        shown: which of the examples that the result holds, from 0.
        axis: step, time or gradients: what `at` holds values of.
        at: which saves; by default the first, the middle one and the last.
        split: by default test where there is one.
        learning_rate: as for `jaxattn.plots.learning`.
        paradigms: which to draw; by default all.
        seed: by default the first of those that most paradigms have finished.

    Raises:
        InputError: no pictures in the result, or a name, learning rate, save, example or seed
            that it does not have.
    """
    if not {"picture", "attention_shown"} <= set(ds.data_vars):
        raise InputError(
            "attention_on_images: got a result without pictures, expected one of a task whose "
            "segments are pictures; give its Task a picture=(height, width)."
        )
    setting = choose(ds, learning_rate, paradigms, split)
    saves = _saves(setting, axis, at)
    mosaic = _mosaic(ds, setting.split, shown)
    drawn = [runs(setting, "attention_shown", name) for name in setting.paradigms]
    seed = _seed(ds, drawn, seed)
    across, down = mosaic.step
    wide, high = across * len(saves) - _GAP, down * len(drawn) - _GAP
    ax = new_axes(height=1.3 + 5.6 * high / wide) if ax is None else ax
    every = bool(inches_of(ax)[0] / wide >= _ROOM)
    for place, curve in enumerate(drawn):
        colour, top = setting.style(curve.paradigm).colour, place * down
        if seed not in curve.seeds:
            middle = top + (down - _GAP) / 2
            ax.text(0, middle, "did not finish", fontsize=SMALL, color=colour, va="center")
            continue
        run = curve.values[curve.seeds == seed][0, :, shown]
        for left, (save, _) in zip(np.arange(len(saves)) * across, saves, strict=True):
            _draw(ax, mosaic, (float(left), top), run[save], colour, every)
    ax.set_aspect("equal")
    ax.set(xlim=(-0.1, wide + 0.1), ylim=(high + 0.1, -0.1))
    middles = np.arange(len(saves)) * across + mosaic.columns / 2
    ax.set_xticks(middles, [words for _, words in saves], fontsize=TEXT)
    middles = np.arange(len(drawn)) * down + (down - _GAP) / 2
    ax.set_yticks(middles, [*map(as_written, setting.paradigms)], fontsize=TEXT)
    for label, name in zip(ax.get_yticklabels(), setting.paradigms, strict=True):
        label.set_color(setting.style(name).colour)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    whose = "" if ds["picture_seen"].values.all() else ", the first, whose data these are"
    finished = any(seed in curve.seeds for curve in drawn)
    set_title(
        ax,
        setting.title_words(setting.split_words, f"example {shown}", f"seed {seed}{whose}"),
        "" if finished else left_out(drawn),
    )
    legend_below(ax, legend_patches(_LOOKS) if finished else [])
    return ax


def _saves(setting: Setting, axis: str, at: Sequence[float] | None) -> list[tuple[int, str]]:
    """Numbers of the saves, and what to write below each."""
    if at is not None:
        moments = [moment(setting, axis, float(value)) for value in at]
        return [(save, words.removeprefix("at ")) for save, words in moments]
    last = moment(setting, axis).save
    places = {"before": 0, "during": last // 2, "after": last}
    saved = setting.ds[axis].values
    return [(save, f"{when}: {axis} {saved[save]:g}") for when, save in places.items()]


def _mosaic(ds: xr.Dataset, split: str, shown: int) -> _Mosaic:
    at = {"split": split} if "split" in ds["picture"].dims else {}
    pictures = ds["picture"].sel(at).values.astype(float)
    held = np.isfinite(pictures).any(axis=tuple(range(1, pictures.ndim)))
    if not 0 <= shown < held.sum():
        raise InputError(
            f"shown: got {shown}, expected 0 to {held.sum() - 1}: the result holds the pictures of "
            f"{held.sum()} examples; pick one of these."
        )
    pictures = pictures[shown]
    low, high = np.nanmin(pictures), np.nanmax(pictures)
    pictures = (pictures - low) / max(high - low, np.finfo(float).tiny)
    count = len(pictures)
    columns = count if count <= _IN_A_ROW else math.isqrt(count - 1) + 1
    foreground = ds["picture_foreground"].sel(at).values[shown]
    return _Mosaic(pictures, foreground, columns, -(-count // columns))


def _seed(ds: xr.Dataset, drawn: list[Curves], seed: int | None) -> int:
    """The seed to draw: the one asked for, or the first that most paradigms have finished."""
    every = np.atleast_1d(ds["seed"].values)
    seen = every[np.atleast_1d(ds["picture_seen"].values).astype(bool)]
    if seed is not None and seed not in seen:
        known = ", ".join(map(str, seen)) or "none of this selection"
        raise InputError(
            f"seed: got {seed}, expected one whose data the pictures are of: {known}; pick one of "
            "these."
        )
    if not seen.size:
        raise InputError(
            f"seed: got a selection of seeds {', '.join(map(str, every))}, expected the first seed "
            "of the run, as seeds vary the data and its pictures are held; select it too."
        )
    finished = [sum(number in curve.seeds for curve in drawn) for number in seen]
    return int(seen[int(np.argmax(finished))]) if seed is None else seed


def _draw(
    ax: Axes,
    mosaic: _Mosaic,
    at: tuple[float, float],
    attention: np.ndarray,
    colour: str,
    every: bool,
) -> None:
    """The pictures of a mosaic, each with its attention; `every` one of them has its number."""
    tall = mosaic.tall
    for segment, (picture, share) in enumerate(zip(mosaic.pictures, attention, strict=True)):
        if not np.isfinite(picture).all():
            continue
        x, y = (sum(pair) for pair in zip(at, mosaic.corner(segment), strict=True))
        left, right, top = x + _MARGIN, x + 1 - _MARGIN, y + _MARGIN * tall
        low = y + (1 - _MARGIN) * tall
        look: dict[str, Any] = {"vmin": 0, "vmax": 1, "cmap": "gray", "interpolation": "nearest"}
        ax.imshow(picture, extent=(left, right, low, top), **look)
        for length, face in ((1.0, "0.88"), (share, colour)):
            size = (length * (right - left), _BAR)
            ax.add_patch(Rectangle((left, y + tall + 0.03), *size, facecolor=face, linewidth=0))
        on = bool(mosaic.foreground[segment])
        if on:
            ax.add_patch(Rectangle((x, y), 1, tall, fill=False, edgecolor="black", linewidth=1.6))
        if every or on:
            ax.text(
                x + 0.5,
                y + tall + _BAR + 0.06,
                f"{share:.2f}",
                ha="center",
                va="top",
                fontsize=SMALL,
                fontweight="bold" if on else "normal",
                in_layout=False,
            )


def _drawings(story: Story) -> Iterator[Drawing]:
    ds = story.ds
    shown = {"picture", "picture_seen"} <= set(ds.data_vars) and story.runs("attention_shown")
    if shown and ds["picture_seen"].any():
        yield story.drawing(
            "attention_on_images",
            "The attention on one example",
            "The segments of the first example as pictures, and below each a bar and a number: the "
            "attention on it before, during and after training of one seed, a row a paradigm; "
            f"{story.where}. The foreground has a frame: once a paradigm knows where to look, the "
            "bar below it is full and the others are empty.",
            attention_on_images,
        )


DRAWINGS = (Entry(120, _drawings, attention=True),)
