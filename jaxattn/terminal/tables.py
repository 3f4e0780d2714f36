"""Results on a terminal: tables of them, what was found in words, and a command's last lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from rich.table import Column, Table

from jaxattn.analysis.claims import Claim
from jaxattn.analysis.findings import Finding
from jaxattn.analysis.measures import terminal_columns
from jaxattn.analysis.summary import own_rule
from jaxattn.analysis.wording import value_words
from jaxattn.reports.page import BAND_WORDS, has_bands, numbers_sheet
from jaxattn.terminal.text import cells, shown_text

__all__ = [
    "claim_lines",
    "doctor_table",
    "ending",
    "experiments_table",
    "numbers_table",
    "pairs_table",
    "results_table",
    "sentences",
    "theory_table",
]

MOST_LINES = 40
"""A person does not read more lines of a table of numbers."""


def _band(row: pd.Series, digits: int) -> str:
    if np.isnan(row["median"]):
        return f"never ({row['censored']:.0f} of {row['seeds']:.0f})" if row["censored"] else "-"
    low, high = (
        f"{row[key]:.{digits}f}" if np.isfinite(row[key]) else "never" for key in ("low", "high")
    )
    return f"{row['median']:.{digits}f} [{low}, {high}]"


def results_table(table: pd.DataFrame, ds: xr.Dataset) -> Table:
    """Training at its end: a line per learning rate and paradigm, median [10 %, 90 %]."""
    split = str(ds["split"].values[-1])
    swept = list(table.columns[2 : list(table.columns).index("split")])
    columns = terminal_columns(ds)
    shown = Table(
        *map(Column, cells(*(name.replace("_", " ") for name in (*swept, "paradigm", "seeds")))),
        *(Column(shown_text(heading), justify="right") for heading, _, _ in columns),
        title=shown_text(
            f"after training ({split}): median [10 %, 90 %] over seeds, "
            "each paradigm under its own inference rule"
        ),
        title_justify="left",
    )
    names = list(ds["paradigm"].values)
    table = own_rule(table, ds)
    train = table[(table["dynamics"] == "train") & (table["split"] == split)]
    groups = train.groupby([*swept, "paradigm"], sort=False)
    # Those that are to be compared stand under one another.
    for at, group in sorted(groups, key=lambda pair: (pair[0][:-1], names.index(pair[0][-1]))):
        rows = {row["measure"]: row for _, row in group.iterrows()}
        shown.add_row(
            *cells(*map(value_words, at[:-1]), at[-1], group["seeds"].max()),
            *(_band(rows[m], digits) if m in rows else "-" for _, m, digits in columns),
        )
    return shown


def sentences(found: Sequence[Finding]) -> list[str]:
    """What a reader should take away, setting by setting."""
    lines, last = [], None
    for finding in found:
        if finding.setting != last and finding.setting:
            lines.append(f"{finding.setting[0].upper()}{finding.setting[1:]}:")
        last = finding.setting
        lines.append(f"  {finding.text}" if finding.setting else finding.text)
    return lines


def claim_lines(said: Sequence[Claim]) -> list[str]:
    """The claims of the paper's abstract, a line each; nothing where none was tried."""
    lines = [
        f"  {claim.name}{claim.setting and f' ({claim.setting})'}: {claim.verdict} ({claim.why})."
        for claim in said
    ]
    return ["The claims of the paper's abstract, in this comparison:", *lines] if lines else []


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
    # As it is: to a console that reads markup [nat] is a style.
    headings = map(Column, cells(*sheet.columns))
    shown = Table(
        *headings,
        title=BAND_WORDS if has_bands(lines) else None,
        title_justify="left",
        caption=f"The first {MOST_LINES} of {len(lines)} lines; report.html shows more, and "
        "--json prints all."
        if hidden
        else None,
        caption_justify="left",
    )
    for row in sheet.rows:
        shown.add_row(*cells(*(cell.text for cell in row)))
    return shown


def experiments_table(experiments: Mapping[str, Any]) -> Table:
    """Every experiment by name, and what it is about."""
    shown = Table("name", "what it is about")
    for name, experiment in experiments.items():
        shown.add_row(*cells(name, experiment.summary))
    return shown


def theory_table(said: Mapping[str, Any]) -> Table:
    """End values of the reduced system, from what `jaxattn theory --json` prints.

    The solver's distance from the closed form stands in a column of its own where it is known.
    """
    paths: Mapping[str, Any] = said["paradigms"]
    errors = {"drift": "invariant_drift", "ODE - closed form": "ode_vs_closed_form"}
    known = {key for path in paths.values() for key in path}
    errors = {heading: key for heading, key in errors.items() if key in known}
    shown = Table(
        *("paradigm", "mu", "nu", "attention (alpha)", "right class (beta)", *errors),
        title=f"at time {next(iter(paths.values()))['t'][-1]:g}",
    )
    for name, path in paths.items():
        ends = (f"{path[key][-1]:.10g}" for key in ("mu", "nu", "alpha", "beta"))
        shown.add_row(name, *ends, *(f"{path[key]:.1e}" for key in errors.values()))
    return shown


def _device_rows(device: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    memory = device["memory"]
    own = "" if memory is None else f", {memory / 2**30:.3g} GiB each for JAX"
    return (
        ("device", f"{device['count']} x {device['platform']} {device['kind']}{own}"),
        ("float64", device["float64"]),
        ("products of matrices", device["matmul_precision"]),
    )


def _layout_rows(layout: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    rows = ", ".join(f"{count} ({name})" for name, count in layout["rows_a_call"].items())
    workers = layout["workers"]
    return (
        ("rows a call", f"up to {rows}; {layout['calls_at_once']} calls at once"),
        ("workers", f"{workers}, which uses all of this" if workers == 1 else str(workers)),
        ("precision", layout["precision"]),
    )


def doctor_table(found: Mapping[str, Any]) -> Table:
    """What `jaxattn doctor` found, a line each."""
    shown = Table(show_header=False)
    test = found["self_test"]
    verdict = "passed" if test["passed"] else "FAILED"
    rows: Sequence[tuple[str, str]] = [
        ("python", found["python"]),
        *found["versions"].items(),
        ("devices", ", ".join(found["devices"])),
        *_device_rows(found["device"]),
        ("default precision", found["default_precision"]),
        *_layout_rows(found["layout"]),
        ("compilation cache", str(found["compilation_cache"])),
        (
            "self-test",
            f"{verdict}: reduced system off its reference values by {test['error']:.1e} "
            f"(at most {test['tolerance']:g}), {test['seconds']:.1f} s",
        ),
    ]
    for row in rows:
        shown.add_row(*cells(*row))
    return shown


def pairs_table(rows: Mapping[str, str]) -> Table:
    """What is what, a line each."""
    shown = Table(show_header=False)
    for row in rows.items():
        shown.add_row(*cells(*row))
    return shown
