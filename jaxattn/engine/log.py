"""What happened to a sweep, a line an event: ``log.jsonl``, and the table it is read as.

Every line is a JSON object with ``at`` (UTC, ISO 8601, milliseconds) and ``event``:

====================  ==============================================================================
``begun``             a process starts on its share: ``missing`` (its chunks), ``runs`` (of those),
                      ``chunks`` (of the whole sweep), ``engine``, ``process`` (of several hosts)
``chunk not whole``   a file that is computed again: ``chunk``, ``state`` (truncated, damaged, ...)
``chunk``             one was written: ``chunk`` and ``group`` (numbers), ``rows`` and ``failed``
                      (runs), ``bytes``, ``seconds`` since the one before, compilation included
``interrupted``       by Ctrl-C: ``computed`` (chunks of this command)
``finished``          ``computed`` (chunks of this command), ``failed`` (runs of the whole sweep),
                      ``seconds`` of the command
====================  ==============================================================================

A kill leaves no line of its own. It may tear one, and it may come between a chunk's file and its
line: what is finished is what the files say (`jaxattn.engine.status.status_of`).
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from jaxattn.core.contracts import InputError

__all__ = ["LOG", "log", "read_log"]

LOG = "log.jsonl"

_COUNTS = (
    *("process", "missing", "chunks", "runs", "chunk", "group", "rows", "failed", "bytes"),
    "computed",
)


def log(folder: Path, event: str, **facts: Any) -> None:
    """Add a line to the log; each is whole, as it is written by one call."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"at": at, "event": event, **facts}) + "\n"
    with (folder / LOG).open("ab+") as file:
        if end := file.seek(0, os.SEEK_END):
            file.seek(end - 1)
            if file.read() != b"\n":
                line = f"\n{line}"  # so that what a kill tore spoils no line but its own
        file.write(line.encode())


def read_log(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """The log of a sweep, also while it runs: a row an event, in the order of the file.

    Lines that a kill tore are left out.

    Args:
        folder: the sweep's directory.

    Returns:
        Columns ``at`` (UTC), ``event``, then those that the events have (see this module); counts
        are whole numbers, and NA where an event has none.

    Raises:
        InputError: no log there.
    """
    file = Path(folder) / LOG
    if not file.is_file():
        raise InputError(
            f"log: got {os.fspath(folder)!r}, expected the directory of a sweep that has run, "
            f"with {LOG}; is it spelt right?"
        )
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    events = [event for line in lines if (event := _event(line)) is not None]
    table = pd.DataFrame(events, columns=list(dict.fromkeys(["at", "event", *_names(events)])))
    counts = {name: "Int64" for name in _COUNTS if name in table}
    return table.assign(at=pd.to_datetime(table["at"], utc=True)).astype(counts)


def _names(events: list[dict[str, Any]]) -> list[str]:
    return [name for event in events for name in event]


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and {"at", "event"} <= set(event) else None
