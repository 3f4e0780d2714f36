"""How far seeds lie apart: a measure of every seed, paradigms side by side."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.measures import spec_in, title_of, watched_in
from jaxattn.analysis.wording import capital
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story, named_words
from jaxattn.plots.finished_rows import Curves, curves, left_out, seeds_words, unknown_words
from jaxattn.plots.frame import format_axes, label_of, set_title
from jaxattn.plots.lines import BAND
from jaxattn.plots.selection import choose, moment, name_paradigms

__all__ = ["DRAWINGS", "distribution"]

_BOX = 0.3
_CLOUD = 0.32
"""Width of the cloud of points; the box stands beside it."""
_CLOSEST = 0.01
"""The least height of the axes, as a share of the values."""
_GOLDEN = 0.6180339887498949


def distribution(
    ds: xr.Dataset,
    ax: Axes | None = None,
    measure: str = "accuracy",
    axis: str | None = None,
    at: float | None = None,
    split: str | None = None,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """A measure of every seed at one save: a point a seed, and a box of their quantiles.

    The box holds the middle half of the seeds, its line is the median, its whiskers reach from
    10 to 90 %. A time to something is one value of the whole run; seeds that never got there have
    no point, and the title says how many they are.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        measure: a variable of the result with one value a seed and save, or one a seed.
        axis: step, time or gradients: what `at` is a value of; by default as for
            `jaxattn.plots.learning`.
        at: which save; by default the last.
        split: by default test where there is one.
        learning_rate: as for `jaxattn.plots.learning`.
        paradigms: which to draw; by default all.
        inference: an inference rule for all; by default each paradigm's own.

    Raises:
        InputError: a name, a learning rate or a save that the result does not have.
    """
    setting = choose(ds, learning_rate, paradigms, split, inference)
    whole_run = measure in setting.ds and "save" not in setting.ds[measure].dims
    if whole_run:
        known_always = setting.ds[measure].expand_dims(save=setting.ds.sizes["save"])
        setting = setting._replace(ds=setting.ds.assign({measure: known_always}))
    here = moment(setting, axis, at)
    drawn = [curves(setting, measure, name, setting.run) for name in setting.paradigms]
    ax = new_axes() if ax is None else ax
    for place, curve in enumerate(drawn):
        values = curve.values[:, here.save]
        values = values[np.isfinite(values)]
        if not values.size:
            continue
        style = setting.style(curve.paradigm)
        # Multiples of the golden ratio spread evenly, however many there are; the same each time.
        spread = (np.arange(values.size) * _GOLDEN % 1 - 0.5) * _CLOUD
        ax.plot(
            place - _CLOUD / 2 - 0.04 + spread,
            values,
            linestyle="none",
            marker=style.marker,
            color=style.colour,
            markersize=6.0 if values.size <= 32 else 3.6,
            alpha=0.75 if values.size <= 32 else 0.5,
            mew=0,
        )
        if values.size > 1:
            _box(ax, place + _BOX / 2 + 0.06, values, style.colour)
    attributes = setting.ds[measure].attrs
    format_axes(ax, "", label_of(_spoken(attributes) if whole_run else attributes, measure))
    _no_closer(ax)
    name_paradigms(ax, setting, measure)
    runs = sum(len(curve.seeds) for curve in drawn)
    never = sum(int(np.isnan(curve.values[:, here.save]).sum()) for curve in drawn)
    set_title(
        ax,
        setting.measured_words(measure, "" if whole_run else here.words),
        f"a point a seed, {seeds_words(drawn)}",
        "box: median and quartiles, whiskers 10 to 90 %",
        f"{never} of {runs} runs never got there" if whole_run and never else "",
        left_out(drawn),
        unknown_words(drawn, here.save),
    )
    return ax


def _spoken(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a time to something is called, without what its missing values mean."""
    name = str(attributes.get("long_name", "")).split(";")[0].replace("_", " ")
    return {**attributes, "long_name": name}


def _no_closer(ax: Axes) -> None:
    """Differences of a ten-thousandth of the values, such as roundings, look like none."""
    low, high = ax.get_ylim()
    middle, least = (low + high) / 2, _CLOSEST * max(abs(low), abs(high))
    if high - low < least:
        ax.set_ylim(middle - least / 2, middle + least / 2)
    ax.ticklabel_format(axis="y", useOffset=False)


def _box(ax: Axes, x: float, values: np.ndarray, colour: str) -> None:
    low, q1, median, q3, high = np.quantile(values, (BAND[0], 0.25, 0.5, 0.75, BAND[1]))
    line = {"color": colour, "linewidth": 1.4}
    ax.bxp(
        [{"med": median, "q1": q1, "q3": q3, "whislo": low, "whishi": high}],
        positions=[x],
        widths=[_BOX],
        showfliers=False,
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line,
        capprops=line,
        medianprops={"color": colour, "linewidth": 2.6},
    )


def _drawings(story: Story) -> Iterator[Drawing]:
    for measure in watched_in(story.ds):
        drawn = story.runs(measure)
        if max((curve.seeds.size for curve in drawn), default=0) < 2:
            continue
        spec = spec_in(story.ds, measure)
        form, unit = (".1f", " %") if spec.unit == "%" else (".2f" if spec.whole else ".3g", "")
        spread = named_words((curve.paradigm, _range_words(curve, form)) for curve in drawn)
        what = capital(title_of(spec))
        yield story.drawing(
            f"distribution_{measure}",
            f"{what}, seed by seed",
            f"{what} of every seed at the end of {_run_words(story)}, a point each, and a box of "
            f"their quartiles with whiskers from 10 to 90 %; {story.where}, {story.over}. "
            f"Medians, with lowest and highest: {spread}{unit}.",
            partial(distribution, measure=measure),
        )


def _run_words(story: Story) -> str:
    return "training" if story.run == "train" else limit_words(story.run)


def _range_words(curve: Curves, form: str) -> str:
    low, median, high = np.quantile(curve.values[:, -1], (0, 0.5, 1))
    return f"{median:{form}} ({low:{form}} to {high:{form}})"


DRAWINGS = (Entry(100, _drawings, dynamics=""),)
