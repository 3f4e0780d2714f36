"""A chunk of a sweep: a pure function of the spec and the chunk's number."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from jaxattn.core.contracts import Params
from jaxattn.results.chunk_file import chunk_bytes
from jaxattn.run.conditions import hardware, refuse_other
from jaxattn.run.heap import trim_memory
from jaxattn.run.runner import Runner, Solver, make_runner_of
from jaxattn.study.layout import Sweep
from jaxattn.study.parse import from_plain
from jaxattn.study.spec_hash import spec_hash

__all__ = ["Finished", "compute", "remembered", "runners_of"]


class Finished(NamedTuple):
    """A chunk as it comes from where it was computed."""

    content: bytes
    """Of its file."""
    params: Params | None = None
    """Final parameters ``[row, ...]``, where the spec asks for them."""
    hardware: Mapping[str, Any] = {}
    """What it was computed on."""


def compute(spec_json: str, programs: Sequence[str], number: int) -> Finished:
    """A finished chunk: the same bytes wherever and whenever it is computed.

    Args:
        spec_json: of a spec that is laid out, from `jaxattn.study.spec_hash.spec_json`.
        programs: the fingerprint of what each group computes.
        number: of the chunk.

    Raises:
        InputError: something else is computed here, as where a component of a user was edited.
    """
    sweep, runners = remembered(spec_json)
    group, _, chunk = sweep.locate(number)
    runner = runners[group.number]
    name = f"what {group.paradigm} ({group.dynamics}) computes"
    refuse_other(
        {name: programs[group.number]},
        {name: runner.fingerprint},
        "got another program or other data than the sweep began with",
        "a component was edited since, or is not the same in every process: put it back, or begin "
        "a new sweep.",
    )
    ds, params = runner.run(chunk.rows)
    labels = [name for name in ds.coords if name != "row"]
    identity = {"spec_hash": spec_hash(sweep.spec), "chunk": number, "group": group.number}
    content = chunk_bytes(ds.drop_vars(labels).assign_attrs(identity))
    del ds
    trim_memory()
    return Finished(content, params, hardware())


def runners_of(sweep: Sweep) -> tuple[Runner | Solver, ...]:
    """One for each group."""
    pairs = zip(sweep.groups, sweep.plans, strict=True)
    runners = tuple(make_runner_of(group, plan, sweep.spec) for group, plan in pairs)
    run = [runner for runner in runners if isinstance(runner, Runner)]
    every = tuple(dict.fromkeys(part for runner in run for part in runner.job.parts))
    for runner in run:
        runner.all_parts = every
    return runners


@lru_cache(maxsize=2)
def remembered(spec_json: str) -> tuple[Sweep, tuple[Runner | Solver, ...]]:
    """What all chunks of a sweep share in one process: programs and data."""
    sweep = Sweep.of(from_plain(json.loads(spec_json)))
    return sweep, runners_of(sweep)
