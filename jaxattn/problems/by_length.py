"""Bags of unlike lengths, computed no longer than those beside them are.

One compiled body a bucket: which of them is run is decided by the bags. Rows of a sweep share that
choice, also where each has bags of its own: did each choose, all would pay for every body.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Int, PyTree

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import Example

__all__ = ["alike", "as_short", "by_length", "each_as_short", "pieces_by_length"]

PIECES = 32
"""A set is taken in so many pieces of bags of like lengths: fewer are filled up more, and larger
ones leave a CPU's cache; measured (benchmarks/README.md)."""


def alike(
    buckets: Buckets, batch: int, examples: Int[Array, " example"], key: Array
) -> Int[Array, "step batch"]:
    """The minibatches of an epoch, each of bags of one bucket, or of two where one ends.

    Args:
        buckets: of the examples.
        batch: examples of a minibatch; -1 fills up the one that an epoch cannot fill.
        examples: all numbers of an epoch, in an order drawn at random.
        key: minibatches come in an order drawn from it.
    """
    of_each = jnp.asarray(buckets.of_train)[examples]
    sorted_by_bucket = examples[jnp.argsort(of_each, stable=True)]
    steps = -(-examples.size // batch)
    filled = jnp.pad(sorted_by_bucket, (0, steps * batch - examples.size), constant_values=-1)
    return jax.random.permutation(key, filled.reshape(steps, batch))


def by_length(examples: Example) -> Int[Array, " example"]:
    """Numbers of the examples from the shortest to the longest; those that count nothing first."""
    return jnp.argsort(_lengths(examples), stable=True).astype(jnp.int32)


def pieces_by_length(examples: Example, most: int | None) -> Int[Array, "number example"]:
    """Numbers of the examples of `PIECES` pieces or more, each of like lengths.

    Those that fill up the last one are too large.

    Args:
        examples: of a set.
        most: examples of a piece; None: any number.
    """
    count = examples.weight.shape[0]
    piece = -(-count // PIECES)
    piece = piece if most is None else min(piece, most)
    numbers = jnp.arange(-(-count // piece) * piece, dtype=jnp.int32)
    return numbers.at[:count].set(by_length(examples)).reshape(-1, piece)


def as_short(function: Callable[..., Any], lengths: tuple[int, ...]) -> Callable[..., Any]:
    """``function(params, batch, ...)``, given bags no longer than those of their bucket can be.

    Args:
        function: it gives the same for bags without what is masked out at their end.
        lengths: of buckets, increasing; none: bags are left as they are.
    """
    if not lengths:
        return function

    def shortened(params: Any, batch: Example, *more: Any) -> Any:
        def of_length(length: int) -> Any:
            return function(params, _cut(batch, length), *more)

        which = jnp.searchsorted(jnp.asarray(lengths, jnp.int32), _longest(batch))
        return jax.lax.switch(which, [partial(of_length, length) for length in lengths])

    return shortened


def each_as_short(
    look: Callable[[Example], PyTree], batch: Example, lengths: tuple[int, ...]
) -> PyTree:
    """``vmap(look)(batch)``, of bags no longer than they need be; 0 where they are cut."""
    whole = jax.eval_shape(jax.vmap(look), batch)

    def of_short(params: None, batch: Example) -> PyTree:
        del params
        return jax.tree.map(_filled_up, jax.vmap(look)(batch), whole)

    return as_short(of_short, lengths)(None, batch)


def _filled_up(leaf: Array, whole: Any) -> Array:
    """Zeros at the end of each axis that is shorter, which is that of segments."""
    pairs = zip(whole.shape, leaf.shape, strict=True)
    return jnp.pad(leaf, [(0, longest - length) for longest, length in pairs])


def _lengths(batch: Example) -> Int[Array, " example"]:
    """The last place of each bag that is not masked out; 0 of one that counts nothing."""
    real: Bool[Array, "example segment"] = batch.mask & (batch.weight > 0)[:, None]
    places = jnp.arange(1, real.shape[1] + 1, dtype=jnp.int32)
    return jnp.max(jnp.where(real, places, 0), axis=1)


def _longest(batch: Example) -> Int[Array, ""]:
    return _shared(jnp.max(_lengths(batch)))


@custom_vmap
def _shared(longest: Int[Array, ""]) -> Int[Array, ""]:
    """The longest of all rows and sets that are computed together."""
    return longest


@_shared.def_vmap
def _over_rows(
    size: int, is_batched: list[bool], longest: Int[Array, " row"]
) -> tuple[Int[Array, ""], bool]:
    del size, is_batched
    return _shared(jnp.max(longest)), False


def _cut(batch: Example, length: int) -> Example:
    return batch._replace(
        segments=jax.tree.map(lambda leaf: leaf[:, :length], batch.segments),
        mask=batch.mask[:, :length],
        foreground=batch.foreground[..., :length],
    )
