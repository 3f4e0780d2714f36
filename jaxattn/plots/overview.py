"""The attention and the answers of a comparison side by side, and drawings of single measures."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis.measures import spec_in, title_of, watched_in
from jaxattn.analysis.wording import capital
from jaxattn.plots.canvas import new_panels
from jaxattn.plots.curves import accuracy, focus, learning
from jaxattn.plots.drawing import Drawing, Entry, Story, named_words
from jaxattn.plots.finished_rows import Curves, curves, left_out, seeds_words
from jaxattn.plots.frame import clauses, set_title
from jaxattn.plots.legends import one_legend
from jaxattn.plots.lines import BAND_WORDS
from jaxattn.plots.selection import choose
from jaxattn.results.dataset import spec_of

__all__ = ["DRAWINGS", "overview"]

_VARIED = {"init": "initial parameters"}


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
            spec = spec_in(story.ds, measure)
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


DRAWINGS = (
    Entry(40, _overview, attention=True),
    Entry(50, _focus, attention=True),
    Entry(60, _accuracy, attention=True),
    Entry(70, _own, attention=True),
)
