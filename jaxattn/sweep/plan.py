"""The rows of a sweep and their fixed layout in tiles and chunks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from jaxattn.contracts import InputError

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
    nothing but the granularity of progress.
    """

    axes: Mapping[str, tuple[float, ...]]
    constants: Mapping[str, float]
    seeds: tuple[int, ...]
    tile: int
    tiles_per_chunk: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, the seed's last."""
        return (*(len(values) for values in self.axes.values()), len(self.seeds))

    @property
    def size(self) -> int:
        """Number of rows."""
        return prod(self.shape)

    def seed_of(self, rows: np.ndarray) -> np.ndarray:
        """Seeds (uint32) of these row numbers; padding gets row 0's."""
        at = np.unravel_index(np.maximum(rows, 0), self.shape)[-1]
        return np.asarray(self.seeds, dtype=np.uint32)[at]

    def hypers_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Hyperparameters (float64) of these row numbers, constants broadcast."""
        at = np.unravel_index(np.maximum(rows, 0), self.shape)[:-1]
        swept = {
            name: np.asarray(values, dtype=float)[index]
            for (name, values), index in zip(self.axes.items(), at, strict=True)
        }
        fixed = {name: np.full(rows.shape, value) for name, value in self.constants.items()}
        return fixed | swept

    def chunks(self) -> Iterator[Chunk]:
        """Consecutive rows, `tiles_per_chunk` tiles at a time; the last tile is padded."""
        rows = np.full(-(-self.size // self.tile) * self.tile, -1)
        rows[: self.size] = np.arange(self.size)
        tiles = rows.reshape(-1, self.tile)
        for start in range(0, len(tiles), self.tiles_per_chunk):
            yield Chunk(tiles[start : start + self.tiles_per_chunk])


def make_plan(
    axes: Mapping[str, Sequence[float]],
    seeds: Sequence[int],
    constants: Mapping[str, float],
    *,
    tile: int,
    at_once: int = 2,
) -> Plan:
    """Lay a grid out.

    Args:
        axes: swept hyperparameters by name, in order; each value once.
        seeds: non-negative integers below 2**32, each once.
        constants: hyperparameters that all rows share.
        tile: rows vmapped together.
        at_once: tiles that one call starts.

    Raises:
        InputError: an empty axis, a repeated value, a seed out of range.
    """
    for name, values in {**axes, "seed": seeds}.items():
        if len(values) == 0:
            raise InputError(f"{name}: got no values, expected at least one.")
        if len(set(values)) < len(values):
            raise InputError(f"{name}: got {list(values)}, expected each value once.")
    if not all(0 <= seed < 2**32 for seed in seeds):
        raise InputError(f"seeds: got {list(seeds)}, expected integers from 0 to 2**32 - 1.")
    return Plan(
        axes={name: tuple(float(v) for v in values) for name, values in axes.items()},
        constants=dict(constants),
        seeds=tuple(int(seed) for seed in seeds),
        tile=tile,
        tiles_per_chunk=at_once,
    )
