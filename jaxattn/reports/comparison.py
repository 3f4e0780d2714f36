"""The report of a comparison: everything its results say, on one page."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from jaxattn import plots
from jaxattn.analysis.answers import answers
from jaxattn.analysis.claims import claims
from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.findings import Finding, findings
from jaxattn.analysis.limit_departures import departure_records
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.measures import heading_of, in_columns
from jaxattn.analysis.paired_differences import differences
from jaxattn.analysis.scope import error_words, scope_words
from jaxattn.analysis.summary import own_rule, summary
from jaxattn.analysis.wording import capital, listed
from jaxattn.core.contracts import InputError
from jaxattn.reports.first_screen import answers_section, claims_section
from jaxattn.reports.late import after_results, first_of
from jaxattn.reports.page import Cell, Collapsible, Figure, Page, Section, Table, cell, render
from jaxattn.reports.parts import REPORT, grid_words, page_of, pictures, run_facts, sentences_or
from jaxattn.results.dataset import spec_of
from jaxattn.results.files import RESULTS, open_run, write_bytes

__all__ = ["report_into"]

_PANELS = ("focus", "accuracy")
"""What the overview shows side by side: files of their own, and on the page once."""

_FIRST = ("overview", "answers")
"""Figures that are seen at once, beside the answers."""

_OPEN_FOLDS = 3
"""Settings whose findings are shown at once; those of further ones open on request."""


def report_into(folder: Path) -> tuple[Path, list[Finding]]:
    """Draw every figure and write ``report.html`` for the results in a directory.

    Args:
        folder: of a run, finished or not: ``results.nc`` must be there, ``run.json`` and
            ``population/`` may.

    Returns:
        Where the page is, and what it says first.

    Raises:
        InputError: no results there, damaged ones, or those of an experiment.
        LateError: some figure could not be drawn, which the page says, or the page not written;
            what was there before is whole.
    """
    run, results = run_facts(folder), open_run(folder)
    if "experiment" in run:
        raise InputError(
            f"report: got the folder of the experiment {run['experiment']}, expected one of "
            "compare; jaxattn.experiments.report takes both."
        )
    solved = folder / "population" / RESULTS
    path = folder / REPORT
    with after_results("report", folder):
        table = contrasts(results)
        beside = open_run(solved) if solved.is_file() else None
        drawings = plots.gallery(results, beside, table)
        figures, failed = pictures(drawings, folder)
        if "overview" in figures:
            figures = {name: each for name, each in figures.items() if name not in _PANELS}
        said = findings(results, table)
        page = _page(results, table, said, figures, [*map(str, failed)], run)
        write_bytes(path, render(page).encode())
    if failed:
        raise first_of(failed)
    return path, said


def _page(
    ds: xr.Dataset,
    table: pd.DataFrame,
    said: Sequence[Finding],
    figures: Mapping[str, Figure],
    undrawn: Sequence[str],
    run: Mapping[str, Any],
) -> Page:
    spec = spec_of(ds)
    names = listed(map(str, ds["paradigm"].values))
    failures = [*(finding.text for finding in said if finding.measure == "status"), *undrawn]
    spoken = {finding.measure for finding in said}
    answered = [one for one in answers(ds, table) if one.question in spoken]
    # Told in cards, and in how sure they are.
    told = {one.line for one in answered} | {scope_words(ds)}
    others = [finding for finding in said if finding.text not in told]
    # Where nothing is answered, what there is to see is not folded.
    first = _FIRST if answered else ()
    shown = [each for name, each in figures.items() if name in first]
    rest = [each._replace(open=not answered) for name, each in figures.items() if name not in first]
    tables = [*_departures(ds), _ends(ds), *_judged(table), *_pairs(differences(ds))]
    sections = [
        answers_section(answered, _how_sure(ds, table), shown),
        claims_section(claims(ds, table) if answered else []),
        Section("Findings", collapsibles=list(_collapsibles(others, first=not answered))),
        Section("Figures", figures=rest),
        Section("Numbers", tables=[one._replace(open=False) for one in tables]),
        sentences_or("Failures", failures, "No run failed."),
    ]
    title = f"{spec.get('task', 'A comparison')}: {names} attention"
    return page_of(title, _lead(ds, spec), sections, spec, ds, run)


def _lead(ds: xr.Dataset, spec: Mapping[str, Any]) -> str:
    rows = int((ds["status"].sel(dynamics="train") >= 0).sum())
    counts = {str(dim): ds.sizes[dim] for dim in ds["status"].dims if dim != "dynamics"}
    words = [f"{rows} training runs: {grid_words(counts)}"]
    if "steps" in spec:
        size = spec.get("batch_size")
        batch = "full batch" if size is None else f"batches of {size}"
        words.append(f"{spec['steps']} steps of {spec.get('optimiser')}, {batch}")
    if spec.get("vary"):
        varied = {"init": "initial parameters", "data": "data"}
        what = listed(varied.get(name, name) for name in spec["vary"])
        words.append(f"seeds vary the {what} and are shared by all paradigms")
    others = [str(name) for name in ds["dynamics"].values if name != "train"]
    if others:
        beside = ("the exact theory" if name == "theory" else limit_words(name) for name in others)
        words.append(f"beside them {listed(beside)}")
    return "; ".join(words) + "."


def _how_sure(ds: xr.Dataset, table: pd.DataFrame) -> str:
    return " ".join(filter(None, (error_words(table), scope_words(ds))))


def _collapsibles(said: Sequence[Finding], first: bool) -> Iterator[Collapsible]:
    """Findings by setting; those of the first few are open where they come `first`."""
    by_setting = groupby((finding for finding in said if finding.setting), lambda one: one.setting)
    for number, (setting, group) in enumerate(by_setting):
        texts = [finding.text for finding in group]
        yield Collapsible(capital(setting), texts, open=first and number < _OPEN_FOLDS)
    whole = [finding.text for finding in said if not finding.setting]
    if whole:
        yield Collapsible("", whole)


def _ends(ds: xr.Dataset) -> Table:
    """Training at its end, a line a paradigm, setting and split."""
    lines = own_rule(summary(ds), ds)
    lines = lines[lines["dynamics"] == "train"]
    swept = list(lines.columns[2 : list(lines.columns).index("split")])
    at = ["paradigm", *swept, "split"]
    measures = [spec for spec in in_columns(ds) if spec.name in set(lines["measure"])]
    rows = []
    for place, group in lines.groupby(at, sort=False):
        by_measure = group.set_index("measure")
        numbers = [_band(by_measure, spec.name) for spec in measures]
        rows.append([*map(cell, place), cell(int(group["seeds"].max())), *numbers])
    return Table(
        "After training",
        "Median and, in brackets, 10 to 90 % band over the seeds that finished; columns sort by "
        "the median. Times not reached by a seed lie above all others.",
        [*(name.replace("_", " ") for name in at), "seeds", *map(heading_of, measures)],
        rows,
    )


def _departures(ds: xr.Dataset) -> list[Table]:
    """When training left each of its limits, a line a limit, paradigm and setting."""
    records = departure_records(ds)
    if not records:
        return []
    note = (
        "Training has left a limit where it is further from it than a share of the limit's own "
        "way, the tolerance. Time and step are of the save by which at least half of the seeds "
        "that left are seen to have left, within of the save before, edge time and step of that by "
        "which half of those that reach the edge of stability are seen to have reached it."
    )
    rows = [[cell(value) for value in record.values()] for record in records]
    columns = [name.replace("_", " ") for name in records[0]]
    return [Table("When training leaves its limits", note, columns, rows)]


def _band(by_measure: pd.DataFrame, name: str) -> Cell:
    if name not in by_measure.index:
        return cell(None)
    line = by_measure.loc[name]
    middle, low, high = (cell(line[key]) for key in ("median", "low", "high"))
    return Cell(f"{middle.text} [{low.text}, {high.text}]", middle.by)


def _judged(table: pd.DataFrame) -> list[Table]:
    """All contrasts of the questions, with their verdicts."""
    if table.empty:
        return []
    columns = [name for name in table.columns if name not in ("title", "split", "selection")]
    note = (
        "First minus second, each at its own best learning rate. low to high hold all together, "
        "marginal low to marginal high each on its own; favour: seeds on the side of the estimate; "
        "needed: about so many seeds would decide; delta: what counts as equal."
    )
    return [_whole("Contrasts of the questions", note, table[columns])]


def _whole(title: str, note: str, table: pd.DataFrame) -> Table:
    rows = [[cell(value) for value in line] for line in table.itertuples(index=False)]
    return Table(title, note, [str(name).replace("_", " ") for name in table.columns], rows)


def _pairs(table: pd.DataFrame) -> list[Table]:
    """Paired differences of all measures, without a verdict."""
    if table.empty:
        return []
    columns = [name for name in table.columns if name not in ("selection", "split")]
    note = (
        "Paradigm a minus paradigm b at the end of training, seed by seed, to be looked at: each "
        "interval is one on its own, and has no verdict. Effect size: mean over "
        "standard deviation of the differences (d_z); where times were not reached, the share of "
        "pairs in which a is later minus that in which it is sooner."
    )
    return [_whole("Paired differences", note, table[columns])]
