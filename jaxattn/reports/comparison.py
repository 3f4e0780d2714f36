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
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.analysis.measures import declared_in
from jaxattn.analysis.scope import error_words, scope_words
from jaxattn.analysis.subject import (
    is_of_attention,
    is_trained,
    problem_word,
    solved_dynamics,
    theories_in,
    unspoken_axes,
)
from jaxattn.analysis.wording import capital, listed
from jaxattn.core.contracts import InputError
from jaxattn.reports.first_screen import answers_section, claims_section
from jaxattn.reports.late import after_results, first_of
from jaxattn.reports.numbers import (
    departures_tables,
    ends_table,
    judged_tables,
    orders_tables,
    pairs_tables,
    theories_tables,
)
from jaxattn.reports.page import Collapsible, Figure, Page, Section, render
from jaxattn.reports.parts import REPORT, grid_words, page_of, pictures, run_facts, sentences_or
from jaxattn.results.dataset import DATA_CARD, spec_of
from jaxattn.results.files import RESULTS, open_run, write_bytes

__all__ = ["report_into"]

_PANELS = ("focus", "accuracy")
"""What the overview shows side by side: files of their own, and on the page once."""

_FIRST = ("overview", "answers")
"""Figures that are seen at once, beside the answers."""

_FIRST_CURVES = 2
"""Curves with which the page of problems of one's own begins: the objective, and one more."""

_OF_ATTENTION = ("attention", "focus_level", "fit_level")
"""Settings that problems of one's own have no use for."""

_OPEN_FOLDS = 3
"""Settings whose findings are shown at once; those of further ones open on request."""


def report_into(folder: Path, most: int | None = None) -> tuple[Path, list[Finding]]:
    """Draw every figure and write ``report.html`` for the results in a directory.

    Args:
        folder: of a run, finished or not: ``results.nc`` must be there, ``run.json`` and
            ``population/`` may.
        most: figures to draw, the first ones; the page names the others. None: every one.

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
        table = contrasts(results) if is_trained(results) else None
        beside = open_run(solved) if solved.is_file() else None
        drawings = plots.gallery(results, beside, table)
        figures, failed = pictures(drawings[:most], folder)
        left = [] if most is None else [drawing.title for drawing in drawings[most:]]
        if "overview" in figures:
            figures = {name: each for name, each in figures.items() if name not in _PANELS}
        said = findings(results, table)
        page = _page(results, table, said, figures, left, [*map(str, failed)], run)
        write_bytes(path, render(page).encode())
    if failed:
        raise first_of(failed)
    return path, said


def _page(
    ds: xr.Dataset,
    table: pd.DataFrame | None,
    said: Sequence[Finding],
    figures: Mapping[str, Figure],
    left: Sequence[str],
    undrawn: Sequence[str],
    run: Mapping[str, Any],
) -> Page:
    spec = spec_of(ds)
    names = listed(map(str, ds["paradigm"].values))
    failures = [*(finding.text for finding in said if finding.measure == "status"), *undrawn]
    spoken = {finding.measure for finding in said}
    judged = [] if table is None else answers(ds, table)
    answered = [one for one in judged if one.question in spoken]
    # Told in cards, and in how sure they are.
    told = {one.line for one in answered} | {scope_words(ds)}
    others = [finding for finding in said if finding.text not in told]
    # Where nothing is answered, what there is to see is not folded.
    first = _FIRST if answered else ()
    shown = [each for name, each in figures.items() if name in first]
    seen = {*first, *_first_curves(ds, figures)}
    rest = [each._replace(open=not answered) for name, each in figures.items() if name not in seen]
    is_own = not is_of_attention(ds)
    ends, departed = ends_table(ds), departures_tables(ds)
    differ = [*judged_tables(ds, table), *(pairs_tables(ds) if table is not None else [])]
    theories = theories_tables(ds)
    first_tables = [ends, *theories, *orders_tables(ds)] if is_own else []
    tables = [*departed, *differ] if is_own else [*departed, ends, *theories, *differ]
    findings_first = is_own or not answered
    sections = [
        answers_section(answered, _how_sure(ds, table) if answered or not is_own else "", shown),
        claims_section(claims(ds, table) if answered and not is_own else []),
        Section("Curves", figures=[figures[name] for name in _first_curves(ds, figures)]),
        Section("Ends and gaps", tables=first_tables),
        Section("Findings", collapsibles=list(_collapsibles(others, first=findings_first))),
        Section("Figures", _left_words(left), figures=rest),
        Section("Data", ds.attrs.get(DATA_CARD, "")),
        Section("Numbers", tables=[one._replace(open=False) for one in tables]),
        sentences_or("Failures", failures, "No run failed."),
    ]
    title = f"{spec.get('task') or 'A comparison'}: {names}{'' if is_own else ' attention'}"
    asked = _asked_of_problems(spec) if is_own else spec
    return page_of(title, _lead(ds, spec), sections, asked, ds, run, cites_paper=not is_own)


def _left_words(titles: Sequence[str]) -> str:
    """Which figures were not asked for; empty where all were."""
    if not titles:
        return ""
    return f"Not drawn: {'; '.join(titles)}. jaxattn report draws them from this folder."


def _asked_of_problems(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for of problems of one's own, without what only attention has."""
    said = {name: of for name, of in spec.items() if name not in _OF_ATTENTION}
    return {"problems" if name == "paradigms" else name: of for name, of in said.items()}


def _first_curves(ds: xr.Dataset, figures: Mapping[str, Figure]) -> list[str]:
    """The figures that a report of problems of one's own begins with."""
    names = [] if is_of_attention(ds) else [f"curves_{name}" for name in declared_in(ds)]
    return [name for name in names if name in figures][:_FIRST_CURVES]


def _lead(ds: xr.Dataset, spec: Mapping[str, Any]) -> str:
    run, word = solved_dynamics(ds), problem_word(ds)
    rows = int((ds["status"].sel(dynamics=run) >= 0).sum()) if run else 0
    counts = {str(dim): ds.sizes[dim] for dim in ds["status"].dims if dim != "dynamics"}
    counts = {
        word if dim == "paradigm" else dim: count
        for dim, count in counts.items()
        if dim not in unspoken_axes(ds)
    }
    what = "training runs" if run == "train" else f"runs of {limit_words(run)}"
    what = what.replace("runs", "run") if rows == 1 and word == "problem" else what
    words = [f"{rows} {what}: {grid_words(counts)}"]
    if run != "train":
        words.append(f"{ds.sizes['save']} times from {_ends_of(ds['time'])}")
    elif "steps" in spec:
        size = spec.get("batch_size")
        batch = "full batch" if size is None else f"batches of {size}"
        words.append(f"{spec['steps']} steps of {spec.get('optimiser')}, {batch}")
    if spec.get("vary"):
        varied = {"init": "initial parameters", "data": "data"}
        what = listed(varied.get(name, name) for name in spec["vary"])
        shared = f" and are shared by all {word}s"
        is_one = word == "problem" and ds.sizes["paradigm"] == 1
        words.append(f"seeds vary the {what}{'' if is_one else shared}")
    others = [str(name) for name in ds["dynamics"].values if name != run]
    if others:
        known = {name: f"the theory {name}" for name in theories_in(ds)}
        known["theory"] = "the exact theory"
        beside = (known.get(name) or limit_words(name) for name in others)
        words.append(f"beside them {listed(beside)}")
    return "; ".join(words) + "."


def _ends_of(time: xr.DataArray) -> str:
    return f"{float(time.min()):g} to {float(time.max()):g}"


def _how_sure(ds: xr.Dataset, table: pd.DataFrame | None) -> str:
    judged = "" if table is None else error_words(table)
    return " ".join(filter(None, (judged, scope_words(ds))))


def _collapsibles(said: Sequence[Finding], first: bool) -> Iterator[Collapsible]:
    """Findings by setting; those of the first few are open where they come `first`."""
    by_setting = groupby((finding for finding in said if finding.setting), lambda one: one.setting)
    for number, (setting, group) in enumerate(by_setting):
        texts = [finding.text for finding in group]
        yield Collapsible(capital(setting), texts, open=first and number < _OPEN_FOLDS)
    whole = [finding.text for finding in said if not finding.setting]
    if whole:
        yield Collapsible("", whole)
