"""Rows of a grid as few boxes: what HDF5 calls hyperslabs."""

from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

__all__ = ["Block", "blocks", "boxes"]

Box = tuple[slice, ...]


class Block(NamedTuple):
    """Source rows `start` to `stop`, in order, fill the box `where` of the grid in C order."""

    start: int
    stop: int
    where: Box


def blocks(rows: Int[np.ndarray, " row"], shape: tuple[int, ...]) -> list[Block]:
    """Where the rows of a chunk go in the grid, as few boxes.

    Args:
        rows: numbers of different rows, C order in a grid of `shape`, in the order in which the
            chunk holds them.
        shape: of the grid.

    Consecutive rows need at most ``2 * len(shape) - 1`` blocks: a corner at either end for each
    axis but the first, and what lies between.
    """
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    edges = [0, *cuts.tolist(), len(rows)] if len(rows) else []
    runs: list[Block] = []
    for start, stop in pairwise(edges):
        first, at = int(rows[start]), start
        for box in _run(first, first + stop - start, shape):
            size = prod(side.stop - side.start for side in box)
            runs.append(Block(at, at + size, box))
            at += size
            while len(runs) > 1 and (joined := _joined(runs[-2], runs[-1])):
                runs[-2:] = [joined]
    return runs


def boxes(mask: Bool[np.ndarray, "..."]) -> list[Box]:
    """Boxes that do not overlap and cover what is True.

    Equal neighbours along an axis go together, the first axis first.
    """
    if mask.all() or not mask.any():
        return [tuple(slice(0, length) for length in mask.shape)] if mask.any() else []
    apart = (mask[1:] != mask[:-1]).any(axis=tuple(range(1, mask.ndim)))
    edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(mask)]
    return [
        (slice(start, stop), *rest)
        for start, stop in pairwise(edges)
        for rest in boxes(np.asarray(mask[start]))
    ]


def _run(first: int, stop: int, shape: tuple[int, ...]) -> Iterator[Box]:
    """Boxes, in order, of the numbers from `first` to `stop` (at least one)."""
    if len(shape) <= 1:
        yield (slice(first, stop),) if shape else ()
        return
    inner = prod(shape[1:])
    low, high = -(-first // inner), stop // inner  # the slices along the first axis that are whole
    if low > high:  # within one slice, and neither end of it
        at = slice(high, low)
        yield from ((at, *rest) for rest in _run(first % inner, stop - high * inner, shape[1:]))
        return
    if first % inner:
        at = slice(low - 1, low)
        yield from ((at, *rest) for rest in _run(first % inner, inner, shape[1:]))
    if low < high:
        yield (slice(low, high), *(slice(0, length) for length in shape[1:]))
    if stop % inner:
        at = slice(high, high + 1)
        yield from ((at, *rest) for rest in _run(0, stop % inner, shape[1:]))


def _joined(one: Block, two: Block) -> Block | None:
    """Both as one block, where the second continues the first along one axis."""
    differ = [i for i, (a, b) in enumerate(zip(one.where, two.where, strict=True)) if a != b]
    if len(differ) != 1:
        return None
    (axis,) = differ
    # C order runs through the joined axis last if all axes before it have length one.
    before, (a, b) = one.where[:axis], (one.where[axis], two.where[axis])
    if a.stop != b.start or any(side.stop - side.start > 1 for side in before):
        return None
    where = (*before, slice(a.start, b.stop), *one.where[axis + 1 :])
    return Block(one.start, two.stop, where)
