"""What a chunk will need: of memory while it runs, and of disk when it is done.

A chunk passes through five states, and needs what the largest of them does:

- its data is on the host and on the devices;
- its tiles run, some of them at once, beside the outputs of those that have;
- its outputs are on the devices and, stacked, on the host;
- they are labelled, and when each first reaches its level is found;
- they are beside the finished file.

Throughout, data that other rows need too is kept.
"""

from dataclasses import dataclass
from math import ceil

import jax
import numpy as np
from jaxtyping import PyTree

from jaxattn.results.chunk_file import chunk_bytes
from jaxattn.run.job import tiles_at_once
from jaxattn.run.runner import Runner

__all__ = [
    "ChunkBytes",
    "RowBytes",
    "bytes_of_chunk",
    "bytes_of_file",
    "in_words",
    "row_bytes",
    "working_bytes",
]

_CROSSING = 6
"""Arrays of 64 bits that finding the first crossing of each value takes."""


@dataclass(frozen=True)
class RowBytes:
    """What one row of a group brings, and what its rows share."""

    shared: int
    """Data on every device."""
    own: int
    """Data, seed and hyperparameters of the row."""
    outputs: int
    labelled: int
    """The outputs as the variables of a Dataset."""
    labelling: int
    """What finding when they first reach a level takes."""
    kept: int
    """Data that stays on the host, of all rows."""


@dataclass(frozen=True)
class ChunkBytes:
    """The most that a chunk needs at once."""

    device: int
    """Bytes on the device that has most of it."""
    host: int
    """Bytes of the host, beside what is on devices."""
    process: int
    """Bytes of the process: both, where devices have no memory of their own."""


def row_bytes(runner: Runner) -> RowBytes:
    """What one row brings; found without compiling anything."""
    seeds, hypers, data = runner.arguments(np.zeros((1, 1), dtype=int))
    parts, varied = (data.learn, *data.evaluate.values()), runner.sources.vary
    examples = _bytes([part._replace(pool=None) for part in parts])
    pools = _bytes(
        list({id(leaf): leaf for leaf in jax.tree.leaves([p.pool for p in parts])}.values())
    )
    variables = runner.template.data_vars
    crossed = [
        variables[name].size // variables[name].sizes.get("inference", 1)
        for name in ("attention_foreground", "accuracy")
        if name in variables
    ]
    sets = len(runner.group.seeds) if "data" in runner.study.vary else 1
    kept = sets * max(1, len(runner.group.lengths)) * examples
    return RowBytes(
        shared=pools if varied else pools + examples,
        own=_bytes((seeds, hypers)) + (examples if varied else 0),
        # Of a limit, those of the training beside it too.
        outputs=sum(
            leaf.size * leaf.dtype.itemsize
            for leaf in jax.tree.leaves((runner.outputs, runner.outputs_beside))
        ),
        labelled=sum(variable.nbytes for variable in variables.values()),
        labelling=8 * _CROSSING * max(crossed, default=0),
        kept=pools + min(kept, runner.sources.most + examples),
    )


def bytes_of_chunk(
    row: RowBytes,
    tile: int,
    tiles: int,
    *,
    temporary: int = 0,
    devices: int = 1,
    at_once: int | None = None,
    on_host: bool = True,
) -> ChunkBytes:
    """What a chunk needs.

    Args:
        row: what a row brings.
        tile: rows of a tile.
        tiles: how many the chunk has.
        temporary: bytes that one tile works in; 0: not known yet, and what comes out is the least.
        devices: how many take turns.
        at_once: tiles that are worked on at once; None: all.
        on_host: whether devices have no memory of their own.
    """
    rows, used = tile * tiles, min(devices, tiles)
    here = tile * ceil(tiles / used)  # rows of the device that has most
    working = min(at_once or tiles, tiles)
    outputs = rows * row.outputs
    # Of each state: bytes on the device that has most, on all devices, on the host.
    given = (row.shared + here * row.own, used * row.shared + rows * row.own, rows * row.own)
    running = (
        given[0] + here * row.outputs + ceil(working / used) * temporary,
        given[1] + outputs + working * temporary,
        rows * row.own,
    )
    # What a tile worked in is given back a moment after it has ended.
    stacked = (here * row.outputs, outputs + working * temporary, outputs)
    labelled, written = outputs + rows * row.labelling, 2 * rows * row.labelled
    states = (given, running, stacked, (0, 0, labelled), (0, 0, written))
    host = row.kept + max(state[2] for state in states)
    together = row.kept + max(state[1] + state[2] for state in states)
    return ChunkBytes(max(state[0] for state in states), host, together if on_host else host)


def bytes_of_file(runner: Runner, rows: int) -> int:
    """Bytes of the file of a chunk of so many rows."""
    labels = [name for name in runner.template.coords if name != "row"]
    row = runner.template.drop_vars(labels).assign_attrs(spec_hash="0" * 64, chunk=0, group=0)
    variables = row.data_vars.values()
    return len(chunk_bytes(row)) + (rows - 1) * sum(variable.nbytes for variable in variables)


def working_bytes(runner: Runner, outputs: int) -> int:
    """What one tile works in on the first device, beside what it is given and gives; compiles it.

    Args:
        runner: whose rows they are.
        outputs: bytes that one row gives.
    """
    rows = np.zeros((1, runner.plan.tile), dtype=int)
    programs = runner.job.compiled(*runner.arguments(rows))
    known = [program.result().memory_analysis() for program in programs]
    sizes = [analysis for analysis in known if analysis is not None]
    # What one stage hands to another is there until the tile is done.
    handed = sum(analysis.output_size_in_bytes for analysis in sizes) - rows.size * outputs
    # While one tile is measured, another one is judged.
    second, first = sorted([0, 0, *(analysis.temp_size_in_bytes for analysis in sizes)])[-2:]
    return first + second // tiles_at_once(jax.local_devices()) + max(handed, 0)


def in_words(count: int) -> str:
    """Bytes as a person reads them: 512 B, 1.5 KiB, 24 MiB."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size >= 1000:
            size, unit = size / 1024, larger
    return f"{size:.3g} {unit}"


def _bytes(tree: PyTree) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
