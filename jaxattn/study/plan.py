"""The rows of a sweep and their fixed layout in tiles and chunks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float

from jaxattn.core.contracts import InputError
from jaxattn.study.axes import Axis

__all__ = ["Chunk", "Plan", "make_plan"]


@dataclass(frozen=True)
class Chunk:
    """Rows that are run by one call: row numbers ``[tile, row]``; -1 pads by repeating row 0."""

    rows: np.ndarray

    @property
    def real(self) -> np.ndarray:
        """Numbers of the rows that are not padding, in order."""
        return self.rows[self.rows >= 0]


@dataclass(frozen=True)
class Plan:
    """A grid of rows: the axes in their order, the seed last and fastest.

    A row is identified by the values on its axes alone, so extending an axis leaves the other
    rows what they were. `tile` rows are vmapped together; how many tiles one call holds changes
    nothing but the granularity of progress. Nothing here is as long as the grid.
    """

    axes: tuple[Axis, ...]
    constants: Mapping[str, float]
    seeds: tuple[int, ...]
    tile: int
    tiles_per_chunk: int
    order: tuple[int, ...] | None = None
    """Points of the axes (all seeds of each) in the order they run; None: as they are."""

    @property
    def coordinates(self) -> dict[str, tuple]:
        """The coordinate of each axis, the seed's apart."""
        return {axis.name: axis.coordinate for axis in self.axes}

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, the seed's last."""
        return (*(len(axis) for axis in self.axes), len(self.seeds))

    @property
    def size(self) -> int:
        """Number of rows."""
        return prod(self.shape)

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return -(-self.size // (self.tile * self.tiles_per_chunk))

    def seed_of(self, rows: np.ndarray) -> np.ndarray:
        """Seeds (uint32) of these row numbers; padding gets row 0's."""
        at = np.unravel_index(np.maximum(rows, 0), self.shape)[-1]
        return np.asarray(self.seeds, dtype=np.uint32)[at]

    def hypers_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Numbers (float64) on the axes at these row numbers, constants broadcast."""
        at = np.unravel_index(np.maximum(rows, 0), self.shape)[:-1]
        swept = {
            name: np.asarray(values, dtype=float)[index]
            for axis, index in zip(self.axes, at, strict=True)
            for name, values in axis.columns
        }
        fixed = {name: np.full(rows.shape, value) for name, value in self.constants.items()}
        return fixed | swept

    def chunk(self, number: int) -> Chunk:
        """The chunk of this number: `tiles_per_chunk` tiles; the plan's last tile is padded."""
        start = number * self.tile * self.tiles_per_chunk
        stop = min(start + self.tile * self.tiles_per_chunk, self.size)
        rows = np.full(-(-(stop - start) // self.tile) * self.tile, -1)
        places = np.arange(start, stop)
        if self.order is not None:
            point, seed = np.divmod(places, len(self.seeds))
            places = np.asarray(self.order)[point] * len(self.seeds) + seed
        rows[: stop - start] = places
        return Chunk(rows.reshape(-1, self.tile))

    def chunks(self) -> Iterator[Chunk]:
        """All chunks, in order."""
        return (self.chunk(number) for number in range(self.chunk_count))


def make_plan(
    axes: Mapping[str, Sequence[float]] | Sequence[Axis],
    seeds: Sequence[int],
    constants: Mapping[str, float],
    *,
    tile: int,
    at_once: int = 2,
    cost: Float[np.ndarray, " point"] | None = None,
) -> Plan:
    """Lay a grid out.

    Args:
        axes: swept hyperparameters by name, in order; each value once. Or `Axis` objects.
        seeds: non-negative integers below 2**32, each once.
        constants: hyperparameters that all rows share.
        tile: rows vmapped together.
        at_once: tiles that one call starts.
        cost: expected cost of a row at each point of the axes (C order). The dearest run first,
            and rows of like cost together: the rows of a tile wait for its slowest.

    Raises:
        InputError: an empty axis, a repeated value, a seed out of range.
    """
    if isinstance(axes, Mapping):
        axes = [
            Axis(name, ((name, tuple(float(value) for value in values)),))
            for name, values in axes.items()
        ]
    if len(seeds) == 0:
        raise InputError("seed: got no values, expected at least one.")
    if len(set(seeds)) < len(seeds):
        raise InputError(f"seed: got {list(seeds)}, expected each value once.")
    if not all(0 <= seed < 2**32 for seed in seeds):
        raise InputError(f"seeds: got {list(seeds)}, expected integers from 0 to 2**32 - 1.")
    order = None
    if cost is not None and np.ptp(cost) > 0:
        order = tuple(np.argsort(-cost, kind="stable").tolist())
    return Plan(
        axes=tuple(axes),
        constants=dict(constants),
        seeds=tuple(int(seed) for seed in seeds),
        tile=tile,
        tiles_per_chunk=at_once,
        order=order,
    )
