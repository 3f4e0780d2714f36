"""What was learnt, in sentences: every one computed from the numbers of a result."""

from collections.abc import Iterator

import pandas as pd
import xarray as xr

from jaxattn.analysis.answers import answers
from jaxattn.analysis.best_rates import best_rates
from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.ends import end_findings
from jaxattn.analysis.limit_findings import gap_findings
from jaxattn.analysis.places import places
from jaxattn.analysis.reason_words import reason_words, reasons_in
from jaxattn.analysis.scope import scope_words
from jaxattn.analysis.subject import is_of_attention, is_trained, refuse_no_result
from jaxattn.analysis.theory_gaps import theory_findings
from jaxattn.analysis.wording import Finding, listed, setting_words
from jaxattn.core.contracts import Status

__all__ = ["Finding", "failures", "findings"]

_FEW = (
    "One seed finished: what differs between {problems} cannot be told from chance. "
    "Run again with {seeds} or more."
)
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
    """What training is to its continuous limits, each question answered, and what failed.

    Of problems of one's own first where they end, and how far they are from theories of one's own.

    A difference is called one only where the correction over all contrasts says so
    (`jaxattn.analysis.contrasts.contrasts`). Brackets hold intervals that hold all together. Where
    rates were swept each paradigm is at its own best one.

    Args:
        ds: a result of `jaxattn.compare` or `jaxattn.open`.
        table: its `contrasts`, where the caller has them already.
        split: what to judge on; by default as `contrasts` does.

    Raises:
        InputError: not a result.
    """
    refuse_no_result("findings", ds)
    ends = [] if is_of_attention(ds) else end_findings(ds)
    beside, lost = [*_by_setting([*ends, *theory_findings(ds)]), *gap_findings(ds)], failures(ds)
    if not is_trained(ds):
        return [*beside, *lost]
    table = contrasts(ds, split) if table is None else table
    done = Status.ended_well(ds["status"].sel(dynamics="train"))
    seeds = int(done.any([dim for dim in done.dims if dim != "seed"]).sum())
    if seeds < 2:
        return [*beside, *_few(ds) * seeds, *lost]
    said = [
        Finding(each.setting, each.question, each.line, each.sure) for each in answers(ds, table)
    ]
    rates = _of_best_rates(ds) if ds.sizes.get("learning_rate", 1) > 1 and said else []
    scope = [Finding("", "scope", scope_words(ds))] if said and scope_words(ds) else []
    return [*beside, *said, *rates, *scope, *_stopped(ds), *lost]


def _by_setting(said: list[Finding]) -> list[Finding]:
    """Those of one setting together, in the order in which settings come."""
    settings = [each.setting for each in said]
    return sorted(said, key=lambda each: settings.index(each.setting))


def _few(ds: xr.Dataset) -> list[Finding]:
    """That one seed tells no two apart, where there are two."""
    if is_of_attention(ds):
        return [Finding("", "seeds", _FEW.format(problems="paradigms", seeds="--seeds 8"))]
    if ds.sizes["paradigm"] == 1:
        return []
    return [Finding("", "seeds", _FEW.format(problems="problems", seeds="seeds=8"))]


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
        said.append(Finding(", ".join(words), "learning_rate", text))
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
        each = listed(_first(list(_endings(status, reasons_in(ds, dynamics)))))
        text = f"{ended - done} of {ended} {called} runs did not finish and are left out: {each}."
        if done == 0:
            text = f"No {called} run of {ended} finished, so nothing is said of them: {each}."
        said.append(Finding("", "status", text))
    return said


def _first(where: list[str]) -> list[str]:
    """The settings with failures that are named; of the rest, how many there are."""
    more = len(where) - _NAMED
    return where if more <= 0 else [*where[:_NAMED], f"{more} more settings"]


def _endings(status: xr.DataArray, why: xr.Dataset) -> Iterator[str]:
    """``hard at learning rate 10 (8 diverged)``, for each paradigm and setting with any."""
    for labels, at in places(status, "seed"):
        row, paradigm = status[at].values, labels.pop("paradigm")
        counts = {code: int((row == code).sum()) for code in _ENDS}
        ends = {code: f"{count} {_ENDS[code]}" for code, count in counts.items() if count}
        if Status.SOLVER_FAILED in ends and (
            told := reason_words(why.isel(at, missing_dims="ignore"))
        ):
            ends[Status.SOLVER_FAILED] += f": {told}"
        if ends:
            where = setting_words(labels)
            yield f"{paradigm}{where and f' at {where}'} ({', '.join(ends.values())})"
