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
from jaxattn.problems.by_length import each_as_short, pieces_by_length
from jaxattn.problems.data import as_learnt, cast, everything, size, take

__all__ = [
    *("MOST", "filled", "filled_as_learnt", "of_each", "piece_rows", "pieces_of_set"),
    *("take_counted", "unfilled"),
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


def pieces_of_set(
    data: Data, dtype: DTypeLike, usual: int | None, lengths: tuple[int, ...] = ()
) -> Int[Array, "number example"]:
    """Numbers of the examples of all pieces; those that fill up the last one are too large.

    Args:
        data: of one split.
        dtype: of what is floating.
        usual: examples that a model takes at once; None: all.
        lengths: of buckets, where bags are of unlike lengths: then each piece is of like ones.
    """
    if lengths:
        most = usual if data.pool is None else piece_rows(data, dtype, usual)
        return pieces_by_length(data.examples, most)
    piece = piece_rows(data, dtype, usual)
    count = -(-size(data) // piece)
    return jnp.arange(count * piece, dtype=jnp.int32).reshape(count, piece)


def take_counted(data: Data, rows: Int[Array, " example"], dtype: DTypeLike) -> Example | Batch:
    """The examples with these numbers; those beyond the last one have weight 0."""
    count = size(data)
    taken: Example | Batch = take(data, jnp.minimum(rows, count - 1), dtype)
    return taken._replace(weight=jnp.where(rows < count, taken.weight, 0))


def _each_example(
    function: Callable[[Any], PyTree],
    data: Data,
    dtype: DTypeLike,
    usual: int | None,
    lengths: tuple[int, ...] = (),
) -> PyTree:
    """``vmap(function)`` over all examples, so many at a time.

    Args:
        function: of one example.
        data: of one split.
        dtype: of what is floating.
        usual: examples that a model takes at once; None: all.
        lengths: as in `pieces_of_set`.

    Returns:
        Leaves with a leading axis of examples.
    """
    pieces = pieces_of_set(data, dtype, usual, lengths)

    def of_piece(rows: Int[Array, " example"]) -> PyTree:
        part = take(data, jnp.minimum(rows, size(data) - 1), dtype)
        return each_as_short(function, part, lengths) if lengths else jax.vmap(function)(part)

    found = jax.lax.map(of_piece, pieces)
    found = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: size(data)], found)
    if not lengths:
        return found
    # Back in their own order.
    places = jnp.argsort(pieces.reshape(-1)[: size(data)])
    return jax.tree.map(lambda leaf: leaf[places], found)


def _bytes_of_one(data: Data, dtype: DTypeLike) -> int:
    """Of the segments of one example, once they are filled in."""
    indices = jax.tree.leaves(data.examples.segments)
    pool = jax.tree.leaves(arrays_of(data.pool))
    values = sum(
        math.prod(at.shape[1:]) * math.prod(rows.shape[1:])
        for at, rows in zip(indices, pool, strict=True)
    )
    return values * jnp.dtype(dtype).itemsize


def of_each(
    look: Callable[[Example], PyTree],
    batch: Example | Data,
    at_once: int | None,
    dtype: DTypeLike,
    lengths: tuple[int, ...] = (),
) -> PyTree:
    """What `look` gives of every example, so many of them together.

    With `lengths` of buckets, bags are seen no longer than they need be, and what `look` gives of
    each segment is 0 beyond that.
    """
    if isinstance(batch, Data) or lengths:
        data = batch if isinstance(batch, Data) else Data(batch)
        return _each_example(look, data, dtype, at_once, lengths)
    if at_once is None or batch.weight.shape[0] <= at_once:
        return jax.vmap(look)(batch)
    return jax.lax.map(look, batch, batch_size=at_once)


def unfilled(batch: Example | Data, dtype: DTypeLike) -> Example:
    """The examples, whose segments need not be filled in."""
    if not isinstance(batch, Data):
        return batch
    return jax.tree.map(lambda leaf: cast(jnp.asarray(leaf), dtype), batch.examples)
