"""What a sweep would cost: runs, compilations, chunks, bytes and seconds. Runs nothing in full."""

import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import islice
from statistics import fmean
from typing import Any

import jax
import xarray as xr

from jaxattn.engine.cost.layout import choose_layout, on_host
from jaxattn.engine.cost.memory import (
    ChunkBytes,
    bytes_of_chunk,
    bytes_of_file,
    row_bytes,
    working_bytes,
)
from jaxattn.engine.cost.timing import Pace, pace_of
from jaxattn.results.virtual import virtual_bytes
from jaxattn.run.chunk import runners_of
from jaxattn.run.device import budget_of, facts_here
from jaxattn.run.job import tiles_at_once
from jaxattn.run.labels import pieces_of, variables_of
from jaxattn.run.runner import Runner, Solver
from jaxattn.study.groups import setting_of
from jaxattn.study.layout import Sweep
from jaxattn.study.spec import Spec
from jaxattn.study.spec_hash import spec_hash, spec_json

__all__ = ["GroupCost", "SweepCost", "cost_of"]

_SAMPLES = (8, 40)
"""Chunks from which the size of ``results.nc`` is found."""

PATIENCE = 45.0
"""Seconds after which no further group is probed."""


@dataclass(frozen=True)
class GroupCost:
    """What one group would cost."""

    paradigm: str
    dynamics: str
    at: dict[str, Any]
    """Its values of the static axes, the paradigm's apart."""
    runs: int
    tile: int
    chunks: int
    memory: ChunkBytes
    """What a whole chunk needs."""
    is_least: bool
    """Whether `memory` leaves out what programs work in, which only a compiled one tells."""
    file: int
    """Bytes of a whole chunk's file."""
    disk: int
    """Bytes of all its chunks."""
    seconds: float | None
    compiling: float | None
    """Seconds; None: not probed."""


@dataclass(frozen=True)
class SweepCost:
    """What a sweep would cost here."""

    spec_hash: str
    groups: tuple[GroupCost, ...]
    devices: int
    platform: str
    at_once: int
    """Tiles that are worked on at once."""
    index: int
    """Bytes of ``results.nc``, about."""
    budget: int
    """Bytes of memory that the spec allows."""
    device_budget: int
    """Bytes of memory that a device has; the same, where it shares the host's."""

    @property
    def runs(self) -> int:
        """Runs of all groups."""
        return sum(group.runs for group in self.groups)

    @property
    def chunks(self) -> int:
        """Chunks of all groups."""
        return sum(group.chunks for group in self.groups)

    @property
    def disk(self) -> int:
        """Bytes of all files."""
        return self.index + sum(group.disk for group in self.groups)

    @property
    def memory(self) -> ChunkBytes:
        """What the chunks need that need most."""
        each = [group.memory for group in self.groups]
        return ChunkBytes(*(max(sizes) for sizes in zip(*map(astuple, each), strict=True)))

    @property
    def probed(self) -> int:
        """Groups of which short runs were made."""
        return sum(group.seconds is not None for group in self.groups)

    def seconds(self) -> float | None:
        """All of it on this machine; a group that was not probed is like the mean of the others."""
        paces = [group.seconds / group.runs for group in self.groups if group.seconds is not None]
        if not paces:
            return None
        rest = sum(group.runs for group in self.groups if group.seconds is None)
        return sum(group.seconds or 0.0 for group in self.groups) + rest * fmean(paces)

    def compiling(self) -> float | None:
        """Seconds until all programs are made."""
        seconds = [group.compiling for group in self.groups if group.compiling is not None]
        return fmean(seconds) * len(self.groups) if seconds else None

    def plain(self) -> dict[str, Any]:
        """All of it, for a program."""
        return {
            "spec_hash": self.spec_hash,
            "runs": self.runs,
            "compilations": len(self.groups),
            "chunks": self.chunks,
            "memory": asdict(self.memory),
            "memory_budget": self.budget,
            "device_memory_budget": self.device_budget,
            "memory_is_least": any(group.is_least for group in self.groups),
            "disk": self.disk,
            "seconds": self.seconds(),
            "compiling_seconds": self.compiling(),
            "probed": self.probed,
            "devices": self.devices,
            "platform": self.platform,
            "groups": [asdict(group) for group in self.groups],
        }


def cost_of(spec: Spec, probe: bool = True) -> SweepCost:
    """What running `spec` would cost here.

    Args:
        spec: laid out or not.
        probe: compile programs, and run some rows for a few steps, for `PATIENCE` at most and one
            group more; otherwise nothing is compiled, and no seconds are known.

    Raises:
        InputError: what cannot be laid out.
    """
    sweep = choose_layout(spec)
    runners = runners_of(sweep)
    probes = _probed(sweep, runners) if probe else {}
    devices = jax.local_devices()
    groups = tuple(
        _cost(sweep, runner, *probes.get(number, (None, 0)))
        for number, runner in enumerate(runners)
        if isinstance(runner, Runner)  # exact rows cost next to nothing
    )
    return SweepCost(
        spec_hash(sweep.spec),
        groups,
        len(devices),
        devices[0].platform,
        tiles_at_once(devices),
        _index(sweep, runners),
        spec.layout.memory,
        budget_of(facts_here(), spec.layout.memory),
    )


def _probed(sweep: Sweep, runners: Sequence[Runner | Solver]) -> dict[int, tuple[Pace, int]]:
    """Pace, and bytes that a tile works in, of some groups by number: of all kinds first."""
    kinds: dict[tuple[str, str], int] = {}
    run = {number: runner for number, runner in enumerate(runners) if isinstance(runner, Runner)}
    for number, runner in run.items():
        kinds.setdefault((runner.group.paradigm, runner.group.dynamics), number)
    rest = set(run) - set(kinds.values())
    probes: dict[int, tuple[Pace, int]] = {}
    started, longest_probe = time.perf_counter(), 0.0
    for number in (*kinds.values(), *sorted(rest)):
        if (start := time.perf_counter()) - started + longest_probe > PATIENCE:
            break
        runner = run[number]
        working = working_bytes(runner, row_bytes(runner).outputs)
        compiling = time.perf_counter() - start
        pace = pace_of(sweep.spec, runner.group, runner.plan.tile)
        probes[number] = pace._replace(compiling=compiling), working
        longest_probe = max(longest_probe, time.perf_counter() - start)
    return probes


def _index(sweep: Sweep, runners: Sequence[Runner | Solver]) -> int:
    """Bytes of ``results.nc``: what names and axes take, and as much for each chunk."""
    labels = xr.Dataset(attrs={"spec_hash": spec_hash(sweep.spec), "spec": spec_json(sweep.spec)})
    variables = variables_of(sweep, runners)
    few, more = (min(count, sweep.chunk_count) for count in _SAMPLES)
    sizes = [
        len(virtual_bytes(labels, variables, islice(pieces_of(sweep, runners), count)))
        for count in (few, more)
    ]
    each = (sizes[1] - sizes[0]) / max(more - few, 1)
    coordinates = sum(8 * len(axis) * len(axis.columns) for axis in sweep.spec.axes)
    return round(sizes[1] + (sweep.chunk_count - more) * each) + coordinates


def _cost(sweep: Sweep, runner: Runner, pace: Pace | None, working: int) -> GroupCost:
    group, plan, devices = runner.group, runner.plan, jax.local_devices()
    memory = bytes_of_chunk(
        row_bytes(runner),
        plan.tile,
        plan.tiles_per_chunk,
        temporary=working,
        devices=len(devices),
        at_once=tiles_at_once(devices),
        on_host=on_host(),
    )
    rows = min(plan.tile * plan.tiles_per_chunk, plan.size)
    one_row, chunk_file = bytes_of_file(runner, 1), bytes_of_file(runner, rows)
    each = (chunk_file - one_row) / max(rows - 1, 1)
    params = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(runner.outputs.params))
    return GroupCost(
        paradigm=group.paradigm,
        dynamics=group.dynamics,
        at=setting_of(sweep.spec, group),
        runs=plan.size,
        tile=plan.tile,
        chunks=plan.chunk_count,
        memory=memory,
        is_least=pace is None,
        file=chunk_file,
        disk=round(plan.chunk_count * (one_row - each) + plan.size * (each + params)),
        seconds=None if pace is None else _rounds(plan.size, plan.tile, pace) * pace.seconds,
        compiling=None if pace is None else pace.compiling,
    )


def _rounds(runs: int, tile: int, pace: Pace) -> float:
    """Rounds of tiles, whole ones, that all runs take."""
    return -(-runs // tile) * tile / pace.rows
