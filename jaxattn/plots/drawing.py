"""What a figure tells of itself: when a result allows it, its title, its caption, its place.

A module of this folder that defines `DRAWINGS` has figures in every gallery and report; nothing
lists it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.subject import is_of_attention, solved_dynamics
from jaxattn.core.contracts import Status
from jaxattn.core.lookup import discover
from jaxattn.plots.canvas import own_figures
from jaxattn.plots.finished_rows import Curves, curves, left_out, runs, seeds_words, unknown_words
from jaxattn.plots.selection import Setting, choose, names_of

__all__ = [
    "Drawing",
    "Entry",
    "Story",
    "entries",
    "gallery",
    "named_words",
]


class Drawing(NamedTuple):
    """A figure to be drawn.

    `name` is that of its file and `title` a heading. `caption` says what is shown and how to read
    it; it can stand in for a figure that is not seen.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True, eq=False)
class Story:
    """A result, and what the captions of its figures have in common."""

    ds: xr.Dataset
    table: pd.DataFrame | None = None
    """Its contrasts, where they are known already."""

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Of `jaxattn.analysis.contrasts.contrasts`."""
        return contrasts(self.ds) if self.table is None else self.table

    @cached_property
    def run(self) -> str:
        """The dynamics that all else stands beside."""
        return solved_dynamics(self.setting.ds)

    @cached_property
    def setting(self) -> Setting:
        """The one that figures show."""
        return choose(self.ds)

    @cached_property
    def where(self) -> str:
        """The task, the setting and the split."""
        return self.setting.title_words(self.setting.split_words)

    @cached_property
    def over(self) -> str:
        """How many seeds there are, and how many runs are left out."""
        paradigms = self.setting.paradigms
        counted = [curves(self.setting, "objective", name, self.run) for name in paradigms]
        lost = left_out(counted)
        return seeds_words(counted) + (f" ({lost})" if lost else "")

    def drawing(
        self, name: str, title: str, caption: str, draw: Callable[[xr.Dataset], Axes | Figure]
    ) -> Drawing:
        """A figure of the result, new each time it is drawn."""
        return Drawing(name, title, caption, partial(_own_figure, draw, self.ds))

    def finished(self, dynamics: str) -> bool:
        """Whether some run of a kind of dynamics ended well; "": of any."""
        ds = self.setting.ds
        if not dynamics:
            return bool(Status.ended_well(ds["status"]).any())
        present = dynamics in names_of(ds, "dynamics")
        return present and bool(Status.ended_well(ds["status"].sel(dynamics=dynamics)).any())

    def runs(self, measure: str) -> list[Curves]:
        """Training of each paradigm that has a finished run; [] where nothing of it is known.

        Where there is no training, that of `run`.
        """
        if measure not in self.setting.ds or not self.run:
            return []
        every = (runs(self.setting, measure, name, self.run) for name in self.setting.paradigms)
        finished = [curve for curve in every if curve.seeds.size]
        return [] if unknown_words(finished) else finished


class Entry(NamedTuple):
    """Figures of a gallery; `drawings` yields those that a result allows."""

    place: int
    """Where they stand, small numbers first."""
    drawings: Callable[[Story], Iterator[Drawing]]
    dynamics: str = "train"
    """Some run of this one has to have ended well; of any where it is empty."""
    solvable: bool = False
    """Whether they are of the companion in the solvable setting, where there is one."""
    attention: bool = False
    """Whether they tell of attention, and are not asked for of problems of one's own."""


def entries() -> list[Entry]:
    """Every one of the `DRAWINGS` of this folder's modules, by place."""
    every = (entry for group in discover("jaxattn.plots", "DRAWINGS") for entry in group)
    return sorted(every, key=lambda entry: entry.place)


def gallery(
    results: xr.Dataset, solved: xr.Dataset | None = None, table: pd.DataFrame | None = None
) -> list[Drawing]:
    """Every figure that a result allows; what it cannot give (no flow, no pictures) is not there.

    Args:
        results: of `jaxattn.compare` or `jaxattn.open`.
        solved: the same paradigms in the solvable setting, where that was run beside.
        table: `jaxattn.analysis.contrasts.contrasts` of the results, where the caller has them.

    Returns:
        Drawings of different names. Each makes a new figure, unknown to pyplot, when asked to.

    Raises:
        InputError: not a result.
    """
    story = Story(results, table)
    beside = story if solved is None else Story(solved)
    drawings: list[Drawing] = []
    for entry in entries():
        source = beside if entry.solvable else story
        is_told = is_of_attention(source.setting.ds) or not entry.attention
        if is_told and source.finished(entry.dynamics):
            drawings += entry.drawings(source)
    return drawings


def _own_figure(draw: Callable[[xr.Dataset], Axes | Figure], ds: xr.Dataset) -> Figure:
    """The new figure that `draw` makes, unknown to pyplot: who asked for it holds it."""
    with own_figures():
        drawn = draw(ds)
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert figure is not None
    return figure


def named_words(words: Iterable[tuple[str, str]]) -> str:
    """``soft 0.91, hard 0.82``."""
    return ", ".join(f"{name} {value}" for name, value in words)
