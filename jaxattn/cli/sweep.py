"""The command line of sweeps: words to calls, and results to a terminal. No logic of its own.

Heavy imports happen inside the commands, so that ``--help`` answers at once.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxattn.cli.sweep_commands import (
    Sweep,
    SweepExport,
    SweepPlan,
    SweepResume,
    SweepRun,
    SweepStatus,
)
from jaxattn.terminal.output import answer

__all__ = ["sweep"]


def sweep(command: Sweep) -> int:
    """Run the command of sweeps that was asked for; its exit code."""
    return _RUN[type(command.do)](command.do)


def _plan(command: SweepPlan) -> int:
    from jaxattn.engine.cost.estimate import cost_of
    from jaxattn.engine.spec_file import read_spec
    from jaxattn.terminal.sweep_tables import cost_lines, cost_table

    cost = cost_of(read_spec(command.spec), command.probe)
    answer(command.json, cost.plain(), cost_table(cost), *cost_lines(cost))
    return 0


def _run(command: SweepRun) -> int:
    from jaxattn import sweeps

    outcome = sweeps.run(command.spec, command.out, overwrite=command.overwrite, **_how(command))
    return _ended(command, outcome, command.out)


def _resume(command: SweepResume) -> int:
    from jaxattn.engine.manifest import threads_of

    # Before JAX makes its devices: sums on a CPU depend on how many threads share them.
    if threads := threads_of(command.folder):
        os.environ.setdefault("NPROC", str(threads))
    from jaxattn import sweeps

    outcome = sweeps.resume(command.folder, spec=command.spec, **_how(command))
    return _ended(command, outcome, command.folder)


def _how(command: SweepRun | SweepResume) -> dict[str, Any]:
    return {
        "engine": command.engine,
        "workers": command.workers,
        "options": _options(command.options),
        "progress": True,
        "tensorboard": command.tensorboard,
    }


def _ended(command: SweepRun | SweepResume, outcome: Any, folder: Path) -> int:
    from jaxattn.terminal.sweep_tables import outcome_lines

    record = {**outcome._asdict(), "folder": str(folder)}
    answer(command.json, record, *outcome_lines(outcome, folder))
    return 3 if outcome.failed else 0


def _options(words: tuple[str, ...]) -> Mapping[str, str]:
    from jaxattn.core.contracts import InputError

    options: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or name in options:
            raise InputError(f"--options: got {word!r}, expected NAME=VALUE, each name once.")
        options[name] = value
    return options


def _status(command: SweepStatus) -> int:
    from jaxattn.engine.status import status_of
    from jaxattn.terminal.sweep_tables import status_lines

    status = status_of(command.folder)
    answer(command.json, status, *status_lines(status))
    return 0


def _export(command: SweepExport) -> int:
    from jaxattn.results.export import export
    from jaxattn.results.files import open_run

    export(open_run(command.folder), command.to)
    record = {"folder": str(command.folder), "to": str(command.to)}
    answer(command.json, record, f"{command.to} holds the results of {command.folder}.")
    return 0


_RUN: Mapping[type, Callable[[Any], int]] = {
    SweepPlan: _plan,
    SweepRun: _run,
    SweepResume: _resume,
    SweepStatus: _status,
    SweepExport: _export,
}
