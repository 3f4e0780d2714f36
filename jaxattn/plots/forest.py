"""The answers to the questions of a result: differences between paradigms with their intervals."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.measures import measure_named, title_of
from jaxattn.analysis.subject import problem_word
from jaxattn.analysis.wording import interval_words, number_words
from jaxattn.core.contracts import InputError
from jaxattn.plots.canvas import as_written, new_grid, wrapped
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.frame import clauses, format_axes, words_of
from jaxattn.plots.legends import legend_below, legend_handles, one_legend
from jaxattn.plots.selection import choose
from jaxattn.plots.style import SMALL, TEXT
from jaxattn.results.dataset import spec_of

__all__ = ["DRAWINGS", "answers"]

_SAME = "same so far"
_LOOKS: Mapping[str, Mapping[str, Any]] = {
    "differs": {"marker": "o", "color": "#000000", "mfc": "#000000"},
    "equal": {"marker": "s", "color": "#2F6F9F", "mfc": "#2F6F9F"},
    "undecided": {"marker": "D", "color": "#B35C00", "mfc": "white"},
    _SAME: {"marker": "o", "color": "0.5", "mfc": "white"},
}
"""How a verdict looks, told apart by its form where colour is lost; and what has none."""

_WORDS = {
    "differs": "differs: the interval is off 0",
    "equal": "equal: the interval is in the grey band",
    "undecided": "undecided",
    _SAME: "0 in every seed so far",
}
_MINUS = " \N{MINUS SIGN} "
_LONG = 20
"""Letters of a pair whose panel needs the width of the figure."""

_ROW, _FRAME, _TITLE = 0.2, 0.85, 1.7
"""Inches of a contrast, of what is above and below those of a panel, and of a line of its title."""

Contrast = Mapping[str, Any]
"""A line of `jaxattn.analysis.contrasts.contrasts`."""


class _Panel(NamedTuple):
    """The contrasts of one question in one measure."""

    title: str
    label: str
    contrasts: Sequence[Contrast]


def answers(ds: xr.Dataset, table: pd.DataFrame | None = None) -> Figure:
    """Differences between paradigms with their intervals: a panel a question, a row a pair.

    A thin line is the simultaneous 95 % interval, by which the verdict goes, a thick one that of
    the pair on its own; an arrow is an end that is open. Of axes that were swept beside the
    learning rate the first value is drawn.

    Args:
        ds: a result.
        table: its `jaxattn.analysis.contrasts.contrasts`, where the caller has them already.

    Raises:
        InputError: not a result, or one without contrasts.
    """
    point = choose(ds).ds
    table = contrasts(ds) if table is None else table
    panels = list(_panels(point, _drawn(table, point)))
    if not panels:
        raise InputError(
            "answers: got a result without contrasts, expected one in which two paradigms or more "
            "finished; compare several."
        )
    counts = [len(panel.contrasts) for panel in panels]
    longest = max(len(_pair_words(one)) for panel in panels for one in panel.contrasts)
    columns = 2 if len(panels) > 1 and longest <= _LONG else 1
    rows = -(-len(panels) // columns)
    most = [max(counts[at : at + columns]) for at in range(0, len(counts), columns)]
    heights = [_FRAME + _ROW * count for count in most]
    figure, grid = new_grid(rows, columns, 0.8 + sum(heights), heights)
    for ax, panel in zip(grid.flat, panels, strict=False):
        _draw(ax, panel)
    for ax in list(grid.flat)[len(panels) :]:
        ax.set_axis_off()
    same = any(contrast["same"] for panel in panels for contrast in panel.contrasts)
    looks = {
        _WORDS[name]: {**look, "ls": "none", "markersize": 6}
        for name, look in _LOOKS.items()
        if same or name != _SAME
    }
    legend_below(grid.flat[0], legend_handles(looks), columns=2)
    said = clauses(
        _where(point, table),
        "first minus second of each pair, seed by seed",
        "thin lines: simultaneous 95 % intervals, thick: each on its own",
        "grey: what counts as equal",
        "right: seeds on the side of the estimate",
    )
    one_legend(figure, list(grid.flat), columns=2, caption=f"{said}.")
    return figure


def _where(ds: xr.Dataset, table: pd.DataFrame) -> str:
    """What was judged: "digits, test split, each at its own best learning rate"."""
    split = f"{table['split'].iloc[0]} split"
    rates = "" if table["selection"].iloc[0] == "none" else "each at its own best learning rate"
    return ", ".join(filter(None, [str(spec_of(ds).get("task", "")), split, rates]))


def _drawn(table: pd.DataFrame, ds: xr.Dataset) -> list[Contrast]:
    """Each contrast once, at the point of the swept axes that figures show."""
    every: list[Contrast] = table.to_dict("records")
    known: set[Any] = set()
    drawn = []
    # What the hybrid brings repeats other questions: it is drawn where it is nowhere else.
    for contrast in sorted(every, key=lambda one: one["question"] == "hybrid"):
        pair = frozenset((contrast["a"], contrast["b"]))
        here = all(
            contrast[name] == ds[name].item()
            for name in contrast.keys() & set(map(str, ds.coords))
            if ds[name].ndim == 0 and name != "split"
        )
        if here and (key := (pair, _quantity(contrast))) not in known:
            known.add(key)
            drawn.append(contrast)
    return drawn


def _panels(ds: xr.Dataset, lines: Sequence[Contrast]) -> Iterator[_Panel]:
    groups: dict[tuple[Any, ...], list[Contrast]] = {}
    titles: dict[str, str] = {}
    for line in lines:
        titles.setdefault(line["question"], str(line["title"]))
        groups.setdefault((line["question"], *_quantity(line)), []).append(line)
    for (question, measure, at, unit), group in groups.items():
        known = measure_named(ds, measure)
        words = title_of(known.spec) if known else measure.replace("_", " ")
        if at != "end":
            words = f"{at}, {words}" if isinstance(at, str) else f"{words} at {at:g} of the run"
        words += ", less is better" if group[0]["better"] == "less" else ""
        # A difference of shares is in points: 2 % more of 10 % would be something else.
        units = "points" if unit == "%" else unit
        label = words_of({"long_name": words, "units": units}, measure) + _steps_words(group)
        yield _Panel(titles[question], label, group)


def _quantity(contrast: Contrast) -> tuple[Any, ...]:
    return contrast["measure"], contrast["at"], contrast["unit"]


def _steps_words(contrasts: Sequence[Contrast]) -> str:
    """What a time is in steps, where it is the same for all."""
    pairs = np.array([[one["steps"], one["estimate"]] for one in contrasts], float)
    steps, times = pairs[np.isfinite(pairs).all(axis=1) & (pairs[:, 1] != 0)].T
    words = {f"{ratio:.3g}" for ratio in steps / times}
    return f"; 1 is {words.pop()} steps" if len(words) == 1 else ""


def _pair_words(contrast: Contrast) -> str:
    return as_written(f"{contrast['a']}{_MINUS}{contrast['b']}")


def _look(contrast: Contrast) -> str:
    return _SAME if contrast["same"] else str(contrast["verdict"])


def _draw(ax: Axes, panel: _Panel) -> None:
    names = [_pair_words(contrast) for contrast in panel.contrasts]
    format_axes(ax, as_written(panel.label), "")
    title = wrapped(as_written(panel.title), _TITLE, TEXT)
    ax.set_title(title, loc="left", fontsize=TEXT, fontweight="bold")
    low, high = _limits(panel.contrasts)
    ax.set(xlim=(low, high), ylim=(len(names) - 0.4, -0.6))
    ax.set_yticks(range(len(names)), names, fontsize=TEXT)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.axvline(0, color="0.35", lw=1.0, zorder=1)
    for place, contrast in enumerate(panel.contrasts):
        _row(ax, place, contrast, (low, high))


def _row(ax: Axes, place: int, contrast: Contrast, edges: tuple[float, float]) -> None:
    name = _look(contrast)
    look = _LOOKS[name]
    delta, estimate = contrast["delta"], contrast["estimate"]
    if np.isfinite(delta):
        ax.fill_betweenx([place - 0.5, place + 0.5], -delta, delta, color="0.9", lw=0, zorder=0)
    if name == _SAME:
        ax.plot([0.0], [place], ls="none", markersize=5, zorder=4, **look)
        note = name
    else:
        for ends, width in (("", 1.1), ("marginal_", 3.2)):
            limits = contrast[f"{ends}low"], contrast[f"{ends}high"]
            _interval(ax, place, limits, edges, {"color": look["color"], "lw": width})
        if np.isfinite(estimate):
            ax.plot([estimate], [place], ls="none", markersize=5.5, mew=1.3, zorder=4, **look)
        note = f"{contrast['favour']:.0f}/{contrast['seeds']:.0f}"
        note = note if np.isfinite(estimate) else "unknown"
    ax.annotate(
        note,
        (1.0, place),
        (5, 0),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color="0.15",
    )


def _interval(
    ax: Axes,
    place: int,
    limits: tuple[float, float],
    edges: tuple[float, float],
    look: Mapping[str, Any],
) -> None:
    """A line from end to end; one that is open is an arrow at the edge."""
    if np.isnan(limits).any():
        return
    room = 0.03 * (edges[1] - edges[0])
    ends = edges[0] + room, edges[1] - room
    ax.plot(np.clip(limits, *ends), [place, place], solid_capstyle="butt", zorder=3, **look)
    for limit, edge, marker in zip(limits, ends, "<>", strict=True):
        if np.isinf(limit):
            ax.plot([edge], [place], ls="none", marker=marker, color=look["color"])


def _limits(contrasts: Sequence[Contrast]) -> tuple[float, float]:
    """What the axis has to show: 0, all that is finite, and a margin."""
    names = ("estimate", "low", "high", "marginal_low", "marginal_high", "delta")
    every = np.array([[contrast[name] for name in names] for contrast in contrasts], float)
    every = np.append(every, -every[:, -1:], axis=1)
    finite = np.append(every[np.isfinite(every)], 0.0)
    low, high = finite.min(), finite.max()
    margin = 0.06 * (high - low) if high > low else 1.0
    return low - margin, high + margin


def _drawings(story: Story) -> Iterator[Drawing]:
    table = story.contrasts
    if not table.empty and table["p"].notna().any():
        panels = list(_panels(story.setting.ds, _drawn(table, story.setting.ds)))
        yield story.drawing(
            "answers",
            "Every answer with its interval",
            f"Differences between {problem_word(story.ds)}s, first minus second, a panel a "
            "question; "
            f"{_where(story.setting.ds, table)}. Thin lines are 95 % "
            "intervals that hold all together, thick ones hold each on its own, the grey band is "
            "what counts as equal, and beside them is how many seeds are on that side. What "
            f"differs: {' '.join(map(_differs_words, panels))}",
            partial(answers, table=table),
        )


def _differs_words(panel: _Panel) -> str:
    said = [
        f"{contrast['a']} - {contrast['b']} {number_words(contrast['estimate'])} "
        f"{interval_words(contrast['low'], contrast['high'])}"
        for contrast in panel.contrasts
        if contrast["verdict"] == "differs"
    ]
    return f"{panel.label}: {', '.join(said) or 'nothing'}."


DRAWINGS = (Entry(45, _drawings),)
