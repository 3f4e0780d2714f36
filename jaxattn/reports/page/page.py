"""What a page is made of; all text is plain and is escaped where it is rendered."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Cell", "Collapsible", "Figure", "Page", "Section", "Table", "cell"]


class Cell(NamedTuple):
    """A cell of a table: what is read, and what it is sorted by (a number, or the text)."""

    text: str
    by: float | str


class Table(NamedTuple):
    """A table that can be sorted by any of its columns."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Figure(NamedTuple):
    """A picture; `caption` says all that a reader who cannot see it needs."""

    title: str
    caption: str
    content: bytes
    kind: str
    """``svg+xml`` or ``png``."""


class Collapsible(NamedTuple):
    """Sentences under a heading of their own; closed until asked for where not `open`."""

    heading: str
    sentences: Sequence[str]
    open: bool = True


class Section(NamedTuple):
    """A part of the page. What is empty is left out."""

    heading: str
    lead: str = ""
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
        return Cell(
            f"{float(f'{value:.{digits}g}') + 0.0:g}".replace("-", "\N{MINUS SIGN}"), float(value)
        )
    return Cell(str(value), str(value))
