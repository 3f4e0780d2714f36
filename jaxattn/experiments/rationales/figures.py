"""Posts with attention and rationale drawn word by word, as letters: no text is markup."""

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from jaxattn.plots.canvas import new_grid
from jaxattn.plots.selection import require

__all__ = ["POSTS", "posts_drawn"]

POSTS = "posts"
"""Attribute of a result: words and rationales of the posts that are shown, as JSON."""

_MOST, _LINE = 10, 96
"""Posts of a figure, and letters of a line."""
_INCHES, _SIZE = 0.15, 6.5
"""Height of a line, and size of a letter, in a font whose letters are all as wide."""
_FONT = "DejaVu Sans Mono"
_ORDER = ("test", "validation", "train")


def posts_drawn(ds: xr.Dataset, paradigm: str) -> Figure:
    """Ten posts, those held out first, with the attention that one paradigm ends with.

    Args:
        ds: a result of the experiment, also half finished.
        paradigm: whose attention, that of the first seed.

    Raises:
        InputError: another kind of result.
    """
    require(ds, "posts_drawn", "rationales", "attention_shown")
    shown = ds["attention_shown"].sel(paradigm=paradigm, dynamics="train")
    last = shown.isel(save=-1, seed=0, learning_rate=0)
    posts = json.loads(ds.attrs.get(POSTS, "{}"))
    chosen = [
        (post, last.sel(split=split).isel(shown=at).values)
        for split in _ORDER
        for at, post in enumerate(posts.get(split, []))
    ][:_MOST]
    laid = [_places(post["words"]) for post, _ in chosen]
    lines = [1 + max((row for row, _ in places), default=0) for places in laid]
    height = sum(lines) + len(lines)
    figure, axes = new_grid(1, 1, 0.3 + _INCHES * height)
    ax, top = axes[0, 0], 0
    for (post, attention), places, count in zip(chosen, laid, lines, strict=True):
        _draw(ax, post, attention, [(top + row, column) for row, column in places])
        top += count + 1
    ax.set(xlim=(0, _LINE), ylim=(height, -0.5))
    ax.set_axis_off()
    return figure


def _places(words: list[str]) -> list[tuple[int, int]]:
    """Line and column of each word; a word longer than a line is on one of its own."""
    places, row, column = [], 0, 0
    for word in words:
        if column and column + len(word) > _LINE:
            row, column = row + 1, 0
        places.append((row, column))
        column += len(word) + 1
    return places


def _draw(
    ax: Axes, post: dict[str, Any], attention: np.ndarray, places: list[tuple[int, int]]
) -> None:
    share = attention[: len(places)]
    most = max(float(np.nanmax(share, initial=0.0)), 1e-12)
    for word, marked, value, (row, column) in zip(
        post["words"], post["rationale"], share, places, strict=True
    ):
        end = column + len(word)
        dark = 0.75 * float(np.nan_to_num(value)) / most
        ax.fill_between(
            [column - 0.2, end + 0.2], row - 0.45, row + 0.4, color="C1", alpha=dark, lw=0
        )
        if marked:
            ax.plot([column, end], [row + 0.42] * 2, color="0.1", lw=0.9)
        ax.text(
            column,
            row,
            _known_letters(word)[:_LINE],
            size=_SIZE,
            family=_FONT,
            va="center",
            parse_math=False,
            clip_on=True,
        )


def _known_letters(word: str) -> str:
    """The word, with a box for what the font does not have, of which it would complain."""
    known = get_font(findfont(FontProperties(family=_FONT))).get_charmap()
    return "".join(letter if ord(letter) in known else "\u25a1" for letter in word)
