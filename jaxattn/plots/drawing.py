"""What a figure tells of itself: when a result allows it, its title, its caption, its place.

A module of this folder that defines `DRAWINGS` has figures in every gallery and report; nothing
lists it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxattn.core.contracts import Status
from jaxattn.plots.finished_rows import Curves, curves, runs
from jaxattn.plots.selection import Setting, choose, names_of, split_of
from jaxattn.plots.title_words import left_out, seeds_words, setting_words

__all__ = ["Drawing", "Entry", "Story", "medians_words", "named_words", "own_figure"]


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

    @cached_property
    def setting(self) -> Setting:
        """The one that figures show."""
        return choose(self.ds)

    @cached_property
    def split(self) -> str:
        """The split that figures show; "" where there is none."""
        return split_of(self.setting.ds, None)

    @cached_property
    def where(self) -> str:
        """The task, the setting and the split."""
        return setting_words(self.setting, f"{self.split} split" if self.split else "")

    @cached_property
    def over(self) -> str:
        """How many seeds there are, and how many runs are left out."""
        counted = [curves(self.setting, "objective", name) for name in self.setting.paradigms]
        lost = left_out(counted)
        return seeds_words(counted) + (f" ({lost})" if lost else "")

    def finished(self, process: str) -> bool:
        """Whether some run of a process ended well."""
        ds = self.setting.ds
        there = process in names_of(ds, "process")
        return there and bool(Status.ended_well(ds["status"].sel(process=process)).any())

    def runs(self, measure: str) -> list[Curves]:
        """Training of each paradigm that has a finished run; [] where nothing of it is known."""
        if measure not in self.setting.ds:
            return []
        every = (
            runs(self.setting, measure, name, split=self.split) for name in self.setting.paradigms
        )
        found = [one for one in every if one.seeds.size]
        return found if any(np.isfinite(one.values).any() for one in found) else []


class Entry(NamedTuple):
    """Figures of a gallery; `drawings` yields those that a result allows."""

    place: int
    """Where they stand, small numbers first."""
    drawings: Callable[[Story], Iterator[Drawing]]
    process: str = "train"
    """Some run of this one has to have ended well."""
    solvable: bool = False
    """Whether they are of the companion in the solvable setting, where there is one."""


def own_figure(draw: Callable[[xr.Dataset], Axes], ds: xr.Dataset) -> Figure:
    """The new figure that `draw` makes, unknown to pyplot: who asked for it holds it."""
    figure = draw(ds).get_figure(root=True)
    assert figure is not None
    plt.close(figure)
    return figure


def named_words(words: Iterable[tuple[str, str]]) -> str:
    """``soft 0.91, hard 0.82``."""
    return ", ".join(f"{name} {value}" for name, value in words)


def medians_words(found: Iterable[Curves], form: str) -> str:
    """The median of each paradigm at the end, in this format."""
    return named_words((one.paradigm, format(one.quantile(0.5)[-1], form)) for one in found)
