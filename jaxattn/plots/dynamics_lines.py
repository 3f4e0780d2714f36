"""A measure along everything that was run: a colour a problem, a kind of line a dynamics."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.subject import theories_in
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import new_axes
from jaxattn.plots.finished_rows import Curves, curves, left_out, seeds_words, unknown_words
from jaxattn.plots.frame import finish_axes
from jaxattn.plots.legends import legend_handles
from jaxattn.plots.lines import (
    BAND_WORDS,
    Line,
    draw_lines,
    falls_over_decades,
    mark_switch,
    spans_decades,
)
from jaxattn.plots.places import Place, places_of
from jaxattn.plots.selection import Setting, as_result, names_of
from jaxattn.plots.style import palette

__all__ = ["LOGS", "Request", "draw_request", "dynamics_words"]

LOGS = ("", "x", "y", "xy", "auto")
"""Which axes can be asked to be logarithmic."""

_FULL: Any = "-"
_BROKEN: tuple[Any, ...] = (
    *((0, (1.2, 1.2)), (0, (4, 1.6)), (0, (5, 1.4, 1.2, 1.4)), (0, (9, 2))),
    *((0, (5, 1.4, 1.2, 1.4, 1.2, 1.4)), (0, (1.2, 3))),
)
"""Of what stands beside the first dynamics, in order."""
_PALEST = 0.7
"""How near to white the last of several labels of one problem is."""

_KEYS = 8
"""More keys than these stand in three columns, which leave the axes their width."""


class Request(NamedTuple):
    """What is to be drawn; see `jaxattn.plots.curves`."""

    measure: str
    axis: str | None = None
    log: str = ""
    dynamics: str | Sequence[str] | None = None
    sel: Mapping[str, Any] = {}


class _Drawn(NamedTuple):
    """The curves of one dynamics at one place, of one paradigm."""

    curve: Curves
    setting: Setting
    words: str


def dynamics_words(ds: xr.Dataset, name: str) -> str:
    """What a dynamics is called in a legend."""
    known = {"train": "training", "theory": "exact theory"}
    if name in known:
        return known[name]
    return f"theory: {name}" if name in theories_in(ds) else limit_words(name).removeprefix("the ")


def draw_request(ds: xr.Dataset, wanted: Request, ax: Axes | None) -> Axes:
    """Draw what is wanted on axes, by default on those of a new figure.

    Raises:
        InputError: as `jaxattn.plots.curves` does.
    """
    resolve("log", dict.fromkeys(LOGS), wanted.log)
    places = places_of(ds, wanted.measure, wanted.sel)
    setting = places[0].setting
    every = _dynamics_of(as_result(ds), wanted.dynamics)
    drawn = [each for name in every for each in _curves(places, wanted.measure, name)]
    there = [name for name in every if any(each.curve.dynamics == name for each in drawn)]
    axis = _axis_of(setting, wanted.axis, there)
    lines = list(_lines(drawn, axis, there, len(places)))
    ax = new_axes() if ax is None else ax
    _set_scales(ax, wanted.log, lines)
    draw_lines(ax, lines)
    counted = [each.curve for each in drawn]
    handles = [
        *_handles(lines, drawn, there, setting, len(places)),
        *mark_switch(ax, setting, axis, counted),
    ]
    seeds = seeds_words(counted)
    problems = list(dict.fromkeys(curve.paradigm for curve in counted))
    # The legend names them where there are several.
    alone = problems[0] if len(problems) == 1 and (len(there) > 1 or len(places) > 1) else ""
    title = (
        setting.measured_words(wanted.measure, alone),
        seeds if seeds in ("0 seeds", "1 seed") else f"{BAND_WORDS} over {seeds}",
        left_out(counted),
        unknown_words(counted),
    )
    labels = setting.label(axis), setting.label(wanted.measure)
    columns = 4 if len(handles) <= _KEYS else 3
    return finish_axes(ax, labels, title, handles if lines else [], columns)


def _dynamics_of(ds: xr.Dataset, wanted: str | Sequence[str] | None) -> list[str]:
    """Those to draw, training first."""
    present = names_of(ds, "dynamics")
    asked = present if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    for name in asked:
        resolve("dynamics", dict.fromkeys(present), name)
    return sorted(asked, key=lambda name: name != "train")


def _curves(places: Sequence[Place], measure: str, dynamics: str) -> Iterator[_Drawn]:
    """Those that are known, or would be if their runs had ended well."""
    for place in places:
        for paradigm in place.setting.paradigms:
            curve = curves(place.setting, measure, paradigm, dynamics)
            if np.isfinite(curve.values).any() or curve.missing:
                yield _Drawn(curve, place.setting, place.words)


def _axis_of(setting: Setting, wanted: str | None, dynamics: Sequence[str]) -> str:
    is_bare = wanted is None and "train" not in dynamics
    return setting.axis("time" if is_bare else wanted)


def _lines(
    drawn: Sequence[_Drawn], axis: str, dynamics: Sequence[str], count: int
) -> Iterator[Line]:
    problems = list(dict.fromkeys(each.curve.paradigm for each in drawn))
    words = list(dict.fromkeys(each.words for each in drawn))
    for curve, setting, at in drawn:
        colour = setting.style(curve.paradigm).colour
        if count > 1:
            colour = _colour(colour, words.index(at), count, len(problems) == 1)
        place = dynamics.index(curve.dynamics)
        x = setting.along(axis, curve.paradigm, curve.dynamics)
        label = ", ".join(filter(None, (curve.paradigm if len(problems) > 1 else "", at)))
        line = Line(curve, x, colour, _FULL, label or curve.paradigm)
        if place:
            line = line._replace(line=_BROKEN[(place - 1) % len(_BROKEN)], width=1.6, shade=0.06)
        elif len(dynamics) > 1:
            # Wide and pale, so that what lies on it is seen.
            line = line._replace(width=3.4, alpha=0.4)
        yield line


def _colour(own: str, place: int, count: int, is_alone: bool) -> str:
    """The colour of a label: its place in a palette, or a paler colour of its problem."""
    if is_alone:
        return palette(count)[place]
    share = _PALEST * place / max(count - 1, 1)
    red, green, blue = (share + (1 - share) * part for part in to_rgb(own))
    return to_hex((red, green, blue))


def _handles(
    lines: Sequence[Line],
    drawn: Sequence[_Drawn],
    dynamics: Sequence[str],
    setting: Setting,
    count: int,
) -> list[Artist]:
    """What colours are, then what kinds of line are, where there are several of them."""
    colours = {line.label: {"color": line.colour, "lw": 1.9} for line in lines}
    if len(dynamics) < 2:
        looks = {line.label: {"color": line.colour, "linestyle": line.line} for line in lines}
        return list(legend_handles(looks))
    kinds = {}
    for line, each in zip(lines, drawn, strict=True):
        look = {"color": "0.35", "linestyle": line.line, "lw": line.width, "alpha": line.alpha}
        kinds[dynamics_words(setting.ds, each.curve.dynamics)] = look
    shown = colours if len(colours) > 1 else {}
    return list(legend_handles({**shown, **kinds}))


def _set_scales(ax: Axes, log: str, lines: Sequence[Line]) -> None:
    is_auto = log == "auto" and bool(lines)
    if (log != "auto" and "x" in log) or (is_auto and any(spans_decades(one.x) for one in lines)):
        ax.set_xscale("log")
    if (log != "auto" and "y" in log) or (is_auto and falls_over_decades(lines)):
        ax.set_yscale("log")
