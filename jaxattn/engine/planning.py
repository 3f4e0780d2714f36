"""What a sweep would cost: runs, compilations, chunks, bytes and seconds. Runs nothing in full."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import jax

from jaxattn.engine.chunk import Runner, runners_of
from jaxattn.engine.laying import laid_out, on_host
from jaxattn.engine.prediction import (
    ChunkBytes,
    bytes_of_chunk,
    bytes_of_file,
    compile_tile,
    row_bytes,
)
from jaxattn.engine.probing import Pace, pace_of
from jaxattn.jobs import tiles_at_once
from jaxattn.sweep import Spec, Sweep, spec_hash, static_axes

__all__ = ["GroupCost", "SweepCost", "cost_of"]

PATIENCE = 45.0
"""Seconds after which no further group is probed."""


@dataclass(frozen=True)
class GroupCost:
    """What one group would cost."""

    paradigm: str
    process: str
    at: dict[str, Any]
    """Its values of the static axes, the paradigm's apart."""
    runs: int
    tile: int
    chunks: int
    memory: ChunkBytes
    """Of a whole chunk."""
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

    @property
    def probed(self) -> int:
        """Groups of which short runs were made."""
        return sum(group.seconds is not None for group in self.groups)

    def seconds(self) -> float | None:
        """All of it on this machine; a group that was not probed is like the mean of the others."""
        paces = [one.seconds / one.runs for one in self.groups if one.seconds is not None]
        if not paces:
            return None
        rest = sum(one.runs for one in self.groups if one.seconds is None)
        return sum(one.seconds or 0.0 for one in self.groups) + rest * fmean(paces)

    def compiling(self) -> float | None:
        """Seconds until all programs are made."""
        found = [one.compiling for one in self.groups if one.compiling is not None]
        return fmean(found) * len(self.groups) if found else None


def cost_of(spec: Spec, probe: bool = True) -> SweepCost:
    """What running `spec` would cost here.

    Args:
        spec: laid out or not.
        probe: compile programs, and run some rows for a few steps, for `PATIENCE` at most and one
            group more; otherwise nothing is compiled, and no seconds are known.

    Raises:
        InputError: what cannot be laid out.
    """
    sweep = laid_out(spec)
    runners = runners_of(sweep)
    found = _probed(sweep, runners) if probe else {}
    devices = jax.local_devices()
    groups = tuple(
        _cost(sweep, runner, *found.get(number, (None, 0))) for number, runner in enumerate(runners)
    )
    return SweepCost(
        spec_hash(sweep.spec), groups, len(devices), devices[0].platform, tiles_at_once(devices)
    )


def _probed(sweep: Sweep, runners: Sequence[Runner]) -> dict[int, tuple[Pace, int]]:
    """Pace, and bytes that a tile works in, of some groups by number: of all kinds first."""
    kinds: dict[tuple[str, str], int] = {}
    for number, group in enumerate(sweep.groups):
        kinds.setdefault((group.paradigm, group.process), number)
    rest = set(range(len(sweep.groups))) - set(kinds.values())
    found: dict[int, tuple[Pace, int]] = {}
    started, longest = time.perf_counter(), 0.0
    for number in (*kinds.values(), *sorted(rest)):
        if (begun := time.perf_counter()) - started + longest > PATIENCE:
            break
        runner = runners[number]
        compiled = compile_tile(runner, runner.plan.tile)
        compiling = time.perf_counter() - begun
        pace = pace_of(sweep.spec, runner.group, runner.plan.tile)
        analysis = compiled.memory_analysis()
        working = 0 if analysis is None else analysis.temp_size_in_bytes
        found[number] = pace._replace(compiling=compiling), working
        longest = max(longest, time.perf_counter() - begun)
    return found


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
    whole = min(plan.tile * plan.tiles_per_chunk, plan.size)
    one, whole_file = bytes_of_file(runner, 1), bytes_of_file(runner, whole)
    each = (whole_file - one) / max(whole - 1, 1)
    return GroupCost(
        paradigm=group.paradigm,
        process=group.process,
        at={
            name: value
            for axis in static_axes(sweep.spec)
            for name, value in axis.at(group.at[axis.name]).items()
            if name != "paradigm"
        },
        runs=plan.size,
        tile=plan.tile,
        chunks=plan.chunk_count,
        memory=memory,
        is_least=pace is None,
        file=whole_file,
        disk=round(plan.chunk_count * (one - each) + plan.size * each),
        seconds=None if pace is None else _rounds(plan.size, plan.tile, pace) * pace.seconds,
        compiling=None if pace is None else pace.compiling,
    )


def _rounds(runs: int, tile: int, pace: Pace) -> float:
    """Rounds of tiles, whole ones, that all runs take."""
    return -(-runs // tile) * tile / pace.rows
