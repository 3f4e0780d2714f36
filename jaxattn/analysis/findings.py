"""What was learnt, in sentences: every one computed from the numbers of a result."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import xarray as xr

from jaxattn.analysis.best_rates import best_rates
from jaxattn.analysis.limit_findings import gap_findings
from jaxattn.analysis.measures import measures_in, spoken_in
from jaxattn.analysis.paired_differences import BEST, differences, swept_in, times
from jaxattn.analysis.places import places
from jaxattn.analysis.summary import own_rule, summary
from jaxattn.analysis.wording import (
    Confidence,
    Finding,
    compared,
    listed,
    names_in,
    never,
    nothing,
    setting_words,
)
from jaxattn.core.contracts import Status
from jaxattn.results.dataset import spec_of

__all__ = ["Finding", "failures", "findings"]

_FEW = (
    "One seed finished: what differs between paradigms cannot be told from chance. "
    "Run again with --seeds 8 or more."
)
_LEVELS = {"focus_level": 0.5, "fit_level": 90.0}
_ENDS = {
    Status.DIVERGED: "diverged",
    Status.SOLVER_FAILED: "not solved",
    Status.INTERRUPTED: "interrupted",
}
_NAMED = 12
"""Settings with failures that a sentence names."""


def findings(
    ds: xr.Dataset, table: pd.DataFrame | None = None, split: str | None = None
) -> list[Finding]:
    """Who leads, by how much, and how sure that is; ties and failures said as such.

    Over another paradigm a lead is called one only where the corrected p says so (see
    `jaxattn.analysis.paired_differences.differences`); all else is "no difference found". Brackets
    hold the interval of one difference on its own. Where rates were swept, what holds at each
    paradigm's own best rate comes first. Before all that: how training relates to its continuous
    limits, where it was held against any (`jaxattn.analysis.limit_findings`).

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        table: its `differences`, where the caller has them already.
        split: what to judge on; by default as `differences` does.

    Raises:
        InputError: not a result of training.
    """
    table = differences(ds, split) if table is None else table
    beside, lost = gap_findings(ds), failures(ds)
    done = Status.ended_well(ds["status"].sel(dynamics="train"))
    seeds = int(done.any([dim for dim in done.dims if dim != "seed"]).sum())
    if seeds < 2:
        return [*beside, *[Finding("", "seeds", _FEW)] * seeds, *lost]
    said = _of_best_rates(ds) if BEST in set(table["comparison"]) else []
    known = _known(ds, table)
    for setting, where, group in _settings(table):
        here = known
        for name, value in where.items():
            here = here[here[name] == value] if name in here else here
        said += _of_setting(ds, setting, group, here, "learning_rate" in where)
    return [*beside, *said, *_stopped(ds), *lost]


def _of_setting(
    ds: xr.Dataset, setting: str, group: pd.DataFrame, known: pd.DataFrame, medians: bool
) -> list[Finding]:
    """What holds at one setting: what is sure first; all that shows no difference in one sentence.

    A median over all seeds says nothing of the half that judges best rates: there, no `medians`.
    """
    levels = {name: spec_of(ds).get(name, level) for name, level in _LEVELS.items()}
    group = group[group["verdict"] != "too few seeds"]
    said: list[tuple[Confidence, Finding]] = []
    level: dict[str, str] = {}
    for spec in spoken_in(ds):
        measure = spec.name
        pairs = group[group["measure"] == measure].to_dict("records")
        here = known[known["measure"] == measure]
        if not pairs:
            continue
        if spec.of and not here["reached"].any():
            said.append((Confidence.NEAR, Finding(setting, measure, never(spec, levels))))
            continue
        middle = here.dropna(subset="median").set_index("paradigm")["median"] if medians else {}
        confidence, text = compared(spec, pairs, dict(middle), levels)
        if confidence is Confidence.NONE:
            level[measure] = text
        else:
            finding = Finding(setting, measure, text, confidence is Confidence.SURE)
            said.append((confidence, finding))
    ordered = [finding for _, finding in sorted(said, key=lambda pair: pair[0])]
    if level:
        text = nothing(names_in(group.to_dict("records")), list(level.values()))
        ordered.append(Finding(setting, ", ".join(level), text))
    return ordered


def _known(ds: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Medians of training by measure, paradigm and setting, and of times how many reached."""
    if table.empty:
        return table
    split = str(table["split"].iloc[0])
    lines = own_rule(summary(ds), ds)
    lines = lines[(lines["dynamics"] == "train") & (lines["split"] == split)]
    values = lines[~lines["measure"].isin(spec.name for spec in measures_in(ds) if spec.of)]
    return pd.concat([values, times(ds, split)], ignore_index=True)


def _settings(table: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any], pd.DataFrame]]:
    """Words, place and lines of each setting: those at best rates first, then rate by rate."""
    swept = swept_in(table)
    for comparison in sorted(set(table["comparison"])):  # "best" comes before "equal ..."
        lines = table[table["comparison"] == comparison]
        at = swept if comparison == BEST else ["learning_rate_a", *swept]
        for place, group in lines.groupby(at) if at else [((), lines)]:
            where = dict(zip([name.removesuffix("_a") for name in at], place, strict=True))
            first = ["each at its own best learning rate"] if comparison == BEST else []
            words = [setting_words(where)] if where else []
            yield ", ".join([*first, *words]), where, group


def _of_best_rates(ds: xr.Dataset) -> list[Finding]:
    chosen = best_rates(ds)
    swept = list(chosen.columns[1 : list(chosen.columns).index("learning_rate")])
    said = []
    for place, group in chosen.groupby(swept) if swept else [((), chosen)]:
        words = [setting_words(dict(zip(swept, place, strict=True)))] if swept else []
        known = group.dropna(subset="learning_rate")
        if known.empty:
            continue
        rates = known["learning_rate"].map("{:g}".format)
        text = f"Best learning rates: {listed(known['paradigm'] + ' ' + rates)}"
        text += f" ({known['selection'].iloc[0]})."
        edge = known["paradigm"][known["at_edge"]]
        if not edge.empty:
            which = "all" if len(edge) == len(known) else listed(edge)
            text += f" At the edge of those tried for {which}: a better one may lie beyond."
        setting = ", ".join(["each at its own best learning rate", *words])
        said.append(Finding(setting, "learning_rate", text))
    return said


def _stopped(ds: xr.Dataset) -> list[Finding]:
    """How many runs ended early because they were good enough; nothing where none did."""
    status = ds["status"].sel(dynamics="train")
    stopped, asked = int((status == Status.CONVERGED).sum()), int((status >= 0).sum())
    if not stopped:
        return []
    text = f"{stopped} of {asked} training runs converged and were stopped before their last "
    text += "step; what is said of the end of training counts them as they were then."
    return [Finding("", "status", text)]


def failures(ds: xr.Dataset) -> list[Finding]:
    """Runs that did not end well, by dynamics, paradigm and setting; none where all did."""
    said = []
    for dynamics in map(str, ds["dynamics"].values):
        status = ds["status"].sel(dynamics=dynamics).transpose("paradigm", ..., "seed").load()
        asked, waiting = int((status >= 0).sum()), int((status == Status.RUNNING).sum())
        ended, done = asked - waiting, int(Status.ended_well(status).sum())
        called = "training" if dynamics == "train" else dynamics
        if waiting:
            text = f"{waiting} of {asked} {called} runs were not run yet and are left out."
            said.append(Finding("", "status", text))
        if ended == done:
            continue
        each = listed(_first(list(_endings(status))))
        text = f"{ended - done} of {ended} {called} runs did not finish and are left out: {each}."
        if done == 0:
            text = f"No {called} run of {ended} finished, so nothing is said of them: {each}."
        said.append(Finding("", "status", text))
    return said


def _first(where: list[str]) -> list[str]:
    """The settings with failures that are named; of the rest, how many there are."""
    more = len(where) - _NAMED
    return where if more <= 0 else [*where[:_NAMED], f"{more} more settings"]


def _endings(status: xr.DataArray) -> Iterator[str]:
    """``hard at learning rate 10 (8 diverged)``, for each paradigm and setting with any."""
    for labels, at in places(status, "seed"):
        row, paradigm = status[at].values, labels.pop("paradigm")
        counts = {word: int((row == code).sum()) for code, word in _ENDS.items()}
        if ends := [f"{count} {word}" for word, count in counts.items() if count]:
            where = setting_words(labels)
            yield f"{paradigm}{where and f' at {where}'} ({', '.join(ends)})"
