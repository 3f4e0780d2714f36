"""What the reports of a comparison and of an experiment have in common."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from jaxattn import plots
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.errors import LateError
from jaxattn.core.versions import version_of
from jaxattn.plots.canvas import own_figures
from jaxattn.reports.late import after_results
from jaxattn.reports.page import Collapsible, Figure, Page, Section
from jaxattn.results.files import RESULTS

__all__ = [
    "REPORT",
    "format_value",
    "grid_words",
    "page_of",
    "pictures",
    "run_facts",
    "sentences_or",
]

REPORT = "report.html"

PAPER = """@inproceedings{vashisht2023dynamics,
  author    = {Vashisht, Rahul and Ramaswamy, Harish G.},
  title     = {On the Learning Dynamics of Attention Networks},
  booktitle = {ECAI 2023: 26th European Conference on Artificial Intelligence},
  year      = {2023},
  doi       = {10.3233/FAIA230541}
}"""


def run_facts(folder: Path) -> dict[str, Any]:
    """What ``run.json`` says; nothing where the run was interrupted before it was written.

    Raises:
        InputError: it is no JSON.
    """
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


def pictures(
    drawings: Sequence[plots.Drawing], folder: Path
) -> tuple[dict[str, Figure], list[LateError]]:
    """Draw figures, write them into the ``figures/`` of a run, and give them as on its page.

    Args:
        drawings: each is drawn, whichever fails.
        folder: of the run, whose results are there.

    Returns:
        Those that could be drawn and written, by name, and why the others could not.
    """
    figures: dict[str, Figure] = {}
    failed: list[LateError] = []
    for drawing in drawings:
        try:
            with after_results(f"figure {drawing.name}", folder):
                figures[drawing.name] = _picture(drawing, folder)
        except LateError as error:
            failed.append(error)
    return figures, failed


def _picture(drawing: plots.Drawing, folder: Path) -> Figure:
    with own_figures():
        drawn = drawing.draw()
    files = [path.read_bytes() for path in plots.save(drawn, folder / "figures", drawing.name)]
    # Lines are small as SVG, thousands of dots as PNG.
    kinds = zip(files, ("png", "svg+xml"), strict=True)
    content, kind = min(kinds, key=lambda file: len(file[0]))
    return Figure(drawing.title, drawing.caption, content, kind)


def grid_words(sizes: Mapping[str, int]) -> str:
    """Names and lengths of axes in words, such as ``2 paradigms x 6 seeds``."""
    return " \N{MULTIPLICATION SIGN} ".join(
        f"{count} {_counted(name.replace('_', ' '), count)}" for name, count in sizes.items()
    )


def _counted(noun: str, count: int) -> str:
    if count == 1 or (noun.endswith("s") and not noun.endswith("ss")):
        return noun
    return noun + ("es" if noun.endswith("ss") else "s")


def page_of(
    title: str,
    lead: str,
    sections: Sequence[Section],
    settings: Mapping[str, Any],
    ds: xr.Dataset,
    run: Mapping[str, Any],
    cites_paper: bool = True,
) -> Page:
    """The page of a run: its own sections, then how it was run, how to run it again and to cite it.

    Args:
        title: of the page.
        lead: below the title.
        sections: what was found; a section that has nothing but its heading is left out.
        settings: what was asked for, by name.
        ds: the results.
        run: what ``run.json`` says.
        cites_paper: whether it is of what the paper is about.
    """
    how = Section("How it was run", facts=[*_how_it_ran(settings, ds["status"], run)])
    every = (*sections, how, _run_again(run), _citation_section(cites_paper))
    return Page(title, lead, [section for section in every if any(section[1:])], _foot(ds))


def sentences_or(heading: str, sentences: Sequence[str], otherwise: str) -> Section:
    """A section of sentences, or `otherwise` where there are none."""
    if not sentences:
        return Section(heading, otherwise)
    return Section(heading, collapsibles=[Collapsible("", sentences)])


def _how_it_ran(
    settings: Mapping[str, Any], status: xr.DataArray, run: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """What was asked for, how many runs finished, and on what, each with its name."""
    for name, value in settings.items():
        if value is not None and value not in ({}, [], ""):
            yield name.replace("_", " "), format_value(value)
    yield (
        "runs that finished",
        f"{int(Status.ended_well(status).sum())} of {int((status >= 0).sum())}",
    )
    for what, seconds in run.get("seconds", {}).items():
        spent = ", ".join(f"{kind} {value:.1f} s" for kind, value in seconds.items())
        yield f"time: {what}", spent
    for name in ("created", "python", "devices", "versions", "x64"):
        if name in run:
            yield name, format_value(run[name])


def format_value(value: Any) -> str:
    """A value as a person reads it; of a long list, its beginning and its end."""
    if isinstance(value, Mapping):
        nested = any(isinstance(entry, Mapping | list) for entry in value.values())
        return ("; " if nested else ", ").join(
            f"{name} {format_value(entry)}" for name, entry in value.items()
        )
    if isinstance(value, list):
        shown = [format_value(entry) for entry in value]
        long = len(shown) > 12
        return ", ".join([*shown[:3], "\N{HORIZONTAL ELLIPSIS}", shown[-1]] if long else shown)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _run_again(run: Mapping[str, Any]) -> Section:
    """The command, the hash that equal results carry, and the versions."""
    code = []
    if "command" in run:
        code.append(("Command", str(run["command"])))
    if "content_hash" in run:
        label = f"Equal results carry this hash ({RESULTS}, attribute content_hash)"
        code.append((label, str(run["content_hash"])))
    if "versions" in run:
        pins = " ".join(f"{name}=={number}" for name, number in run["versions"].items())
        code.append(("The versions it ran with", f"pip install {pins}"))
    return Section("Run it again", code=code)


def _citation_section(cites_paper: bool) -> Section:
    """The paper where that is meant, and this software, as BibTeX."""
    software = (
        "@software{jaxattn,\n  author  = {{The jaxattn developers}},\n"
        "  title   = {jaxattn: a JAX toolkit to simulate the learning dynamics of attention "
        f"networks}},\n  version = {{{version_of('jaxattn')}}},\n  license = {{Apache-2.0}}\n}}"
    )
    paper = [("The paper", PAPER)] if cites_paper else []
    return Section("How to cite", code=[*paper, ("This software", software)])


def _foot(ds: xr.Dataset) -> str:
    """What made the page, and of which results."""
    text = f"Written by jaxattn {version_of('jaxattn')} from {RESULTS}"
    if "content_hash" in ds.attrs:
        text += f", content hash {ds.attrs['content_hash'][:16]}"
    return f"{text}."
