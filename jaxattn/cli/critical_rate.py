"""The command that looks for the largest learning rate at which training stays near its limit.

Heavy imports happen inside it, so that ``--help`` answers at once.
"""

from dataclasses import asdict
from typing import Any

from jaxattn.cli.commands import CriticalRate
from jaxattn.cli.words import TASK_FLAGS, task_of, with_hypers
from jaxattn.terminal.output import answer

__all__ = ["critical_rate"]

_FAILED = 3
"""Exit code where the limit of some seed was not solved."""

_OWN = (*TASK_FLAGS, "json", "cache")
"""Flags that the Python door does not have, or not as they are."""


def critical_rate(command: CriticalRate) -> int:
    """Run the command; its exit code."""
    from jaxattn.api.critical_rate import critical_rate as find
    from jaxattn.terminal.output import note
    from jaxattn.terminal.rate_tables import bracket_line, median_of, rates_table

    given: dict[str, Any] = {name: at for name, at in asdict(command).items() if name not in _OWN}
    given |= {"task": task_of(command), "hypers": with_hypers(command.hypers, {})}
    table = find(**given, on_bracket=lambda at: note(bracket_line(at)))
    record = {"rates": table.to_dict("records"), "median": median_of(table)}
    failed = int((table["status"] != "done").sum())
    answer(command.json, {**record, "failed": failed}, rates_table(table, command.tolerance))
    return _FAILED if failed else 0
