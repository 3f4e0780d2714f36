"""What a page is made of; all text is plain and is escaped where it is rendered."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Card", "Cell", "Collapsible", "Figure", "Page", "Section", "Table", "cell"]


class Cell(NamedTuple):
    """A cell of a table: what is read, and what it is sorted by (a number, or the text)."""

    text: str
    by: float | str


class Table(NamedTuple):
    """A table that can be sorted by any of its columns; closed until asked for where not `open`."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    open: bool = True


class Figure(NamedTuple):
    """A picture; `caption` says all that a reader who cannot see it needs."""

    title: str
    caption: str
    content: bytes
    kind: str
    """``svg+xml`` or ``png``."""
    open: bool = True
    """Whether it is seen at once; others are a title until they are asked for."""


class Card(NamedTuple):
    """A short text under a heading of its own, among others of its kind."""

    heading: str
    text: str
    mark: str = ""
    """What it comes to, or where it holds, in a few words."""
    more: str = ""
    """What is told on request."""


class Collapsible(NamedTuple):
    """Sentences under a heading of their own; closed until asked for where not `open`."""

    heading: str
    sentences: Sequence[str]
    open: bool = True


class Section(NamedTuple):
    """A part of the page. What is empty is left out."""

    heading: str
    lead: str = ""
    cards: Sequence[Card] = ()
    collapsibles: Sequence[Collapsible] = ()
    figures: Sequence[Figure] = ()
    facts: Sequence[tuple[str, str]] = ()
    code: Sequence[tuple[str, str]] = ()
    """Texts to copy, each with a label."""
    tables: Sequence[Table] = ()


class Page(NamedTuple):
    """The whole page."""

    title: str
    lead: str
    sections: Sequence[Section]
    foot: str


def cell(value: Any, digits: int = 3) -> Cell:
    """A value as a person reads it; missing ones as a dash, sorted last."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return Cell("\N{EN DASH}", float("inf"))
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", float(value))
    if isinstance(value, int | np.integer):
        return Cell(str(value), float(value))
    if isinstance(value, float | np.floating):
        if np.isinf(value):
            return Cell("open", float(value))
        # What has fewer digits than all others is next to 0, as an end that is open there.
        shown = float(value) if abs(float(value)) >= np.finfo(float).tiny else 0.0
        text = f"{float(f'{shown:.{digits}g}') + 0.0:g}"
        return Cell(text.replace("-", "\N{MINUS SIGN}"), float(value))
    return Cell(str(value), str(value))
