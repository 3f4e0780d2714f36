"""The report of an experiment: everything its results say, on one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.reason_words import reason_words, reasons_in
from jaxattn.core.contracts import Status
from jaxattn.reports.experiment import Experiment
from jaxattn.reports.late import after_results, first_of
from jaxattn.reports.page import Figure, Page, Section, numbers_sheet, render
from jaxattn.reports.parts import (
    REPORT,
    format_value,
    grid_words,
    page_of,
    pictures,
    run_facts,
    sentences_or,
)
from jaxattn.results.dataset import spec_of
from jaxattn.results.files import open_run, write_bytes

__all__ = ["experiment_report_into"]

MOST_LINES = 1000
"""Lines of the table; a page of this many stays well below what a browser sorts at once."""

_MOST_SETTINGS = 12
"""How many settings the page names whose runs failed."""


def experiment_report_into(
    folder: Path, experiment: Experiment
) -> tuple[Path, list[str], list[dict[str, Any]]]:
    """Draw every figure and write ``report.html`` for the results of an experiment in a directory.

    Args:
        folder: of a run, finished or not: ``results.nc`` must be there, ``run.json`` may.
        experiment: that was run there.

    Returns:
        Where the page is, the findings and the numbers.

    Raises:
        InputError: no results there, or damaged ones.
        LateError: some figure could not be drawn, which the page says, or the page not written;
            what was there before is whole.
    """
    run, results = run_facts(folder), open_run(folder)
    path = folder / REPORT
    with after_results("report", folder):
        figures, failed = pictures(experiment.figures(results), folder)
        said, numbers = experiment.findings(results), experiment.numbers(results)
        shown, undrawn = [*figures.values()], [*map(str, failed)]
        page = _page(experiment, results, said, numbers, shown, undrawn, run)
        write_bytes(path, render(page).encode())
    if failed:
        raise first_of(failed)
    return path, said, numbers


def _page(
    experiment: Experiment,
    ds: xr.Dataset,
    said: Sequence[str],
    numbers: Sequence[Mapping[str, Any]],
    figures: Sequence[Figure],
    undrawn: Sequence[str],
    run: Mapping[str, Any],
) -> Page:
    settings = {name: run[name] for name in ("experiment", "scale") if name in run}
    settings |= run.get("config", {})
    # Results may tell more of themselves, such as the optimiser.
    settings |= {name: value for name, value in spec_of(ds).items() if name not in settings}
    rest = "jaxattn report --json with this folder prints all, from results.nc."
    nothing = "Of these results nothing can be said in a sentence."
    tables = [numbers_sheet(numbers, ds, MOST_LINES, rest)] if numbers else ()
    sections = [
        sentences_or("Findings", said, nothing),
        Section("Figures", figures=figures),
        Section("Numbers", tables=tables),
        sentences_or("Failures", [*_failures(ds), *undrawn], "No run failed."),
    ]
    title = f"{experiment.name}: {experiment.summary}"
    return page_of(title, _lead(ds["status"], run), sections, settings, ds, run)


def _lead(status: xr.DataArray, run: Mapping[str, Any]) -> str:
    rows = int((status >= 0).sum())
    sizes = {str(dim): size for dim, size in status.sizes.items() if size > 1}
    words = f"{grid_words({'run': rows})}" + (f": {grid_words(sizes)}" if sizes else "")
    if "config" in run and "seeds" not in run["config"]:
        words += "; nothing in it is drawn at random"
    if "scale" in run:
        words += f"; scale {run['scale']}"
    if not run:
        words += "; without a run.json, as of a run that was interrupted or is not over"
    return f"{words}."


def _failures(ds: xr.Dataset) -> list[str]:
    """Runs that did not end well, by setting; nothing where all did."""
    status = ds["status"]
    total = int((status >= 0).sum())
    places = np.argwhere(((status >= 0) & ~Status.ended_well(status)).values)
    if not len(places):
        return []
    reasons = reasons_in(ds)
    failed: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for place in places:
        ending = Status(int(status[tuple(place)]))
        where = [
            f"{str(dim).replace('_', ' ')} {format_value(status[dim][at].item())}"
            for dim, at in zip(status.dims, place, strict=True)
            if dim != "seed" and status.sizes[dim] > 1
        ]
        key = ", ".join(where), ending.name.lower().replace("_", " ")
        failed.setdefault(key, []).append(tuple(place))
    lines = []
    for (where_words, how), rows in failed.items():
        index = zip(status.dims, np.transpose(rows), strict=True)
        at = {dim: ("row", places) for dim, places in index}
        why = reason_words(reasons.isel(at, missing_dims="ignore"))
        line = f"{len(rows)} {how}" + (f": {why}" if why else "")
        lines.append(f"{where_words}: {line}" if where_words else line)
    more = len(lines) - _MOST_SETTINGS
    said = [f"{len(places)} of {total} runs did not finish.", *lines[:_MOST_SETTINGS]]
    return [*said, f"And {more} settings more."] if more > 0 else said
