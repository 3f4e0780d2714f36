"""How paradigms look in every figure: a colour, a line and a marker each; sizes of text."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

__all__ = ["COLOURS", "SMALL", "SYMBOLS", "TEXT", "Style", "palette", "style_among", "style_of"]

COLOURS: Mapping[str, str] = {
    "soft": "#0072B2",
    "hard": "#D55E00",
    "lvml": "#009E73",
    "hybrid": "#CC79A7",
    "em": "#56B4E9",
}
"""The paradigms' colours, from the palette of Okabe and Ito: told apart by colour-blind eyes."""

_FURTHER = ("#E69F00", "#000000", "#8B7500", "#999999")
_SOLID = (0, ())
_LINES: Mapping[str, Any] = {
    "soft": _SOLID,
    "hard": (0, (5, 1.6)),
    "lvml": (0, (5, 1.4, 1.2, 1.4)),
    "hybrid": (0, (1.3, 1.3)),
    "em": (0, (2, 2)),
}
_FURTHER_LINES = ((0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2, 2, 2)))
_MARKERS = {"soft": "o", "hard": "s", "lvml": "^", "hybrid": "D", "em": "v"}
_FURTHER_MARKERS = ("P", "X", "<", ">", "*")

SYMBOLS = {"mu": r"$\mu$", "nu": r"$\nu$", "attention_foreground": r"$\alpha$"}
"""What the theory calls these measures."""

TEXT, SMALL = 9.0, 8.0


class Style(NamedTuple):
    """How a paradigm is drawn; `line` and `marker` tell it apart where colour is lost."""

    colour: str
    line: Any
    marker: str


def style_of(paradigm: str, all_paradigms: Sequence[str] = ()) -> Style:
    """The style of a paradigm, the same in every figure.

    Args:
        paradigm: its name.
        all_paradigms: all of the run, in order: a paradigm without a colour of its own in
            `COLOURS` takes the next free one by its place among them.
    """
    if paradigm in COLOURS:
        return Style(COLOURS[paradigm], _LINES[paradigm], _MARKERS[paradigm])
    further = [name for name in all_paradigms if name not in COLOURS]
    place = further.index(paradigm) if paradigm in further else len(further)
    return Style(
        _FURTHER[place % len(_FURTHER)],
        _FURTHER_LINES[place % len(_FURTHER_LINES)],
        _FURTHER_MARKERS[place % len(_FURTHER_MARKERS)],
    )


def style_among(place: int) -> Style:
    """The style of one of several problems, by its place among them: all styles are free there."""
    own = [Style(COLOURS[name], _LINES[name], _MARKERS[name]) for name in COLOURS]
    further = zip(_FURTHER, _FURTHER_LINES, _FURTHER_MARKERS, strict=False)
    every = [*own, *(Style(*look) for look in further)]
    return every[place % len(every)]


def palette(count: int) -> list[str]:
    """Ordered colours from light to dark, without the yellow end, which white paper swallows."""
    return [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0.8, 0, count))]
