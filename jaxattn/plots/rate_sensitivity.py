"""How much the learning rate matters: a measure at the end against it."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxattn.plots.canvas import new_axes
from jaxattn.plots.curves import BAND, BAND_WORDS, UNKNOWN
from jaxattn.plots.drawing import Drawing, Entry, Story, own_figure
from jaxattn.plots.finished_rows import Curves, curves
from jaxattn.plots.frame import finish_axes, label_of, number_ticks
from jaxattn.plots.selection import Setting, choose, split_of, style_in
from jaxattn.plots.title_words import left_out, measured_words, seeds_words

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
    first = choose(ds, None, paradigms)
    split = split_of(first.ds, split)
    rates = np.sort(np.atleast_1d(ds["learning_rate"].values)).astype(float)
    settings = [choose(ds, float(rate), paradigms) for rate in rates]
    drawn = {
        name: [curves(one, measure, name, split=split, inference=inference) for one in settings]
        for name in first.paradigms
    }
    variable, known = first.ds[measure], False
    by_rule = "inference" in variable.dims
    ax = new_axes() if ax is None else ax
    ax.set_xscale("log")
    for place, (name, found) in enumerate(drawn.items()):
        low, median, high = _quantiles(found)
        if not np.isfinite(median).any():
            continue
        known, style = True, style_in(first, name)
        rule = str(first.ds["natural_inference"].sel(paradigm=name).item())
        partly = np.asarray([bool(one.missing) for one in found], dtype=bool)
        # Points of one rate stand side by side, as no line would tell them apart.
        x = rates if rates.size > 1 else rates * 1.02 ** (place - (len(drawn) - 1) / 2)
        look: dict[str, Any] = {"color": style.colour, "markersize": 5.5, "mew": 1.3}
        ax.plot(
            x,
            median,
            linestyle=style.line,
            marker=style.marker,
            lw=1.9,
            label=f"{name} ({rule})" if by_rule and not inference else name,
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
    every = [one for found in drawn.values() for one in found]
    hollow = any(one.missing and len(one.seeds) for one in every)
    title = (
        measured_words(first._replace(words=_without_rate(first)), measure, split, inference),
        f"{BAND_WORDS} over {seeds_words(every)}",
        "in brackets: how it answers" if by_rule and not inference else "",
        left_out(every),
        "hollow: some seeds left out there" if hollow else "",
        "" if known else UNKNOWN,
    )
    labels = "learning rate", f"{label_of(variable.attrs, measure)}, at the end"
    return finish_axes(ax, labels, title, columns=2 if by_rule and not inference else 5)


def _quantiles(found: Sequence[Curves]) -> np.ndarray:
    """Low, median and high at the end, ``[3, rate]``; NaN where nothing is known."""
    shares, columns = (BAND[0], 0.5, BAND[1]), []
    for one in found:
        values = one.values[:, -1]
        values = values[np.isfinite(values)]
        columns.append(np.quantile(values, shares) if values.size else np.full(3, np.nan))
    return np.transpose(columns)


def _without_rate(setting: Setting) -> str:
    rate = f"learning rate {setting.ds['learning_rate'].item():g}"
    return ", ".join(part for part in setting.words.split(", ") if part != rate)


def _drawings(story: Story) -> Iterator[Drawing]:
    if story.ds.sizes.get("learning_rate", 1) > 1 and story.runs("accuracy"):
        yield Drawing(
            "rate_sensitivity",
            "How much the learning rate matters",
            "Accuracy at the end of training against the learning rate on a logarithmic axis, each "
            "paradigm under its own inference rule: median and band from 10 to 90 % over seeds. A "
            "hollow marker is a rate at which some seeds did not finish, a gap one at which none "
            "did.",
            partial(own_figure, rate_sensitivity, story.ds),
        )


DRAWINGS = (Entry(110, _drawings),)
