"""What one command does to a sweep, told as it goes: to its listener, and to the log."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxattn.analysis.scope import too_few_words
from jaxattn.analysis.wording import setting_words
from jaxattn.core.contracts import Status
from jaxattn.engine.executors.base import Engine
from jaxattn.engine.executors.hosts import share_of
from jaxattn.engine.log import log
from jaxattn.results.checksum import State
from jaxattn.results.chunk_file import ends_in, status_in
from jaxattn.run.failures import Failed, Failures
from jaxattn.run.progress import Progress
from jaxattn.study.groups import Group, setting_of
from jaxattn.study.layout import Sweep

__all__ = ["Listener", "Watch", "Written", "failed_in"]

_FAILED = (Status.DIVERGED, Status.SOLVER_FAILED)


class Written(NamedTuple):
    """A chunk that was just written, and how the sweep stands by then."""

    number: int
    group: Group
    content: bytes
    done: int
    """Runs that are finished: those of earlier commands and of this process."""
    failed: int
    """Runs of this command."""
    rate: float
    """Runs a second of this command so far."""


class Listener(NamedTuple):
    """Who hears how a sweep goes."""

    on_progress: Callable[[Progress], None] = lambda progress: None
    on_note: Callable[[str], None] = lambda text: None
    on_chunk: Callable[[Written], None] = lambda finished: None
    on_failed: Callable[[Failed], None] | None = None
    """Rows that did not end well, once all of this process's share of their group are back."""


class Watch:
    """Counts what this process does; what was finished before counts for no rate."""

    def __init__(
        self,
        folder: Path,
        sweep: Sweep,
        file_states: Mapping[int, State],
        engine: Engine,
        to: Listener,
    ) -> None:
        """Begin to count.

        Args:
            folder: the sweep's directory.
            sweep: whose chunks are missing.
            file_states: what the file of every chunk is worth.
            engine: computes them; each of several hosts has its own share.
            to: hears of it.
        """
        self._folder, self._sweep, self._to = folder, sweep, to
        self._file_states, self._engine = file_states, engine
        self.missing = [number for number, state in file_states.items() if state is not State.WHOLE]
        self.share = share_of(self.missing, engine.process, engine.processes)
        rows: Counter[int] = Counter()
        for group, _, chunk in map(sweep.locate, self.share):
            rows[group.number] += int(chunk.real.size)
        self._failures, self._total = Failures(rows, to.on_failed), rows.total()
        self._before = sweep.rows - sum(self._rows(number) for number in self.missing)
        self._next = self._done = self._failed = self.computed = 0
        self._finished: set[int] = set()
        self._compiled: set[int] = set()
        self._began = self._last = time.perf_counter()

    def begin(self) -> None:
        """Say what is missing, and why: of several hosts, the first does."""
        first = self._engine.process == 0
        for number in self.missing if first else ():
            if self._file_states[number] is not State.MISSING:
                state = self._file_states[number].value
                self._to.on_note(f"chunk {number}: {state}; it is computed again.")
                log(self._folder, "chunk not whole", chunk=number, state=state)
        chunks, missing = len(self._file_states), len(self.missing)
        sizes = {axis.name: len(axis) for axis in self._sweep.spec.axes}
        few = too_few_words(sizes["seed"], sizes["paradigm"])
        if few and first and missing == chunks:
            self._to.on_note(few)
        if missing < chunks and first:
            self._to.on_note(f"{chunks - missing} of {chunks} chunks are finished already.")
        log(
            self._folder,
            "begun",
            missing=len(self.share),
            chunks=chunks,
            runs=self._total,
            engine=self._engine.name,
            process=self._engine.process,
        )
        self._report()

    def add(self, number: int, content: bytes) -> None:
        """A chunk was written."""
        now, (group, plan, chunk) = time.perf_counter(), self._sweep.locate(number)
        rows, failed = self._rows(number), failed_in(content)
        self._done, self._failed = self._done + rows, self._failed + failed
        self.computed += 1
        self._finished.add(number)
        self._compiled.add(group.number)
        log(
            self._folder,
            "chunk",
            chunk=number,
            group=group.number,
            rows=rows,
            failed=failed,
            bytes=len(content),
            seconds=round(now - self._last, 4),
        )
        self._last = now
        rate = self._done / max(now - self._began, 1e-9)
        done = self._before + self._done
        self._to.on_chunk(Written(number, group, content, done, self._failed, rate))
        self._report()
        at = setting_of(self._sweep.spec, group)
        status, reached, reason = ends_in(content)
        self._failures.add(group, plan, chunk.real, status, reached, at, reason)

    def _report(self) -> None:
        """Where things stand: what is worked on is the first chunk that is not finished."""
        while self._next < len(self.share) - 1 and self.share[self._next] in self._finished:
            self._next += 1
        if self.share:
            group, _, _ = self._sweep.locate(self.share[self._next])
            self._to.on_progress(
                Progress(
                    group.paradigm,
                    group.dynamics,
                    self._done,
                    self._total,
                    self._failed,
                    setting=setting_words(setting_of(self._sweep.spec, group)),
                    compiling=group.number not in self._compiled,
                )
            )

    def _rows(self, number: int) -> int:
        return int(self._sweep.locate(number)[2].real.size)


def failed_in(chunk: bytes | Path) -> int:
    """Runs of a whole chunk that diverged or were not solved."""
    return int(np.isin(status_in(chunk), [int(one) for one in _FAILED]).sum())
