"""What a gallery draws of measures that somebody declared, of parameters kept, of gradients."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.measures import (
    FEW,
    declared_in,
    further_axes,
    labels_of,
    parameters_in,
    spec_in,
    title_of,
    watched_in,
)
from jaxattn.analysis.subject import is_of_attention, is_trained, problem_word, theories_in
from jaxattn.analysis.theory_gaps import told_by
from jaxattn.analysis.wording import capital, listed, number_words
from jaxattn.flow import LIMITS
from jaxattn.plots.curves import curves
from jaxattn.plots.drawing import Drawing, Entry, Story, named_words
from jaxattn.plots.dynamics_lines import dynamics_words
from jaxattn.plots.parameters import parameters, what_is_shown
from jaxattn.plots.selection import names_of

__all__ = ["DRAWINGS"]

_MOST_ARRAYS = 4
"""Of more arrays that were kept only the norms are drawn, unless somebody asks."""


def _of_problems(story: Story) -> Iterator[Drawing]:
    """The objective and each declared measure of problems of one's own."""
    if not is_of_attention(story.ds):
        for measure in declared_in(story.ds):
            yield from _curves(story, measure)


def _beside_attention(story: Story) -> Iterator[Drawing]:
    """What was declared beside measures of attention and has no figure, and what theories tell."""
    ds = story.ds
    if is_of_attention(ds):
        told = [measure for theory in theories_in(ds) for measure in told_by(ds, theory)]
        declared = [measure for measure in declared_in(ds) if measure not in watched_in(ds)]
        # Figures of training show the others.
        alone = [] if is_trained(ds) else ["objective", *watched_in(ds)]
        for measure in dict.fromkeys([*alone, *declared, *told]):
            yield from _curves(story, measure)


def _gradients(story: Story) -> Iterator[Drawing]:
    if not is_of_attention(story.ds) and "gradient_norm" in story.ds:
        yield from _curves(story, "gradient_norm")


def _curves(story: Story, measure: str) -> Iterator[Drawing]:
    if not 0 < labels_of(story.ds, measure) <= FEW or not _is_known(story, measure):
        return
    spec = spec_in(story.ds, measure)
    unit = "" if spec.unit == "1" else f" in {spec.unit}"
    title = capital(title_of(spec))
    ends = "" if further_axes(story.ds, measure) else _ends_words(story, measure, unit)
    yield story.drawing(
        f"curves_{measure}",
        title,
        f"{title}{unit}, {_against(story)}; {_where(story, measure)}. "
        f"{_lines_words(story, measure)}{ends}",
        partial(curves, measure=measure, log="auto"),
    )


def _kept(story: Story) -> Iterator[Drawing]:
    kept = parameters_in(story.ds)
    draw: Callable[[xr.Dataset], Axes]
    if 1 < len(kept) <= FEW:
        draw = partial(parameters, log="auto")
        title, first = "Norms of the parameters", next(iter(kept.values()))
        yield _of_parameters(story, "parameters", title, first, draw)
    for name, variable in kept.items() if len(kept) <= _MOST_ARRAYS else ():
        shown = what_is_shown({axis: story.ds.sizes[axis] for axis in _axes(story, variable)})
        if len(kept) > 1 and shown == "norm":
            continue
        draw = partial(parameters, name=name, log="auto")
        title = f"{capital(shown)} of {name}"
        yield _of_parameters(story, f"parameters_{name}", title, variable, draw)


def _axes(story: Story, variable: str) -> list[str]:
    return further_axes(story.ds, variable)


def _of_parameters(
    story: Story, name: str, title: str, variable: str, draw: Callable[[xr.Dataset], Axes]
) -> Drawing:
    at = story.setting.title_words()
    said = _lines_words(story, variable)
    caption = f"{title}, as kept along the path, {_against(story)}; {at}. {said}"
    return story.drawing(name, title, caption, draw)


def _is_known(story: Story, measure: str) -> bool:
    return bool(np.isfinite(story.setting.ds[measure]).any())


def _against(story: Story) -> str:
    return "against the training step" if story.run == "train" else "against time"


def _where(story: Story, measure: str) -> str:
    return story.setting.measured_words(measure)


def _lines_words(story: Story, measure: str) -> str:
    """What lines, colours and bands are."""
    ds, over = story.setting.ds, story.over
    few = over == "1 seed"
    said = "Lines are of one seed." if few else f"Lines are medians over {over}; bands reach from "
    said += "" if few else "10 to 90 % of them."
    if len(story.setting.paradigms) > 1:
        said += f" A colour is a {problem_word(ds)}."
    known = [
        name
        for name in names_of(ds, "dynamics")
        if np.isfinite(ds[measure].sel(dynamics=name)).any()
    ]
    if len(known) > 1:
        in_order = sorted(known, key=lambda name: name != story.run)
        run, *others = (_told(story, name) for name in in_order)
        beside = "broken lines beside it are" if len(others) > 1 else "the broken line beside it is"
        said += f" The wide line is {run}; {beside} {listed(others)}."
    return said


def _told(story: Story, dynamics: str) -> str:
    """What a dynamics is called in a sentence."""
    ds = story.setting.ds
    if dynamics in theories_in(ds):
        return f"the theory {dynamics}"
    return limit_words(dynamics) if dynamics in LIMITS else dynamics_words(ds, dynamics)


def _ends_words(story: Story, measure: str, unit: str) -> str:
    """Where the medians end; nothing where one has no end."""
    drawn = [(each.paradigm, each.quantile(0.5)[-1]) for each in story.runs(measure)]
    ends = [(name, number_words(end)) for name, end in drawn if np.isfinite(end)]
    return f" At the end: {named_words(ends)}{unit}." if ends else ""


DRAWINGS = (
    Entry(2, _of_problems, dynamics=""),
    Entry(4, _kept, dynamics=""),
    Entry(35, _gradients, dynamics=""),
    Entry(72, _beside_attention, dynamics=""),
)
