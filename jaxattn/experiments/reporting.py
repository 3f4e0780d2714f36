"""The report of a comparison: everything its results say, on one page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from jaxattn import plots
from jaxattn.contracts import InputError, Status
from jaxattn.findings import Finding, findings
from jaxattn.page import Cell, Figure, Fold, Page, Section, Sheet, cell, render
from jaxattn.sentences import listed
from jaxattn.statistics import differences
from jaxattn.store import RESULTS, open_run, spec_of, write_bytes
from jaxattn.summaries import own_rule, summary

__all__ = ["REPORT", "report_into"]

REPORT = "report.html"

PAPER = """@inproceedings{vashisht2023dynamics,
  author    = {Vashisht, Rahul and Ramaswamy, Harish G.},
  title     = {On the Learning Dynamics of Attention Networks},
  booktitle = {ECAI 2023: 26th European Conference on Artificial Intelligence},
  year      = {2023},
  doi       = {10.3233/FAIA230541}
}"""
_PANELS = ("focus", "accuracy")
"""What the overview shows side by side: files of their own, and on the page once."""

_OPEN_FOLDS = 3
"""Settings whose findings are shown at once; those of further ones open on request."""

_SHOWN = {
    "time_to_focus": "time to focus",
    "time_to_fit": "time to fit",
    "attention_foreground": "attention on the foreground",
    "accuracy": "accuracy [%]",
    "FTPT": "right for the right reason [%]",
    "FFPT": "right for the wrong reason [%]",
    "loss": "loss [nat]",
}


def report_into(folder: Path) -> tuple[Path, list[Finding]]:
    """Draw every figure and write ``report.html`` for the results in a directory.

    Args:
        folder: of a run, finished or not: ``results.nc`` must be there, ``run.json`` and
            ``population/`` may.

    Returns:
        Where the page is, and what it says first.

    Raises:
        InputError: no results there, or damaged ones.
        OSError: something cannot be written; what was there before is whole.
    """
    run, results = _run_facts(folder), open_run(folder)
    if "experiment" in run:
        raise InputError(
            f"report: got the folder of the experiment {run['experiment']}, expected one of "
            "compare; what an experiment found is in its run.json, and drawn in its figures."
        )
    solved = folder / "population" / RESULTS
    figures = []
    drawings = plots.gallery(results, open_run(solved) if solved.is_file() else None)
    for drawing in drawings:
        paths = plots.save(drawing.draw(), folder / "figures", drawing.name)
        if drawing.name in _PANELS and drawings[0].name == "overview":
            continue
        pictures = [path.read_bytes() for path in paths]
        # Lines are small as SVG, thousands of dots as PNG.
        content, kind = min(
            zip(pictures, ("png", "svg+xml"), strict=True), key=lambda one: len(one[0])
        )
        figures.append(Figure(drawing.title, drawing.caption, content, kind))
    table = differences(results)
    found = findings(results, table)
    path = folder / REPORT
    write_bytes(path, render(_page(results, table, found, figures, run)).encode())
    return path, found


def _run_facts(folder: Path) -> dict[str, Any]:
    """What ``run.json`` says; nothing where the run was interrupted before it was written."""
    path = folder / "run.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise InputError(
            f"{path}: got a file that is not JSON ({error}), expected what a run writes; remove it "
            "to do without, or run again."
        ) from error


def _page(
    ds: xr.Dataset,
    table: pd.DataFrame,
    said: Sequence[Finding],
    figures: Sequence[Figure],
    run: Mapping[str, Any],
) -> Page:
    spec = spec_of(ds)
    names = listed(map(str, ds["paradigm"].values))
    lost = [one.text for one in said if one.measure == "status"]
    sections = [
        Section("Findings", _how_sure(table), folds=list(_folds(said))),
        Section("Figures", figures=figures),
        Section("Numbers", sheets=[_ends(ds), *_pairs(table)]),
        Section(
            "Failures",
            folds=[Fold("", lost)] if lost else (),
            lead="" if lost else "No run failed.",
        ),
        Section("How it was run", facts=[*_facts(ds, spec, run)]),
        Section("Run it again", code=[*_again(run)]),
        Section("How to cite", code=[("The paper", PAPER), ("This software", _software())]),
    ]
    return Page(
        title=f"{spec.get('task', 'A comparison')}: {names} attention",
        lead=_lead(ds, spec),
        sections=[section for section in sections if any(section[1:])],
        foot=f"Written by jaxattn {version('jaxattn')} from {RESULTS}"
        + (
            f", content hash {ds.attrs['content_hash'][:16]}."
            if "content_hash" in ds.attrs
            else "."
        ),
    )


def _lead(ds: xr.Dataset, spec: Mapping[str, Any]) -> str:
    rows = int((ds["status"].sel(process="train") >= 0).sum())
    counts = {str(dim): ds.sizes[dim] for dim in ds["status"].dims if dim != "process"}
    grid = " \N{MULTIPLICATION SIGN} ".join(
        f"{count} {name.replace('_', ' ')}{'s' * (count != 1)}" for name, count in counts.items()
    )
    words = [f"{rows} training runs: {grid}"]
    if "steps" in spec:
        size = spec.get("batch_size")
        batch = "full batch" if size is None else f"batches of {size}"
        words.append(f"{spec['steps']} steps of {spec.get('optimiser')}, {batch}")
    if spec.get("vary"):
        varied = {"init": "initial parameters", "data": "data"}
        what = listed(varied.get(name, name) for name in spec["vary"])
        words.append(f"seeds vary the {what} and are shared by all paradigms")
    others = [str(name) for name in ds["process"].values if name != "train"]
    beside = {"flow": "the gradient flow", "theory": "the exact theory"}
    if others:
        words.append(f"beside them {listed(beside.get(name, name) for name in others)}")
    return "; ".join(words) + "."


def _how_sure(table: pd.DataFrame) -> str:
    counted = int(table["p"].notna().sum())
    if not counted:
        return ""
    return (
        "Differences are paired: paradigms share seeds, data, start and order. A difference is "
        f"named where Holm's correction for all {counted} comparisons leaves p at most 0.05; "
        "brackets are 95 % intervals, each on its own. Judged on the "
        f"{table['split'].iloc[0]} split, each paradigm by its own inference rule."
    )


def _folds(said: Sequence[Finding]) -> Iterator[Fold]:
    settings = [one for one in said if one.setting]
    for number, (setting, group) in enumerate(groupby(settings, key=lambda one: one.setting)):
        heading = setting[0].upper() + setting[1:]
        yield Fold(heading, [one.text for one in group], open=number < _OPEN_FOLDS)
    whole = [one.text for one in said if not one.setting]
    if whole:
        yield Fold("", whole)


def _ends(ds: xr.Dataset) -> Sheet:
    """Training at its end, a line a paradigm, setting and split."""
    lines = own_rule(summary(ds), ds)
    lines = lines[lines["process"] == "train"]
    swept = list(lines.columns[2 : list(lines.columns).index("split")])
    at = ["paradigm", *swept, "split"]
    measures = [name for name in _SHOWN if name in set(lines["measure"])]
    rows = []
    for place, group in lines.groupby(at, sort=False):
        found = group.set_index("measure")
        numbers = [_band(found, name) for name in measures]
        rows.append([*map(cell, place), cell(int(group["seeds"].max())), *numbers])
    return Sheet(
        "After training",
        "Median and, in brackets, 10 to 90 % band over the seeds that finished; columns sort by "
        "the median. Times not reached by a seed lie above all others.",
        [*(name.replace("_", " ") for name in at), "seeds", *(_SHOWN[name] for name in measures)],
        rows,
    )


def _band(found: pd.DataFrame, name: str) -> Cell:
    if name not in found.index:
        return cell(None)
    line = found.loc[name]
    middle, low, high = (cell(line[key]) for key in ("median", "low", "high"))
    return Cell(f"{middle.text} [{low.text}, {high.text}]", middle.by)


def _pairs(table: pd.DataFrame) -> list[Sheet]:
    """All paired differences, as they were judged."""
    if table.empty:
        return []
    columns = [name for name in table.columns if name not in ("selection", "split", "comparisons")]
    rows = [[cell(value) for value in line] for line in table[columns].itertuples(index=False)]
    note = (
        "Paradigm a minus paradigm b at the end of training, seed by seed. Effect size: mean over "
        "standard deviation of the differences (d_z); where times were not reached, the share of "
        "pairs in which a is later minus that in which it is sooner."
    )
    return [Sheet("Paired differences", note, [name.replace("_", " ") for name in columns], rows)]


def _facts(
    ds: xr.Dataset, spec: Mapping[str, Any], run: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for name, value in spec.items():
        if value is not None and value != {}:
            yield name.replace("_", " "), _plainly(value)
    status = ds["status"]
    yield (
        "runs that finished",
        f"{int((status == Status.DONE).sum())} of {int((status >= 0).sum())}",
    )
    for what, seconds in run.get("seconds", {}).items():
        spent = ", ".join(f"{kind} {value:.1f} s" for kind, value in seconds.items())
        yield f"time: {what}", spent
    for name in ("created", "python", "devices", "versions", "x64"):
        if name in run:
            yield name, _plainly(run[name])


def _plainly(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plainly(one)}" for name, one in value.items())
    if isinstance(value, list):
        shown = [_plainly(one) for one in value]
        long = len(shown) > 12
        return ", ".join([*shown[:3], "\N{HORIZONTAL ELLIPSIS}", shown[-1]] if long else shown)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _again(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "command" in run:
        yield "Command", str(run["command"])
    if "content_hash" in run:
        yield (
            "Equal results carry this hash (results.nc, attribute content_hash)",
            str(run["content_hash"]),
        )
    if "versions" in run:
        pins = " ".join(f"{name}=={number}" for name, number in run["versions"].items())
        yield "The versions it ran with", f"pip install {pins}"


def _software() -> str:
    return (
        "@software{jaxattn,\n  author  = {{The jaxattn developers}},\n"
        "  title   = {jaxattn: a JAX toolkit to simulate the learning dynamics of attention "
        f"networks}},\n  version = {{{version('jaxattn')}}},\n  license = {{Apache-2.0}}\n}}"
    )
