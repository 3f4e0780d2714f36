"""Where a comparison stands, counted as its chunks come back, and who hears of it."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status, Trajectory
from jaxattn.run.failures import Failed, Failures
from jaxattn.run.job import Job

__all__ = ["NOBODY", "Listener", "OnChunk", "Progress", "Tally"]


class Progress(NamedTuple):
    """Where a comparison stands, mostly after a chunk; counts are rows."""

    paradigm: str
    dynamics: str
    done: int
    total: int
    failed: int
    setting: str = ""
    """What else tells the program that runs from others, in words."""
    compiling: bool = False
    """Whether nothing of that program has come back yet."""
    seconds: float | None = None
    """About how long it will take, foretold before anything is back; None: nothing is foretold."""
    seconds_of: Literal["all", "training"] = "all"
    """What takes so long."""


OnChunk = Callable[[Progress, Callable[[], xr.Dataset]], None]
"""Is told where things stand, and given what makes the Dataset so far."""


class Listener(NamedTuple):
    """Who hears how rows come about."""

    on_progress: Callable[[Progress], None] | None = None
    """Where things stand: before the first program is compiled and after, then after each chunk."""
    on_failed: Callable[[Failed], None] | None = None
    """Rows that did not end well, once all rows of their paradigm and dynamics are back."""
    on_chunk: OnChunk | None = None
    """Each chunk, before anyone else hears of it: what it must not lose it can write."""


NOBODY = Listener()


class Tally:
    """Counts the rows of a comparison, and tells of them."""

    def __init__(self, jobs: Sequence[Job], to: Listener) -> None:
        """Nothing is done yet.

        Args:
            jobs: all of the comparison.
            to: hears of it.
        """
        self._first, self._to = jobs[0].group, to
        self._total = sum(job.plan.size for job in jobs)
        self._done = self._failed = 0
        rows = {job.group.number: job.plan.size for job in jobs}
        self._failures = Failures(rows, to.on_failed)

    def begin(self, **more: Any) -> None:
        """The first program is to be compiled, or has been: `more` of its `Progress`."""
        progress = self._now(self._first.paradigm, self._first.dynamics)
        if self._to.on_progress:
            self._to.on_progress(progress._replace(**more))

    def add(
        self, job: Job, rows: np.ndarray, out: Trajectory, so_far: Callable[[], xr.Dataset]
    ) -> None:
        """A chunk of a job came back.

        Args:
            job: whose.
            rows: their numbers ``[tile, row]``; -1 is padding.
            out: what came back of them.
            so_far: makes the Dataset of all that did.
        """
        real = rows >= 0
        status, reached = (np.asarray(leaf)[real] for leaf in (out.status, out.time_reached))
        self._done += status.size
        self._failed += int(np.sum(~Status.ended_well(status)))
        self._tell(self._now(job.group.paradigm, job.group.dynamics), so_far)
        reason = None if out.reason is None else np.asarray(out.reason)[real]
        self._failures.add(job.group, job.plan, rows[real], status, reached, reason=reason)

    def interrupted(self, so_far: Callable[[], xr.Dataset]) -> None:
        """Someone stops it: what is there is to be kept."""
        self._tell(self._now("", "interrupted"), so_far)

    def _tell(self, progress: Progress, so_far: Callable[[], xr.Dataset]) -> None:
        if self._to.on_chunk:
            self._to.on_chunk(progress, so_far)
        if self._to.on_progress:
            self._to.on_progress(progress)

    def _now(self, paradigm: str, dynamics: str) -> Progress:
        return Progress(paradigm, dynamics, self._done, self._total, self._failed)
