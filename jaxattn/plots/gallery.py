"""The figures that a result allows, in the order a reader should see them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis.edge_of_stability import edge_in, products
from jaxattn.analysis.limit_gaps import TOLERANCE, limits_in
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.wording import listed
from jaxattn.core.contracts import Status
from jaxattn.plots.answer_maps import PUBLISHED, answer_maps
from jaxattn.plots.attention_images import attention_on_images
from jaxattn.plots.curves import accuracy, focus
from jaxattn.plots.distribution import distribution
from jaxattn.plots.error_cells import CELL_WORDS, error_cells
from jaxattn.plots.limit_gaps import distances
from jaxattn.plots.limit_orders import orders
from jaxattn.plots.limit_sharpness import sharpnesses
from jaxattn.plots.overview import overview
from jaxattn.plots.rate_sensitivity import rate_sensitivity
from jaxattn.plots.selection import (
    Curves,
    Setting,
    choose,
    curves,
    left_out,
    names_of,
    paired,
    runs,
    seeds_words,
    setting_words,
    split_of,
)
from jaxattn.plots.train_beside_flow import QUANTITIES, beside_flow, population
from jaxattn.problems.measures import CELLS

__all__ = ["Drawing", "gallery"]


class Drawing(NamedTuple):
    """A figure to be drawn.

    `name` is that of its file and `title` a heading. `caption` says what is shown and how to read
    it; it can stand in for a figure that is not seen.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


class _Story(NamedTuple):
    """What the captions of one result have in common."""

    setting: Setting
    split: str
    where: str
    over: str
    """How many seeds there are, and how many runs are left out."""

    def runs(self, measure: str) -> list[Curves]:
        """Training of each paradigm that has a finished run; [] where nothing of it is known."""
        if measure not in self.setting.ds:
            return []
        every = (
            runs(self.setting, measure, name, split=self.split) for name in self.setting.paradigms
        )
        found = [one for one in every if one.seeds.size]
        return found if any(np.isfinite(one.values).any() for one in found) else []


def gallery(results: xr.Dataset, solved: xr.Dataset | None = None) -> list[Drawing]:
    """Every figure that a result allows; what it cannot give (no flow, no pictures) is not there.

    Args:
        results: of `jaxattn.compare` or `jaxattn.open`.
        solved: the same paradigms in the solvable setting, where that was run beside.

    Returns:
        Drawings of different names. Each makes a new figure, unknown to pyplot, when asked to.

    Raises:
        InputError: not a result.
    """
    setting = choose(results)
    found: list[Drawing] = []
    if _done(setting, "train"):
        split = split_of(setting.ds, None)
        counted = [curves(setting, "objective", name) for name in setting.paradigms]
        lost = left_out(counted)
        story = _Story(
            setting,
            split,
            setting_words(setting, f"{split} split" if split else ""),
            seeds_words(counted) + (f" ({lost})" if lost else ""),
        )
        for part in (_limits, _curves, _ends, _rates, _pictures, _flow):
            found += part(results, story)
    beside = results if solved is None else solved
    if _done(choose(beside), "theory"):
        found += _population(beside)
    return found


def _done(setting: Setting, process: str) -> bool:
    ds = setting.ds
    there = process in names_of(ds, "process")
    return there and bool(Status.ended_well(ds["status"].sel(process=process)).any())


def _own_figure(draw: Callable[[xr.Dataset], Axes], ds: xr.Dataset) -> Figure:
    figure = draw(ds).get_figure(root=True)
    assert figure is not None
    plt.close(figure)  # pyplot forgets it; who asked for it holds it
    return figure


def _listed(words: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in words)


def _medians(found: Iterable[Curves], form: str) -> str:
    return _listed((one.paradigm, format(one.quantile(0.5)[-1], form)) for one in found)


def _limits(ds: xr.Dataset, story: _Story) -> Iterator[Drawing]:
    """Training against its continuous limits."""
    limits = [name for name in limits_in(ds) if _done(story.setting, name)]
    if not limits:
        return
    named = listed(map(limit_words, limits))
    over = f"medians over {story.over}"
    yield Drawing(
        "limit_distances",
        "How far training is from its continuous limits",
        f"Distance of the parameters of training from {named}, as a share of the furthest that the "
        "limit comes from its start, against time, both at a logarithmic height; a row a paradigm, "
        f"a column a limit, a colour a learning rate, {over}. A ring marks where a line crosses "
        f"the dotted one: there training has left the limit, by {100 * TOLERANCE:g} % of its way.",
        partial(distances, ds),
    )
    if ds.sizes.get("learning_rate", 1) > 1:
        yield Drawing(
            "limit_orders",
            "Of which order training follows its limits",
            f"Largest distance of training from {named} against the learning rate, both "
            f"logarithmic, {over}, bars from 10 to 90 % of them. Slopes are in the legend with "
            "their 95 % intervals; grey lines have the power that is expected. The steeper a line, "
            "the more a smaller learning rate helps.",
            partial(_own_figure, orders, ds),
        )
    if products(ds) is not None:
        yield Drawing(
            "limit_sharpness",
            "Learning rate times sharpness",
            "Learning rate times the largest eigenvalue of the Hessian against time, a colour a "
            f"learning rate: wide pale lines along training, dashed ones along "
            f"{limit_words(limits_in(ds)[0])}; a panel a paradigm, {over}. "
            + (
                "The horizontal line is the edge of stability, above which steps on a quadratic "
                "grow; a ring marks where training first reaches it."
                if edge_in(ds) is not None
                else "No edge of stability is drawn: for this optimiser none is known of the "
                "Hessian itself."
            ),
            partial(sharpnesses, ds),
        )


def _curves(ds: xr.Dataset, story: _Story) -> Iterator[Drawing]:
    """Where the attention goes and how well it answers, in time."""
    on, right = story.runs("attention_foreground"), story.runs("accuracy")
    how = f"Lines are medians over {story.over}; bands reach from 10 to 90 % of them."
    attention = "Share of the attention on the foreground, from 0 to 1"
    answers = "Accuracy in per cent, each paradigm under its own inference rule"
    ends = [
        f"The attention ends at {_medians(on, '.2f')}.",
        f"The accuracy ends at {_medians(right, '.1f')} %.",
    ]
    if on and right:
        yield Drawing(
            "overview",
            "Where the attention goes, and how well it answers",
            f"Left: {attention.lower()}. Right: {answers.lower()}. Both against the training step; "
            f"{story.where}. {how} {' '.join(ends)}",
            partial(overview, ds),
        )
    if on:
        yield Drawing(
            "focus",
            "Attention on the foreground",
            f"{attention}, against the training step; {story.where}. {how} {ends[0]}",
            partial(_own_figure, focus, ds),
        )
    if right:
        yield Drawing(
            "accuracy",
            "Accuracy",
            f"{answers}, against the training step; {story.where}. {how} {ends[1]}",
            partial(_own_figure, accuracy, ds),
        )


def _ends(ds: xr.Dataset, story: _Story) -> Iterator[Drawing]:
    """What stands at the end of training."""
    if cells := story.runs("error_cell"):
        parts = "; ".join(
            f"{one.paradigm}: "
            + ", ".join(f"{share:.0f} % {CELL_WORDS[cell]}" for cell, share in _cell_means(one))
            for one in cells
        )
        yield Drawing(
            "error_cells",
            "Right for the right reason?",
            "Examples by whether most attention is on the foreground (focus) and whether the "
            "answer is right, at the end of training, as one stacked bar a paradigm; "
            f"{story.where}. Parts are means over {story.over}, whiskers 95 % intervals. {parts}.",
            partial(_own_figure, error_cells, ds),
        )
    if maps := story.runs("answer_map"):
        corner = _listed((one.paradigm, f"{one.values[:, -1, 4, 4].mean():.0f} %") for one in maps)
        yield Drawing(
            "answer_maps",
            "Attention on the foreground against the answer",
            "Per cent of the examples by attention on the foreground (across) and chance given to "
            "the right class (up), in steps of 0.2, at the end of training, a row of panels a "
            f"paradigm: left by {PUBLISHED}, as published, right by its own inference rule; "
            f"{story.where}, mean over {story.over}. Above 0.8 in both, by its own rule: {corner}.",
            partial(answer_maps, ds),
        )
    for measure, title, form, unit in (
        ("attention_foreground", "Attention on the foreground, seed by seed", ".2f", ""),
        ("accuracy", "Accuracy, seed by seed", ".1f", " %"),
    ):
        found = story.runs(measure)
        if max((one.seeds.size for one in found), default=0) > 1:
            spread = _listed((one.paradigm, _range(one, form)) for one in found)
            yield Drawing(
                f"distribution_{measure}",
                title,
                f"{title.split(',')[0]} of every seed at the end of training, a point each, and a "
                "box of their quartiles with whiskers from 10 to 90 %; "
                f"{story.where}, {story.over}. Medians, with lowest and highest: {spread}{unit}.",
                partial(_own_figure, partial(distribution, measure=measure), ds),
            )


def _cell_means(one: Curves) -> list[tuple[str, float]]:
    return list(zip(CELLS, one.values[:, -1].mean(axis=0).tolist(), strict=True))


def _range(one: Curves, form: str) -> str:
    low, median, high = np.quantile(one.values[:, -1], (0, 0.5, 1))
    return f"{median:{form}} ({low:{form}} to {high:{form}})"


def _rates(ds: xr.Dataset, story: _Story) -> Iterator[Drawing]:
    """How much the learning rate matters."""
    if ds.sizes.get("learning_rate", 1) > 1 and story.runs("accuracy"):
        yield Drawing(
            "rate_sensitivity",
            "How much the learning rate matters",
            "Accuracy at the end of training against the learning rate on a logarithmic axis, each "
            "paradigm under its own inference rule: median and band from 10 to 90 % over seeds. A "
            "hollow marker is a rate at which some seeds did not finish, a gap one at which none "
            "did.",
            partial(_own_figure, rate_sensitivity, ds),
        )


def _pictures(ds: xr.Dataset, story: _Story) -> Iterator[Drawing]:
    """The attention on a mosaic that one can see."""
    there = {"picture", "picture_seen"} <= set(ds.data_vars) and story.runs("attention_shown")
    if there and ds["picture_seen"].any():
        yield Drawing(
            "attention_on_images",
            "The attention on one example",
            "The segments of the first example as pictures, and below each a bar and a number: the "
            "attention on it before, during and after training of one seed, a row a paradigm; "
            f"{story.where}. The foreground has a frame: once a paradigm knows where to look, the "
            "bar below it is full and the others are empty.",
            partial(_own_figure, attention_on_images, ds),
        )


def _flow(ds: xr.Dataset, story: _Story) -> Iterator[Drawing]:
    """Training beside its flow, if any seed has both."""
    on = story.runs("attention_foreground")
    if not on or not _done(story.setting, "flow"):
        return
    pairs = [
        paired(
            one,
            curves(story.setting, "attention_foreground", one.paradigm, "flow", split=story.split),
        )
        for one in on
    ]
    if both := [pair for pair in pairs if pair[0].seeds.size]:
        ends = "; ".join(
            f"{train.paradigm} {train.quantile(0.5)[-1]:.2f} and {flow.quantile(0.5)[-1]:.2f}"
            for train, flow in both
        )
        yield Drawing(
            "beside_flow",
            "Training beside its gradient flow",
            "Attention on the foreground against time, the optimiser's clock, of the seeds that "
            "have a flow: wide pale lines are medians of training, thin ones its seeds, dashed "
            f"lines medians of the flow; {story.where}. Where they lie on each other, training "
            f"follows the flow. Training and flow end at: {ends}.",
            partial(_own_figure, beside_flow, ds),
        )


def _population(ds: xr.Dataset) -> Iterator[Drawing]:
    setting = choose(ds)
    if {*QUANTITIES} <= set(ds.data_vars):
        yield Drawing(
            "population",
            "The solvable setting: training, flow and theory",
            "The logit gap mu (left), the score gap nu (middle) and the attention on the "
            f"foreground (right) against time; {setting_words(setting)}. Wide pale lines are the "
            "exact reduced system, dashed lines the gradient flow of all parameters, markers "
            "training: where they agree one sees one curve.",
            partial(population, ds),
        )
