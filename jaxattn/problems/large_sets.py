"""Sets of examples too large to be filled in whole: they are read a piece at a time."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Int, PyTree

from jaxattn.core.contracts import Batch, Data, Example
from jaxattn.core.pixels import arrays_of
from jaxattn.problems.data import as_learnt, everything, size, take

__all__ = [
    *("MOST", "each_example", "filled", "filled_as_learnt", "piece_rows", "pieces_of"),
    "take_counted",
]

MOST = 1 << 27
"""Bytes of segments, of one row of a sweep, that are filled in at once and kept for all saves."""

AT_ONCE = 1 << 23
"""Bytes of segments of a piece, where a model does not say how many it takes."""


def filled(data: Data, dtype: DTypeLike) -> Example | Batch | Data:
    """All examples with their pool rows filled in; the data as they are, where these are too large.

    By shapes alone, whatever the device, so that a row is the same numbers anywhere.

    Args:
        data: of one split.
        dtype: of what is floating.
    """
    if data.pool is None or size(data) * _bytes_of_one(data, dtype) <= MOST:
        return everything(data, dtype)
    return data


def filled_as_learnt(
    batch: Example | Batch | Data, data: Data, dtype: DTypeLike
) -> Example | Batch | Data:
    """The same examples, each counting as it does in what is learnt.

    Args:
        batch: what `filled` or `everything` gave of `data`.
        data: of one split.
        dtype: of what is floating.
    """
    if data.learning_weight is None:
        return batch
    if isinstance(batch, Data):
        return as_learnt(batch)
    return batch._replace(weight=jnp.asarray(data.learning_weight, dtype))


def piece_rows(data: Data, dtype: DTypeLike, usual: int | None) -> int:
    """Examples of a piece: as many as a model takes, where that many are not too large."""
    wanted, most = (size(data), AT_ONCE) if usual is None else (usual, MOST)
    return max(1, min(wanted, most // max(1, _bytes_of_one(data, dtype))))


def pieces_of(data: Data, piece: int) -> Int[Array, "number example"]:
    """Numbers of the examples of all pieces; those that fill up the last one are too large."""
    count = -(-size(data) // piece)
    return jnp.arange(count * piece, dtype=jnp.int32).reshape(count, piece)


def take_counted(data: Data, rows: Int[Array, " example"], dtype: DTypeLike) -> Example | Batch:
    """The examples with these numbers; those beyond the last one have weight 0."""
    count = size(data)
    taken: Example | Batch = take(data, jnp.minimum(rows, count - 1), dtype)
    return taken._replace(weight=jnp.where(rows < count, taken.weight, 0))


def each_example(
    function: Callable[[Any], PyTree], data: Data, dtype: DTypeLike, piece: int
) -> PyTree:
    """``vmap(function)`` over all examples, so many at a time.

    Args:
        function: of one example.
        data: of one split.
        dtype: of what is floating.
        piece: examples filled in at once.

    Returns:
        Leaves with a leading axis of examples.
    """

    def of_piece(rows: Int[Array, " example"]) -> PyTree:
        return jax.vmap(function)(take(data, jnp.minimum(rows, size(data) - 1), dtype))

    found = jax.lax.map(of_piece, pieces_of(data, piece))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: size(data)], found)


def _bytes_of_one(data: Data, dtype: DTypeLike) -> int:
    """Of the segments of one example, once they are filled in."""
    indices = jax.tree.leaves(data.examples.segments)
    pool = jax.tree.leaves(arrays_of(data.pool))
    values = sum(
        math.prod(at.shape[1:]) * math.prod(rows.shape[1:])
        for at, rows in zip(indices, pool, strict=True)
    )
    return values * jnp.dtype(dtype).itemsize
