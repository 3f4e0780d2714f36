"""What a person sees of a sweep on a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from jaxattn.engine.cost.estimate import GroupCost, SweepCost
from jaxattn.engine.cost.memory import in_words
from jaxattn.engine.run_sweep import Outcome
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.terminal.text import cells

__all__ = ["cost_lines", "cost_table", "outcome_lines", "status_lines"]

SHOWN = 40
"""Groups in a table, at most."""


def cost_table(cost: SweepCost) -> Table:
    """A line for each group of runs that share a program."""
    static = list(cost.groups[0].at)
    numbers = ("runs", "tile", "chunks", "memory", "disk", "seconds")
    right = (Column(name, justify="right") for name in numbers)
    table = Table("paradigm", "dynamics", *map(Column, cells(*static)), *right)
    for group in cost.groups[:SHOWN]:
        seconds = "" if group.seconds is None else f"{group.seconds:.3g}"
        table.add_row(
            *cells(group.paradigm, group.dynamics, *(group.at[name] for name in static)),
            *(f"{number:,}" for number in (group.runs, group.tile, group.chunks)),
            _needed(group),
            in_words(group.disk),
            seconds,
        )
    return table


def _needed(group: GroupCost) -> str:
    return (">= " if group.is_least else "") + in_words(group.memory.process)


def cost_lines(cost: SweepCost) -> list[str]:
    """What all of it would cost, in sentences."""
    groups, devices = len(cost.groups), f"{cost.devices} {cost.platform} device"
    lines = [] if groups <= SHOWN else [f"... and {groups - SHOWN} more groups."]
    lines.append(
        f"{cost.runs:,} runs in {groups} group{'s' * (groups > 1)}, which is as many compilations, "
        f"and {cost.chunks:,} chunks."
    )
    least = "at least " if any(group.is_least for group in cost.groups) else ""
    lines.append(
        f"A chunk needs {least}{in_words(cost.memory.process)} of this process's memory and "
        f"{in_words(cost.memory.device)} on a device. All files are {in_words(cost.disk)}."
    )
    if cost.memory.process > cost.budget:
        lines.append(
            f"That is more than layout.memory = {in_words(cost.budget)}: lower layout.tile or "
            "layout.chunk, or raise it."
        )
    elif cost.memory.device > cost.device_budget:
        lines.append(
            f"That is more than the {in_words(cost.device_budget)} of a device: lower layout.tile "
            "or layout.chunk."
        )
    seconds, compiling = cost.seconds(), cost.compiling()
    if seconds is None or compiling is None:
        lines.append("Seconds are not known without a probe.")
        return lines
    probed = "" if cost.probed == groups else f" (from {cost.probed} groups of {groups})"
    lines.append(
        f"About {in_time(seconds)} of running on {devices}{'s' * (cost.devices > 1)} here, after "
        f"{in_time(compiling)} of compiling{probed}."
    )
    return lines


def in_time(seconds: float) -> str:
    """Seconds as a person reads them: 8 s, 12 min, 3.5 h, 20 days."""
    for limit, length, unit in ((100, 1, "s"), (6000, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds / 86_400:.3g} days"


def outcome_lines(outcome: Outcome, folder: Path) -> list[str]:
    """How a sweep ended, and where its results are."""
    failed = f", {outcome.failed} failed (diverged or not solved)" if outcome.failed else ""
    earlier = outcome.chunks - outcome.computed
    before = f" ({earlier} of them before)" if earlier else ""
    return [
        f"{outcome.rows} runs{failed}, in {outcome.chunks} chunks{before}, "
        f"{outcome.seconds:.0f} s.",
        f'All of it: jaxattn.open("{folder}").',
    ]


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """How far a sweep is."""
    done = status["chunks"]["whole"]
    lines = [
        f"{done} of {status['chunks']['all']} chunks are finished, {status['runs']['done']} of "
        f"{status['runs']['all']} runs."
    ]
    for name, count in status["runs"].items():
        if name not in ("all", "done") and count:
            lines.append(f"{count} runs {name.replace('_', ' ')}.")
    for state, numbers in status["not_whole"].items():
        lines.append(f"{state}: chunks {', '.join(map(str, numbers))}.")
    if status["holder"]:
        lines.append(f"{status['holder']} is at work on it.")
    elif done < status["chunks"]["all"] and status["schema_version"] != SCHEMA_VERSION:
        lines.append("Another version of jaxattn began it: go on by that one.")
    elif done < status["chunks"]["all"]:
        lines.append(f"Go on with: jaxattn sweep resume {status['folder']}")
    return lines
