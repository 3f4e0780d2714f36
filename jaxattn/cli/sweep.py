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
from jaxattn.terminal.output import print_json, show

__all__ = ["sweep"]


def sweep(asked: Sweep) -> int:
    """Run the command of sweeps that was asked for; its exit code."""
    return _RUN[type(asked.do)](asked.do)


def _plan(asked: SweepPlan) -> int:
    from jaxattn.engine.cost.estimate import cost_of
    from jaxattn.engine.spec_file import read_spec
    from jaxattn.terminal.sweep_tables import cost_lines, cost_table

    cost = cost_of(read_spec(asked.spec), asked.probe)
    if asked.json:
        print_json(cost.plain())
    else:
        show(cost_table(cost), *cost_lines(cost))
    return 0


def _run(asked: SweepRun) -> int:
    from jaxattn import sweeps

    outcome = sweeps.run(asked.spec, asked.out, overwrite=asked.overwrite, **_how(asked))
    return _ended(asked, outcome, asked.out)


def _resume(asked: SweepResume) -> int:
    from jaxattn.engine.directory import threads_of

    # Before JAX makes its devices: sums on a CPU depend on how many threads share them.
    if threads := threads_of(asked.folder):
        os.environ.setdefault("NPROC", str(threads))
    from jaxattn import sweeps

    outcome = sweeps.resume(asked.folder, spec=asked.spec, **_how(asked))
    return _ended(asked, outcome, asked.folder)


def _how(asked: SweepRun | SweepResume) -> dict[str, Any]:
    return {
        "engine": asked.engine,
        "workers": asked.workers,
        "options": _options(asked.options),
        "progress": True,
        "tensorboard": asked.tensorboard,
    }


def _ended(asked: SweepRun | SweepResume, outcome: Any, folder: Path) -> int:
    from jaxattn.terminal.sweep_tables import outcome_lines

    if asked.json:
        print_json({**outcome._asdict(), "folder": str(folder)})
    else:
        show(*outcome_lines(outcome, folder))
    return 3 if outcome.failed else 0


def _options(words: tuple[str, ...]) -> Mapping[str, str]:
    from jaxattn.core.contracts import InputError

    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or name in found:
            raise InputError(f"--options: got {word!r}, expected NAME=VALUE, each name once.")
        found[name] = value
    return found


def _status(asked: SweepStatus) -> int:
    from jaxattn.engine.status import status_of
    from jaxattn.terminal.sweep_tables import status_lines

    found = status_of(asked.folder)
    if asked.json:
        print_json(found)
    else:
        show(*status_lines(found))
    return 0


def _export(asked: SweepExport) -> int:
    from jaxattn.results.export import export
    from jaxattn.results.files import open_run

    export(open_run(asked.folder), asked.to)
    if asked.json:
        print_json({"folder": str(asked.folder), "to": str(asked.to)})
    else:
        show(f"{asked.to} holds the results of {asked.folder}.")
    return 0


_RUN: Mapping[type, Callable[[Any], int]] = {
    SweepPlan: _plan,
    SweepRun: _run,
    SweepResume: _resume,
    SweepStatus: _status,
    SweepExport: _export,
}
