"""Live progress on standard error: a bar on a terminal, plain lines where there is none."""

import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from jaxattn.core.text import printable
from jaxattn.run import compare
from jaxattn.terminal.text import shown_text

__all__ = ["Reporter"]

_BAR = 12
"""Columns of the live bar."""

LINE_EVERY = 2.0
"""Seconds between plain progress lines where there is no terminal."""


class _Left(ProgressColumn):
    """The time left at the pace so far, counted down between chunks.

    Rich's own column forgets what took longer than half a minute, as chunks may.
    """

    def render(self, task: Task) -> Text:
        """A clock, once there is a pace."""
        ends = task.fields["ends"]
        words = "-:--:--"
        if ends is not None:
            words = str(timedelta(seconds=max(0, round(ends - time.perf_counter()))))
        return Text(words, "progress.remaining")


class Reporter:
    """Progress on standard error: a live bar on a terminal, plain lines otherwise."""

    def __init__(self) -> None:
        """Nothing is shown before the first chunk."""
        self.console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: Any = None
        self._started = self._told = time.perf_counter()
        self._last = -LINE_EVERY
        self._done, self._total = 0, 0

    def __enter__(self) -> "Reporter":
        """Open the live display where there is a terminal."""
        if self.console.is_terminal:
            self._bar = Progress(
                # What is shortened where there is no room for all.
                TextColumn(
                    "{task.description}",
                    markup=False,  # a name in it may be [red], or [/], which is none
                    table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
                ),
                BarColumn(bar_width=_BAR),
                TextColumn("{task.fields[runs]}"),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                _Left(),
                console=self.console,
                expand=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("compiling", total=None, runs="", rate="", ends=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the live display."""
        if self._bar is not None:
            self._bar.stop()

    def on_note(self, text: str) -> None:
        """Say something once, above the progress."""
        if self._bar is not None:
            self.console.print(shown_text(text), highlight=False, soft_wrap=True)
        else:
            print(printable(text), file=sys.stderr)

    def on_progress(self, progress: compare.Progress) -> None:
        """Show where things stand."""
        now = time.perf_counter()
        again = progress.done < self._done or progress.done == self._done == self._total
        if progress.total != self._total or again:
            # A new part (the companion of a comparison, another part of an experiment) counts from
            # nothing, from where the last one ended.
            self._started, self._total = self._told, progress.total
            if self._bar is not None and again:
                self._bar.reset(self._task)  # of the same size, it would stay at its end
        elapsed = now - self._started
        # Runs and not seeds: exact parts have none.
        paced = progress.done and elapsed > 0.5
        rate = f"{progress.done / elapsed:.1f} runs/s" if paced else ""
        left = elapsed / progress.done * (progress.total - progress.done) if paced else None
        failed = f", {progress.failed} failed" if progress.failed else ""
        words = (f"{progress.dynamics} {progress.paradigm}".strip(), progress.setting)
        label = printable(", ".join(filter(None, words)))
        if progress.compiling:
            label = f"compiling {label}"
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=label,
                completed=progress.done,
                total=progress.total,
                runs=f"{progress.done}/{progress.total} runs{failed}",
                rate=rate,
                ends=None if left is None else now + left,
            )
        elif (
            now - self._last >= LINE_EVERY
            or progress.done == progress.total
            or progress.compiling  # what may take long is said before it does
        ):
            pace = "starting" if left is None else f"{rate}, {_span(left)} left"
            print(
                f"{label}: {progress.done}/{progress.total} runs{failed}, {pace}", file=sys.stderr
            )
            self._last = now
        self._done, self._told = progress.done, now


def _span(seconds: float) -> str:
    """Seconds, and from two minutes on a clock."""
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
