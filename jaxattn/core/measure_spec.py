"""What a measure is, and what is made of it when results are told."""

from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = ["MeasureColumn", "MeasureSpec", "MeasureWording"]


@dataclass(frozen=True)
class MeasureWording:
    """How a measure is spoken of where paradigms differ: "soft `leads`: `ahead` hard by 1"."""

    leads: str
    """The best one "ends most accurate"; may hold ``{focus_level:g}``, ``{fit_level:g}``."""
    ahead: str
    """One is ahead of another by "more than", "sooner than"."""
    noun: str
    """The thing in which paradigms do not differ: "the final accuracy"."""
    asked_first: bool = True
    """Whether a terminal says it, and a figure shows it seed by seed; reports say all."""


@dataclass(frozen=True)
class MeasureColumn:
    """A measure's column in tables of results at their end; its unit is added to the heading."""

    heading: str
    digits: int | None = None
    """Decimals on a terminal; None: it is in reports only."""
    narrow: str = ""
    """The heading on a terminal, where that is shorter."""


@dataclass(frozen=True)
class MeasureSpec:
    """What a measure is: labels of its array, and what is made of it when results are told.

    Named axes with their coordinates, unit and long name label the array. All else is optional:
    summaries, findings, tables and figures read here what they need, and list no measures.
    """

    name: str
    dims: tuple[str, ...] = ()
    coords: tuple[tuple[Any, ...], ...] = ()
    unit: str = "1"
    long_name: str = ""
    better: Literal["", "more", "less"] = ""
    """Which way is better: paradigms are compared by it, and findings speak of it."""
    headline: bool = False
    """Whether summaries have it."""
    place: int = 1000
    """Where it stands in sentences and columns, small numbers first."""
    compared: int = 1000
    """Where it stands in tables of paired differences."""
    wording: MeasureWording | None = None
    """None: the long name has to do."""
    spoken: bool = True
    """Whether findings speak of it."""
    column: MeasureColumn | None = None
    delta: float | None = None
    """Two paradigms no further apart than this are called equal, in its unit; of a time, a share of
    the run. None: they never are."""
    whole: float | None = None
    """What it is a share of: 1, or 100 where it is in %. None: it is no share."""
    of: str = ""
    """Where it is the time at which another measure first reaches a level: that measure. NaN is
    then a time that was not reached."""
    parts: "tuple[MeasureSpec, ...]" = ()
    """What some of the labels along its last axis are, each under its label as name."""

    def over_splits(self, names: tuple[str, ...]) -> "MeasureSpec":
        """The same measure of several splits: an axis ``split`` of these labels in front."""
        return replace(self, dims=("split", *self.dims), coords=(names, *self.coords))
