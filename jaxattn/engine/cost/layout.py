"""Lay a sweep out: how many rows are vmapped together, and how many make a chunk.

A layout follows from the spec and the kind of the devices, and not from how many there are or how
busy they are. Only a tile that is to be measured depends on that; the layout then says which it is.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from jaxattn.core.contracts import InputError
from jaxattn.engine.cost.memory import ChunkBytes, bytes_of_chunk, in_words, row_bytes
from jaxattn.engine.cost.timing import TILES_TO_TRY, fastest_tile
from jaxattn.run.device import budget_of, facts_here
from jaxattn.run.job import usual_tile
from jaxattn.run.runner import Runner
from jaxattn.study.groups import THEORY, Group, make_groups
from jaxattn.study.layout import Sweep, lay_out, plan_of
from jaxattn.study.spec import Spec

__all__ = ["choose_layout", "on_host"]

TILES = 8
"""Tiles of a chunk, what one kill can cost."""

CHUNKS = 1024
"""Chunks of a group, about: of a large one a kill may cost this share."""

SOLVED = 1024
"""Exact rows of a chunk."""

Needed = Callable[[int, int], ChunkBytes]
"""What a chunk needs at least: of a tile, and tiles of it."""


class Budget(NamedTuple):
    """Bytes that a chunk may take."""

    process: int
    """Of this process."""
    device: int
    """Of a device: the same, where it has no memory of its own."""

    def holds(self, needed: ChunkBytes, parts: int = 1) -> bool:
        """Whether one of so many equal parts of it is enough."""
        return parts * needed.process <= self.process and parts * needed.device <= self.device


def choose_layout(spec: Spec) -> Sweep:
    """`spec` with the layout it asks for, and what it leaves open decided.

    A spec that is laid out already stays as it is. Nothing is compiled, unless a tile is to be
    measured.

    Raises:
        InputError: too small a budget of memory, or a chunk that is not whole tiles.
    """
    groups = make_groups(spec)
    if spec.layout.groups is not None:
        return Sweep(spec, groups)
    laid: list[tuple[int, int]] = []
    known: dict = {}
    measured: dict = {}
    for group in groups:
        if group.dynamics == THEORY:
            laid.append((1, min(group.points, SOLVED)))
            continue
        # What rows bring does not depend on the paradigm.
        kind = (group.dynamics, *(at for name, at in group.at.items() if name != "paradigm"))
        if kind not in known:
            known[kind] = _needed(spec, group)
        needed = known[kind]
        tile = _tile(spec, group, needed, measured)
        laid.append((tile, _tiles(spec, group, tile, needed)))
    return lay_out(spec, groups, laid)


def on_host() -> bool:
    """Whether the devices here have no memory of their own."""
    return facts_here().platform == "cpu"


def _needed(spec: Spec, group: Group) -> Needed:
    row, here = row_bytes(Runner(group, plan_of(group, 1, 1, by_cost=False), spec)), on_host()

    def needed(tile: int, tiles: int) -> ChunkBytes:
        return bytes_of_chunk(row, tile, tiles, on_host=here)

    return needed


def _budget(spec: Spec) -> Budget:
    memory = spec.layout.memory
    return Budget(memory, budget_of(facts_here(), memory))


def _tile(spec: Spec, group: Group, needed: Needed, measured: dict) -> int:
    """Rows vmapped together."""
    wanted, chunk = spec.layout.tile, spec.layout.chunk
    if wanted == "measure":
        if (key := (group.dynamics, group.study.subject.costs_as)) not in measured:
            budget = _budget(spec)
            tiles = [
                tile
                for tile in TILES_TO_TRY
                if budget.holds(needed(tile, 1)) and (chunk is None or chunk % tile == 0)
            ]
            measured[key] = fastest_tile(spec, group, tiles) if tiles else 1
        return measured[key]
    if wanted is not None:
        return int(wanted)
    usual = usual_tile(group)
    return min(usual, chunk or usual)


def _tiles(spec: Spec, group: Group, tile: int, needed: Needed) -> int:
    """Tiles of a chunk."""
    budget, chunk = _budget(spec), spec.layout.chunk
    runs = f"of {tile} runs ({group.paradigm}, {group.dynamics})"
    _refuse_larger(needed(tile, 1), budget, tile, runs)
    rows = group.points * len(group.seeds)
    most = chunk // tile if chunk else max(TILES, -(-rows // (tile * CHUNKS)))
    if chunk and chunk % tile:
        raise InputError(
            f"layout.chunk: got {chunk}, expected whole tiles {runs}; use {most * tile}, or give "
            "layout.tile."
        )
    # Half the budget is for what programs work in: that is known when they are compiled.
    parts = 1 if chunk else 2
    fits = bisect_right(
        range(1, most + 1), False, key=lambda tiles: not budget.holds(needed(tile, tiles), parts)
    )
    fits = max(1, fits)
    if chunk and fits < most:
        whole = needed(tile, most)
        need, there = whole.process, f"layout.memory = {in_words(budget.process)}"
        larger = ", or raise layout.memory"
        if need <= budget.process:
            need, there, larger = whole.device, f"the {in_words(budget.device)} of a device", ""
        raise InputError(
            f"layout.chunk: got {chunk} runs ({group.paradigm}, {group.dynamics}), which need "
            f"{in_words(need)} or more, expected at most {there}; use {fits * tile}{larger}."
        )
    return fits


def _refuse_larger(one: ChunkBytes, budget: Budget, tile: int, runs: str) -> None:
    """Refuse a tile that does not fit by itself."""
    smaller = "" if tile == 1 else "lower layout.tile"
    if one.process > budget.process:
        raise InputError(
            f"layout.memory: got {in_words(budget.process)}, expected at least "
            f"{in_words(one.process)} for one tile {runs}; "
            f"{' or '.join(filter(None, ('raise it', smaller)))}."
        )
    if one.device > budget.device:
        raise InputError(
            f"layout.tile: got one {runs}, which needs {in_words(one.device)}, expected at most "
            f"the {in_words(budget.device)} of a device; {smaller or 'use a larger one'}."
        )
