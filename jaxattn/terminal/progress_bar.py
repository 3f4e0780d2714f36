"""Live progress: a bar on a terminal and in a notebook, plain lines on standard error elsewhere."""

import sys
import time
from datetime import timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from jaxattn.core.text import printable
from jaxattn.run import progress as run
from jaxattn.run.failures import Failed
from jaxattn.terminal.failures import failure_words
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
    """Progress on standard error: a live bar on a terminal, plain lines otherwise.

    In a notebook the bar is a widget below the cell, where `ipywidgets` are installed.
    """

    def __init__(self, first: str = "") -> None:
        """Nothing is shown before the first progress.

        Args:
            first: said above it, once something runs: of what is refused it is not said.
        """
        self._first = first
        self.console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: Any = None
        self._started = self._told = time.perf_counter()
        self._last = -LINE_EVERY
        self._done, self._total = 0, 0

    def __enter__(self) -> "Reporter":
        """Open the live display where there can be one."""
        # Rich draws nothing in a notebook without them.
        widgets = self.console.is_jupyter and find_spec("ipywidgets") is not None
        if self.console.is_terminal or widgets:
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

    def on_failed(self, failed: Failed) -> None:
        """Warn of rows that did not end well."""
        self.on_note(f"warning: {failure_words(failed)}")

    def on_progress(self, progress: run.Progress) -> None:
        """Show where things stand."""
        if self._first:
            self.on_note(self._first)
            self._first = ""
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
        rate = f"{progress.done / elapsed:.1f} runs/s" if paced else _foretold(progress)
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
            or (progress.done and not self._done)  # the first that are back
            or progress.done == progress.total
            or progress.compiling  # what may take long is said before it does
            or _foretold(progress)
        ):
            pace = rate or "starting" if left is None else f"{rate}, {_span(left)} left"
            print(
                f"{label}: {progress.done}/{progress.total} runs{failed}, {pace}", file=sys.stderr
            )
            self._last = now
        self._done, self._told = progress.done, now


def _foretold(progress: run.Progress) -> str:
    """About how long it will take; nothing where that is sooner than anyone reads it."""
    if progress.seconds is None or progress.seconds < LINE_EVERY:
        return ""
    return f"about {_span(progress.seconds)} for {progress.seconds_of}"


def _span(seconds: float) -> str:
    """Seconds, and from two minutes on a clock."""
    return f"{seconds:.0f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))
