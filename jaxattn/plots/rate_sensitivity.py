"""How much the learning rate matters: a measure at the end against it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from matplotlib.axes import Axes

from jaxattn.analysis.measures import spec_in, title_of
from jaxattn.analysis.subject import is_of_attention
from jaxattn.analysis.wording import capital
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.drawing import Drawing, Entry, Story
from jaxattn.plots.finished_rows import Curves, curves, left_out, seeds_words, unknown_words
from jaxattn.plots.frame import finish_axes, number_ticks
from jaxattn.plots.legends import shown_label
from jaxattn.plots.lines import BAND, BAND_WORDS, FLAT
from jaxattn.plots.selection import choose

__all__ = ["DRAWINGS", "rate_sensitivity"]


def rate_sensitivity(
    ds: xr.Dataset,
    ax: Axes | None = None,
    measure: str = "accuracy",
    split: str | None = None,
    paradigms: Sequence[str] | None = None,
    inference: str | None = None,
) -> Axes:
    """A measure at the end of training against the learning rate: median and 10 to 90 % band.

    A hollow marker is a rate at which some seeds of that paradigm did not finish: its median is
    that of the others. A rate at which none did is a gap. With one rate the lines are points.

    Args:
        ds: a result.
        ax: where to draw; by default on a new figure.
        measure: a variable of the result with one value a seed and save.
        split: by default test where there is one.
        paradigms: which to draw; by default all.
        inference: an inference rule for all; by default each paradigm's own.

    Raises:
        InputError: a name that the result does not have.
    """
    first = choose(ds, None, paradigms, split, inference)
    rates = np.sort(np.atleast_1d(ds["learning_rate"].values)).astype(float)
    settings = [choose(ds, float(rate), paradigms, split, inference) for rate in rates]
    drawn = {
        name: [curves(setting, measure, name) for setting in settings] for name in first.paradigms
    }
    names, by_own_rules = first.names(measure), first.by_own_rules(measure)
    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    if spec_in(first.ds, measure).whole is None and _spans_decades(drawn):
        ax.set_yscale("log")
    for place, (name, by_rate) in enumerate(drawn.items()):
        low, median, high = np.transpose([_quantiles(curve.values[:, -1]) for curve in by_rate])
        if not np.isfinite(median).any():
            continue
        style = first.style(name)
        partly = np.asarray([bool(curve.missing) for curve in by_rate], dtype=bool)
        # Points of one rate stand side by side, as no line would tell them apart.
        x = rates if rates.size > 1 else rates * 1.02 ** (place - (len(drawn) - 1) / 2)
        look: dict[str, Any] = {"color": style.colour, "markersize": 5.5, "mew": 1.3}
        ax.plot(
            x,
            median,
            linestyle=style.line,
            marker=style.marker,
            lw=1.9,
            label=shown_label(names[name]),
            **look,
        )
        ax.plot(x[partly], median[partly], ls="none", marker=style.marker, mfc="white", **look)
        if rates.size > 1:
            ax.fill_between(x, low, high, color=style.colour, alpha=0.13, linewidth=0)
        else:
            ax.vlines(x, low, high, color=style.colour, lw=1.2)
    if rates.size == 1:
        ax.set_xlim(rates[0] / 1.3, rates[0] * 1.3)
    number_ticks(ax.xaxis, rates.tolist())
    every = [curve for by_rate in drawn.values() for curve in by_rate]
    others = {name: value for name, value in first.at.items() if name != "learning_rate"}
    hollow = any(curve.missing and len(curve.seeds) for curve in every)
    title = (
        first._replace(at=others).measured_words(measure),
        f"{BAND_WORDS} over {seeds_words(every)}",
        "in brackets: how it answers" if by_own_rules else "",
        left_out(every),
        "hollow: some seeds left out there" if hollow else "",
        unknown_words(every, -1),
    )
    labels = "learning rate", f"{first.label(measure)}, at the end"
    return finish_axes(ax, labels, title, columns=2 if by_own_rules else 5)


def _spans_decades(drawn: Mapping[str, Sequence[Curves]]) -> bool:
    """Whether medians at the end are positive and apart by more than a linear axis can show."""
    every = [_quantiles(curve.values[:, -1])[1] for by_rate in drawn.values() for curve in by_rate]
    known = [middle for middle in every if np.isfinite(middle)]
    return bool(known) and bool(0 < min(known) <= max(known) / FLAT)


def _quantiles(values: Float[np.ndarray, " seed"]) -> Float[np.ndarray, "3"]:
    """Low end of `BAND`, median and high end of what is finite; NaN where nothing is."""
    finite = values[np.isfinite(values)]
    return np.quantile(finite, (BAND[0], 0.5, BAND[1])) if finite.size else np.full(3, np.nan)


def _drawings(story: Story) -> Iterator[Drawing]:
    is_own = not is_of_attention(story.ds)
    measure = "objective" if is_own else "accuracy"
    if story.ds.sizes.get("learning_rate", 1) > 1 and story.runs(measure):
        what = capital(title_of(spec_in(story.ds, measure))) if is_own else "Accuracy"
        under = "" if is_own else ", each paradigm under its own inference rule"
        yield story.drawing(
            "rate_sensitivity",
            "How much the learning rate matters",
            f"{what} at the end of training against the learning rate on a logarithmic axis{under}"
            ": median and band from 10 to 90 % over seeds. A "
            "hollow marker is a rate at which some seeds did not finish, a gap one at which none "
            "did.",
            partial(rate_sensitivity, measure=measure),
        )


DRAWINGS = (Entry(110, _drawings),)
