"""Learning curves: a measure against training, the median and a band over seeds."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes

from jaxattn.analysis.measures import title_of, watched_in
from jaxattn.analysis.wording import capital
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story, medians_words, own_figure
from jaxattn.plots.finished_rows import Curves, curves_of_all, switch_on
from jaxattn.plots.frame import finish_axes, label_of
from jaxattn.plots.selection import AXES, choose, split_of, style_in
from jaxattn.plots.title_words import left_out, measured_words, seeds_words
from jaxattn.problems.result_measures import measure_of

__all__ = [
    "BAND",
    "BAND_WORDS",
    "CURVE_WORDS",
    "DRAWINGS",
    "UNKNOWN",
    "CurveWords",
    "accuracy",
    "fill_band",
    "focus",
    "learning",
    "lines_words",
]

BAND = (0.1, 0.9)
"""Quantiles over seeds between which the band lies."""

BAND_WORDS = "median and {:.0f} to {:.0f} % band".format(*(100 * share for share in BAND))

UNKNOWN = "nothing to see: no values, or NaN throughout"


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
    setting = choose(ds, learning_rate, paradigms)
    split = split_of(setting.ds, split)
    drawn = curves_of_all(setting, measure, split=split, inference=inference)
    variable = setting.ds[measure]
    ax = new_axes() if ax is None else ax
    x = setting.ds[axis].values
    by_rule = "inference" in variable.dims
    for one in drawn:
        if not len(one.seeds):
            continue
        style = style_in(setting, one.paradigm)
        rule = str(setting.ds["natural_inference"].sel(paradigm=one.paradigm).item())
        label = f"{one.paradigm} ({rule})" if by_rule and not inference else one.paradigm
        ax.plot(x, one.quantile(0.5), color=style.colour, linestyle=style.line, lw=1.9, label=label)
        fill_band(ax, x, one.values, style.colour, alpha=0.13)
    if (switch := switch_on(setting, axis, drawn)) is not None:
        colour = style_in(setting, "hybrid").colour
        ax.axvline(switch, color=colour, lw=0.8, alpha=0.7, zorder=1, label="hybrid switches")
    title = (
        measured_words(setting, measure, split, inference),
        f"{BAND_WORDS} over {seeds_words(drawn)}",
        "in brackets: how it answers" if by_rule and not inference else "",
        left_out(drawn),
        "" if any(np.isfinite(one.values).any() for one in drawn) else UNKNOWN,
    )
    labels = label_of(setting.ds[axis].attrs, axis), label_of(variable.attrs, measure)
    return finish_axes(ax, labels, title, columns=2 if by_rule and not inference else 5)


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


class CurveWords(NamedTuple):
    """What captions say of a measure's curves."""

    shown: str
    ends: str
    form: str

    def ends_words(self, found: Iterable[Curves]) -> str:
        """Where the medians end."""
        return self.ends.format(medians_words(found, self.form))


CURVE_WORDS: Mapping[str, CurveWords] = {
    "attention_foreground": CurveWords(
        "Share of the attention on the foreground, from 0 to 1", "The attention ends at {}.", ".2f"
    ),
    "accuracy": CurveWords(
        "Accuracy in per cent, each paradigm under its own inference rule",
        "The accuracy ends at {} %.",
        ".1f",
    ),
}
"""Of the measures that have figures of their own."""


def lines_words(story: Story) -> str:
    """What lines and bands are."""
    return f"Lines are medians over {story.over}; bands reach from 10 to 90 % of them."


def _drawing(
    story: Story, name: str, title: str, words: CurveWords, measure: str, draw: Callable[..., Axes]
) -> Iterator[Drawing]:
    if found := story.runs(measure):
        yield Drawing(
            name,
            title,
            f"{words.shown}, against the training step; {story.where}. {lines_words(story)} "
            f"{words.ends_words(found)}",
            partial(own_figure, draw, story.ds),
        )


def _focus(story: Story) -> Iterator[Drawing]:
    measure, title = "attention_foreground", "Attention on the foreground"
    yield from _drawing(story, "focus", title, CURVE_WORDS[measure], measure, focus)


def _accuracy(story: Story) -> Iterator[Drawing]:
    yield from _drawing(
        story, "accuracy", "Accuracy", CURVE_WORDS["accuracy"], "accuracy", accuracy
    )


def _own(story: Story) -> Iterator[Drawing]:
    """Of measures without a figure of their own that a reader asks for first."""
    for measure in watched_in(story.ds):
        if measure in CURVE_WORDS:
            continue
        spec = measure_of(measure, story.ds[measure].attrs)
        unit = "" if spec.unit == "1" else f" in {spec.unit}"
        title = capital(title_of(spec))
        words = CurveWords(f"{title}{unit}", f"The medians end at {{}}{unit}.", ".3g")
        draw = partial(learning, measure=measure)
        yield from _drawing(story, f"learning_{measure}", title, words, measure, draw)


DRAWINGS = (Entry(50, _focus), Entry(60, _accuracy), Entry(70, _own))
