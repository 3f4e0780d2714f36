"""Learning curves: a measure against training, the median and a band over seeds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxattn.analysis.measures import title_of, watched_in
from jaxattn.analysis.wording import capital
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes, new_panels
from jaxattn.plots.drawing import Drawing, Entry, Story, named_words
from jaxattn.plots.finished_rows import Curves, curves, left_out, seeds_words, unknown_words
from jaxattn.plots.frame import clauses, finish_axes, set_title
from jaxattn.plots.legends import one_legend, shown_label
from jaxattn.plots.selection import AXES, Setting, choose
from jaxattn.problems.result_measures import measure_of
from jaxattn.results.dataset import spec_of

__all__ = [
    "BAND",
    "BAND_WORDS",
    "DRAWINGS",
    "accuracy",
    "fill_band",
    "focus",
    "learning",
    "mark_switch",
    "overview",
]

BAND = (0.1, 0.9)
"""Quantiles over seeds between which the band lies."""

_VARIED = {"init": "initial parameters"}

BAND_WORDS = "median and {:.0f} to {:.0f} % band".format(*(100 * share for share in BAND))


def focus(
    ds: xr.Dataset,
    ax: Axes | None = None,
    axis: str = "step",
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
) -> Axes:
    """Attention on the foreground against training: `learning` of that measure."""
    ax = learning(ds, ax, "attention_foreground", axis, split, learning_rate, paradigms)
    ax.set_ylim(-0.02, 1.02)
    return ax


def accuracy(
    ds: xr.Dataset,
    ax: Axes | None = None,
    axis: str = "step",
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """Accuracy against training, each paradigm by its own inference rule unless one is given."""
    ax = learning(ds, ax, "accuracy", axis, split, learning_rate, paradigms, inference)
    ax.set_ylim(-2, 102)
    return ax


def learning(
    ds: xr.Dataset,
    ax: Axes | None = None,
    measure: str = "objective",
    axis: str = "step",
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """Any measure against training: the median, and the band from 10 to 90 %, over seeds.

    A thin vertical line is where the hybrid switches.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        measure: a variable of the result with one value a seed and save.
        axis: step, time or gradients.
        split: by default test where there is one.
        learning_rate: one of the result's; by default the largest at which training of every
            paradigm has a finished seed.
        paradigms: which to draw; by default all.
        inference: an inference rule for all; by default each paradigm's own.

    Raises:
        InputError: a name or a learning rate that the result does not have.
    """
    resolve("axis", dict.fromkeys(AXES), axis)
    setting = choose(ds, learning_rate, paradigms, split, inference)
    drawn = [curves(setting, measure, name) for name in setting.paradigms]
    names, by_own_rules = setting.names(measure), setting.by_own_rules(measure)
    ax = new_axes() if ax is None else ax
    x = setting.ds[axis].values
    for curve in drawn:
        if len(curve.seeds):
            style, label = setting.style(curve.paradigm), names[curve.paradigm]
            middle = curve.quantile(0.5)
            ax.plot(
                x,
                middle,
                color=style.colour,
                linestyle=style.line,
                lw=1.9,
                label=shown_label(label),
            )
            fill_band(ax, x, curve.values, style.colour, alpha=0.13)
    mark_switch(ax, setting, axis, drawn)
    title = (
        setting.measured_words(measure),
        f"{BAND_WORDS} over {seeds_words(drawn)}",
        "in brackets: how it answers" if by_own_rules else "",
        left_out(drawn),
        unknown_words(drawn),
    )
    labels = setting.label(axis), setting.label(measure)
    return finish_axes(ax, labels, title, columns=2 if by_own_rules else 5)


def fill_band(
    ax: Axes,
    x: Shaped[np.ndarray, " save"],
    values: Float[np.ndarray, "seed save"],
    colour: str,
    alpha: float,
) -> None:
    """Fill what lies between the quantiles `BAND` of several seeds."""
    if len(values) > 1:
        low, high = np.quantile(values, BAND, axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)


def mark_switch(ax: Axes, setting: Setting, axis: str, drawn: Sequence[Curves]) -> list[Line2D]:
    """The line where the hybrid switches; [] where none is drawn, or it switches outside."""
    ds = setting.ds
    switches = any(curve.paradigm == "hybrid" and len(curve.seeds) for curve in drawn)
    if not switches or "switch_time" not in ds.coords:
        return []
    switch, time = float(ds["switch_time"].item()), ds["time"].values
    if not time[0] <= switch <= time[-1]:
        return []
    at, colour = np.interp(switch, time, ds[axis].values), setting.style("hybrid").colour
    return [ax.axvline(at, color=colour, lw=0.8, alpha=0.7, zorder=1, label="hybrid switches")]


def overview(
    ds: xr.Dataset,
    axis: str = "step",
    split: str | None = None,
    learning_rate: float | None = None,
) -> Figure:
    """`focus` and `accuracy` side by side, and a caption of what was run.

    Args:
        ds: a result.
        axis: step, time or gradients.
        split: by default test where there is one.
        learning_rate: as for `jaxattn.plots.learning`.

    Raises:
        InputError: a name or a learning rate that the result does not have.
    """
    setting = choose(ds, learning_rate, split=split)
    figure, axes = new_panels(2, height=4.4)
    for ax, draw, words in zip(
        axes, (focus, accuracy), ("Where the attention goes", "How well it answers"), strict=True
    ):
        draw(ds, ax, axis=axis, split=split, learning_rate=learning_rate)
        set_title(ax, words)
    drawn = [curves(setting, "attention_foreground", name) for name in setting.paradigms]
    varied = " and ".join(_VARIED.get(name, name) for name in spec_of(ds).get("vary") or [])
    said = clauses(
        f"{BAND_WORDS} over {seeds_words(drawn)}"
        + (f", which vary the {varied}" if varied else ""),
        "in brackets: how it answers",
        left_out(drawn),
    )
    caption = f"{setting.run_words(setting.split_words)}: {said}."
    one_legend(figure, axes, columns=3, caption=caption)
    return figure


class _CurveWords(NamedTuple):
    """What is said of a measure's curves: a heading, what is shown, where the medians end."""

    title: str
    shown: str
    ends: str
    form: str

    def ends_words(self, drawn: Iterable[Curves]) -> str:
        """Where the medians end."""
        ends = ((curve.paradigm, curve.quantile(0.5)[-1]) for curve in drawn)
        return self.ends.format(named_words((name, format(end, self.form)) for name, end in ends))


_WORDS: Mapping[str, _CurveWords] = {
    "attention_foreground": _CurveWords(
        "Attention on the foreground",
        "Share of the attention on the foreground, from 0 to 1",
        "The attention ends at {}.",
        ".2f",
    ),
    "accuracy": _CurveWords(
        "Accuracy",
        "Accuracy in per cent, each paradigm under its own inference rule",
        "The accuracy ends at {} %.",
        ".1f",
    ),
}
"""The measures that have figures of their own."""


def _lines_words(story: Story) -> str:
    """What lines and bands are."""
    return f"Lines are medians over {story.over}; bands reach from 10 to 90 % of them."


def _drawing(
    story: Story, name: str, measure: str, words: _CurveWords, draw: Callable[..., Axes]
) -> Iterator[Drawing]:
    if drawn := story.runs(measure):
        yield story.drawing(
            name,
            words.title,
            f"{words.shown}, against the training step; {story.where}. {_lines_words(story)} "
            f"{words.ends_words(drawn)}",
            draw,
        )


def _focus(story: Story) -> Iterator[Drawing]:
    measure = "attention_foreground"
    yield from _drawing(story, "focus", measure, _WORDS[measure], focus)


def _accuracy(story: Story) -> Iterator[Drawing]:
    yield from _drawing(story, "accuracy", "accuracy", _WORDS["accuracy"], accuracy)


def _own(story: Story) -> Iterator[Drawing]:
    """Figures of the other measures that a reader asks for first."""
    for measure in watched_in(story.ds):
        if measure not in _WORDS:
            spec = measure_of(measure, story.ds[measure].attrs)
            unit = "" if spec.unit == "1" else f" in {spec.unit}"
            title = capital(title_of(spec))
            words = _CurveWords(title, f"{title}{unit}", f"The medians end at {{}}{unit}.", ".3g")
            draw = partial(learning, measure=measure)
            yield from _drawing(story, f"learning_{measure}", measure, words, draw)


def _overview(story: Story) -> Iterator[Drawing]:
    drawn = {measure: story.runs(measure) for measure in _WORDS}
    if all(drawn.values()):
        left, right = _WORDS.values()
        ends = " ".join(_WORDS[measure].ends_words(runs) for measure, runs in drawn.items())
        yield story.drawing(
            "overview",
            "Where the attention goes, and how well it answers",
            f"Left: {_uncapital(left.shown)}. Right: {_uncapital(right.shown)}. Both against the "
            f"training step; {story.where}. {_lines_words(story)} {ends}",
            overview,
        )


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]


DRAWINGS = (Entry(40, _overview), Entry(50, _focus), Entry(60, _accuracy), Entry(70, _own))
