"""The first figure of a run: where the attention goes and how well it answers, side by side."""

from collections.abc import Iterator
from functools import partial

import xarray as xr
from matplotlib.figure import Figure

from jaxattn.plots.canvas import new_panels
from jaxattn.plots.curves import BAND_WORDS, CURVE_WORDS, accuracy, focus, lines_words
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import curves_of_all
from jaxattn.plots.frame import set_title
from jaxattn.plots.legends import one_legend
from jaxattn.plots.selection import choose, split_of
from jaxattn.plots.title_words import left_out, run_words, seeds_words
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
    setting = choose(ds, learning_rate)
    split = split_of(setting.ds, split)
    figure, axes = new_panels(2, height=4.4)
    for ax, draw, words in zip(
        axes, (focus, accuracy), ("Where the attention goes", "How well it answers"), strict=True
    ):
        draw(ds, ax, axis=axis, split=split or None, learning_rate=learning_rate)
        set_title(ax, words)
    drawn = curves_of_all(setting, "attention_foreground", split=split)
    spec = spec_of(ds)
    run = run_words(setting, f"{split} split" if split else "")
    over = f"{BAND_WORDS} over {seeds_words(drawn)}"
    varied = " and ".join(_VARIED.get(name, name) for name in spec.get("vary") or [])
    said = [
        over + (f", which vary the {varied}" if varied else ""),
        "in brackets: how it answers",
        left_out(drawn),
    ]
    caption = f"{run}: {'; '.join(part for part in said if part)}."
    one_legend(figure, axes, columns=3, caption=caption)
    return figure


def _drawings(story: Story) -> Iterator[Drawing]:
    found = {measure: story.runs(measure) for measure in CURVE_WORDS}
    if all(found.values()):
        left, right = CURVE_WORDS.values()
        ends = " ".join(CURVE_WORDS[measure].ends_words(one) for measure, one in found.items())
        yield Drawing(
            "overview",
            "Where the attention goes, and how well it answers",
            f"Left: {_uncapital(left.shown)}. Right: {_uncapital(right.shown)}. Both against the "
            f"training step; {story.where}. {lines_words(story)} {ends}",
            partial(overview, story.ds),
        )


def _uncapital(text: str) -> str:
    return text[:1].lower() + text[1:]


DRAWINGS = (Entry(40, _drawings),)
