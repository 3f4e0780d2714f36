"""How far a sweep is, from its files alone."""

from collections import Counter
from pathlib import Path
from typing import Any

from jaxattn.core.contracts import Status
from jaxattn.engine.directory import read_spec_in, states
from jaxattn.engine.lock import lock_holder
from jaxattn.engine.manifest import begun_otherwise, identity
from jaxattn.results.checksum import State, chunk_name
from jaxattn.results.chunk_file import status_in
from jaxattn.study.layout import Sweep

__all__ = ["status_of"]


def status_of(folder: Path) -> dict[str, Any]:
    """Chunks by what their files are worth, runs by how they ended, and who is at work.

    Every finished chunk is read whole: what it says is checked.

    Raises:
        InputError: no sweep there.
    """
    # What an earlier version began is told of, though none but that version can go on with it.
    sweep = begun_otherwise(folder) or identity(Sweep.of(read_spec_in(folder)))
    file_states = states(folder, sweep)
    whole = [number for number, state in file_states.items() if state is State.WHOLE]
    ended: Counter[int] = Counter()
    for number in whole:
        ended.update(status_in(folder / chunk_name(number)).tolist())
    bad = (State.TRUNCATED, State.DAMAGED, State.FOREIGN)
    not_whole = {
        one.value: [number for number, state in file_states.items() if state is one] for one in bad
    }
    runs = {"all": sweep["rows"], "done": sum(ended.values())}
    return {
        "folder": str(folder),
        "schema_version": sweep["schema_version"],
        "chunks": {"all": len(file_states), "whole": len(whole)},
        "runs": runs | {one.name.lower(): ended[one] for one in Status if one > Status.DONE},
        "not_whole": {name: numbers for name, numbers in not_whole.items() if numbers},
        "holder": lock_holder(folder),
    }
