"""What a person sees on a terminal: live progress, the table of results, findings in words."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from jaxattn.analysis.findings import Finding
from jaxattn.analysis.summary import own_rule
from jaxattn.analysis.wording import value_words
from jaxattn.reports.page import BAND_WORDS, has_bands, numbers_sheet
from jaxattn.run import compare

__all__ = [
    "Reporter",
    "doctor_table",
    "ending",
    "experiments_table",
    "numbers_table",
    "results_table",
    "sentences",
    "theory_table",
]

ASKED_FIRST = ("distance", "learning_rate", "time_to_focus", "attention_foreground", "accuracy")
"""What the terminal says of each setting; the report says the rest."""

MOST_LINES = 40
"""Of a table of numbers: what a person still reads."""

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

    def note(self, text: str) -> None:
        """Say something once, above the progress."""
        if self._bar is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr)

    def tell(self, progress: compare.Progress) -> None:
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
        words = (f"{progress.process} {progress.paradigm}".strip(), progress.setting)
        label = ", ".join(filter(None, words))
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


def _band(row: pd.Series, digits: int) -> str:
    if np.isnan(row["median"]):
        return f"never ({row['censored']:.0f} of {row['seeds']:.0f})" if row["censored"] else "-"
    low, high = (
        f"{row[key]:.{digits}f}" if np.isfinite(row[key]) else "never" for key in ("low", "high")
    )
    return f"{row['median']:.{digits}f} [{low}, {high}]"


COLUMNS = (
    ("time to focus", "time_to_focus", 1),
    ("attention on foreground", "attention_foreground", 3),
    ("accuracy %", "accuracy", 1),
    ("right for the right reason %", "FTPT", 1),
    ("loss", "loss", 3),
)


def results_table(table: pd.DataFrame, ds: xr.Dataset) -> Table:
    """Training at its end: a line per learning rate and paradigm, median [10 %, 90 %]."""
    split = str(ds["split"].values[-1])
    shown = Table(
        title=f"after training ({split}): median [10 %, 90 %] over seeds, "
        "each paradigm under its own inference rule",
        title_justify="left",
    )
    swept = [c for c in table.columns[2 : list(table.columns).index("split")]]
    for name in (*swept, "paradigm", "seeds"):
        shown.add_column(name.replace("_", " "))
    for heading, _, _ in COLUMNS:
        shown.add_column(heading, justify="right")
    names = list(ds["paradigm"].values)
    table = own_rule(table, ds)
    train = table[(table["process"] == "train") & (table["split"] == split)]
    groups = train.groupby([*swept, "paradigm"], sort=False)
    # Those that are to be compared stand under one another.
    for at, group in sorted(groups, key=lambda one: (one[0][:-1], names.index(one[0][-1]))):
        rows = {row["measure"]: row for _, row in group.iterrows()}
        shown.add_row(
            *map(value_words, at[:-1]),
            str(at[-1]),
            str(group["seeds"].max()),
            *(_band(rows[m], digits) if m in rows else "-" for _, m, digits in COLUMNS),
        )
    return shown


def sentences(found: Sequence[Finding]) -> list[str]:
    """What a reader should take away: the questions asked first, setting by setting."""
    lines, last = [], None
    for one in found:
        if one.setting and not set(one.measure.split(", ")) & set(ASKED_FIRST):
            continue
        if one.setting != last and one.setting:
            lines.append(f"{one.setting[0].upper()}{one.setting[1:]}:")
        last = one.setting
        lines.append(f"  {one.text}" if one.setting else one.text)
    return lines


def ending(failed: int, folder: Path) -> list[str]:
    """The last lines of a command: what failed, and where everything is."""
    runs = "run" if failed == 1 else "runs"
    said = [f"{failed} {runs} failed (diverged or not solved), left out above."] if failed else []
    return [*said, f"report.html, results, figures and run.json are in {folder}."]


def numbers_table(lines: Sequence[Mapping[str, Any]], ds: xr.Dataset) -> Table:
    """The numbers behind an experiment's figures, a dict a line, from the first on.

    Args:
        lines: of `Experiment.numbers`.
        ds: the results, for their units.
    """
    sheet = numbers_sheet(lines, ds, MOST_LINES, digits=3)
    hidden = len(lines) - len(sheet.rows)
    shown = Table(
        title=BAND_WORDS if has_bands(lines) else None,
        title_justify="left",
        caption=f"The first {MOST_LINES} of {len(lines)} lines; report.html shows more, and "
        "--json prints all."
        if hidden
        else None,
        caption_justify="left",
    )
    for name in sheet.columns:
        shown.add_column(Text(name))  # as it is: to a console that reads markup [nat] is a style
    for row in sheet.rows:
        shown.add_row(*(Text(one.text) for one in row))
    return shown


def experiments_table(experiments: Mapping[str, Any]) -> Table:
    """Every experiment by name, and what it is about."""
    shown = Table("name", "what it is about")
    for name, one in experiments.items():
        shown.add_row(name, one.summary)
    return shown


def theory_table(said: Mapping[str, Any]) -> Table:
    """End values of the reduced system, from what `jaxattn theory --json` prints.

    The solver's distance from the closed form stands in a column of its own where it is known.
    """
    paths: Mapping[str, Any] = said["paradigms"]
    shown = Table(title=f"at time {next(iter(paths.values()))['t'][-1]:g}")
    for name in ("paradigm", "mu", "nu", "attention (alpha)", "right class (beta)", "drift"):
        shown.add_column(name)
    gap = "ode_vs_closed_form"
    further = ["invariant_drift", *([gap] if any(gap in path for path in paths.values()) else [])]
    if gap in further:
        shown.add_column("ODE - closed form")
    for name, path in paths.items():
        ends = (f"{path[what][-1]:.10g}" for what in ("mu", "nu", "alpha", "beta"))
        shown.add_row(name, *ends, *(f"{path[what]:.1e}" for what in further))
    return shown


def doctor_table(found: Mapping[str, Any]) -> Table:
    """What `jaxattn doctor` found, a line each."""
    shown = Table(show_header=False)
    test = found["self_test"]
    verdict = "passed" if test["passed"] else "FAILED"
    rows: Sequence[tuple[str, str]] = [
        ("python", found["python"]),
        *((name, number) for name, number in found["versions"].items()),
        ("devices", ", ".join(found["devices"])),
        ("default precision", found["default_precision"]),
        ("compilation cache", str(found["compilation_cache"])),
        (
            "self-test",
            f"{verdict}: reduced system off its reference values by {test['error']:.1e} "
            f"(at most {test['tolerance']:g}), {test['seconds']:.1f} s",
        ),
    ]
    for row in rows:
        shown.add_row(*row)
    return shown
