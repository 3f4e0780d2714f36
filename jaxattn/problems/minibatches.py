"""Minibatch orders: which examples each training step sees.

One order shared by all seeds is the default: the rows of a tile see the same batch, and their
first layer is one matrix product. Seeds then vary the initial parameters, or, for models that
start from zeros, the data. A comparison may choose otherwise, and its figures say which.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import Batch, Data, Example, InputError
from jaxattn.problems.by_length import alike
from jaxattn.problems.data import cast, everything, size, take

__all__ = ["ORDERS", "Order", "epoch_rows", "make_batches"]

ORDERS = (
    *("fixed", "shuffled", "shuffled-per-seed", "by-length"),
    *("with-replacement", "without-replacement"),
)

# crc32 is fixed by its standard; beside the key that examples are drawn by.
_BATCHES = zlib.crc32(b"batches by length")


@dataclass(frozen=True)
class Order:
    """How minibatches are drawn.

    - ``fixed``: examples in their own order, epoch after epoch;
    - ``shuffled``: a new permutation every epoch, the same for all seeds, so that a minibatch is
      shared by the rows of a sweep; ``shuffled-per-seed``: one of its own for every seed;
    - ``by-length``: as ``shuffled``, but each minibatch of bags of like lengths, `buckets`, which
      are computed no longer than that;
    - ``with-replacement``: independent draws, per seed; ``without-replacement``: every batch a
      fresh draw of distinct examples, per seed;
    - ``fresh``: every batch is made anew, per seed, by `sample`: no set is drawn from.

    ``batch_size`` None takes the whole set at every step, whatever the kind.
    """

    kind: str = "shuffled"
    batch_size: int | None = 256
    sample: Callable[[Array], Any] | None = None
    """``sample(key)``: the values of `batch_size` examples, where batches are ``fresh``."""
    buckets: Buckets | None = None
    """Of the training examples, where they are drawn ``by-length``."""

    def __post_init__(self) -> None:
        """Refuse an unknown kind or an empty batch."""
        if self.kind not in ORDERS and self.sample is None:
            raise InputError(f"order: got {self.kind!r}, expected one of {', '.join(ORDERS)}.")
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"batch size: got {self.batch_size}, expected at least 1.")

    @property
    def shared(self) -> bool:
        """Whether all seeds see the same minibatches."""
        return self.batch_size is None or self.kind in ("fixed", "shuffled", "by-length")

    def examples(self, count: int) -> int:
        """Examples behind one gradient when the set has `count`."""
        if self.batch_size is None:
            return count
        return self.batch_size if self.sample is not None else min(self.batch_size, count)

    def pads(self, count: int) -> bool:
        """Whether the last batch of an epoch of `count` examples is filled up by weight 0."""
        return self.in_epochs and bool(count % self.examples(count))

    @property
    def in_epochs(self) -> bool:
        """Whether minibatches go through the set epoch by epoch: drawn before the first step."""
        in_turn = self.kind in ("fixed", "shuffled", "shuffled-per-seed", "by-length")
        return in_turn and self.batch_size is not None and self.sample is None


def epoch_rows(
    order: Order, count: int, steps: int, key: Array, first: Int[Array, ""] | None = None
) -> Int[Array, "step batch"] | None:
    """Which examples each minibatch takes, from the first one of an epoch on.

    Args:
        order: kind and batch size.
        count: examples of the set.
        steps: of the run, or of the piece of it that is asked for.
        key: the seed's order stream.
        first: the first step of the piece, whose epoch comes first; None: that of the run.

    Returns:
        Numbers of examples; -1 pads the last batch of an epoch. None where a step draws its own.
    """
    if not order.in_epochs:
        return None
    batch = order.examples(count)
    per_epoch = -(-count // batch)
    rows = jnp.arange(count, dtype=jnp.int32)
    # Where the first step is traced it may be the last one of its epoch.
    epochs = -(-steps // per_epoch) if first is None else 1 - (-(steps - 1) // per_epoch)
    before = _epoch_of(first, per_epoch)
    if order.kind == "fixed":
        table = jnp.broadcast_to(rows, (epochs, count))
    else:
        numbers = jnp.arange(epochs, dtype=jnp.uint32) + before.astype(jnp.uint32)
        keys = jax.vmap(lambda epoch: jax.random.fold_in(key, epoch))(numbers)
        table = jax.vmap(lambda k: jax.random.permutation(k, rows))(keys)
        if (buckets := order.buckets) is not None:
            of_batches = jax.vmap(lambda k: jax.random.fold_in(k, _BATCHES))(keys)
            epoch = partial(alike, buckets, batch)
            return jax.vmap(epoch)(table, of_batches).reshape(epochs * per_epoch, batch)
    padding = ((0, 0), (0, per_epoch * batch - count))
    return jnp.pad(table, padding, constant_values=-1).reshape(epochs * per_epoch, batch)


def _epoch_of(first: Int[Array, ""] | None, per_epoch: int) -> Int[Array, ""]:
    return jnp.int32(0) if first is None else first // per_epoch


def _fresh(
    sample: Callable[[Array], Any], batch: int, key: Array, dtype: str
) -> Callable[[Int[Array, ""]], Batch]:
    def batch_at(step: Array) -> Batch:
        values = jax.tree.map(lambda leaf: cast(leaf, dtype), sample(jax.random.fold_in(key, step)))
        return Batch(values, jnp.ones((batch,), dtype))

    return batch_at


def make_batches(
    order: Order,
    data: Data,
    steps: int,
    key: Array,
    dtype: str,
    first: Int[Array, ""] | None = None,
    rows: Int[Array, "step batch"] | None = None,
) -> Callable[[Int[Array, ""]], Example | Batch]:
    """``batch_at(step)``: an `Example` or a `Batch` with a leading axis of the batch size.

    A batch that an epoch cannot fill is padded by examples of weight 0.

    Args:
        order: kind and batch size; a batch larger than the set means the whole set.
        data: what is drawn from.
        steps: steps of the run, or of the piece of it that is asked for.
        key: the seed's order stream; for a shared order the same one for all seeds.
        dtype: what the floats of the examples drawn have.
        first: the first step of the piece; None: that of the run. It saves shuffling the other
            epochs, and changes no batch.
        rows: what `epoch_rows` gave for these, where it is known.
    """
    count = size(data)
    batch = order.examples(count)
    if order.batch_size is None:
        whole = everything(data, dtype)
        return lambda step: whole
    if order.sample is not None:
        return _fresh(order.sample, batch, key, dtype)

    if order.kind == "with-replacement":

        def draw(step: Array) -> Array:
            return jax.random.randint(
                jax.random.fold_in(key, step), (batch,), 0, count, dtype=jnp.int32
            )

    elif order.kind == "without-replacement":
        rows = jnp.arange(count, dtype=jnp.int32)

        def draw(step: Array) -> Array:
            return jax.random.permutation(jax.random.fold_in(key, step), rows)[:batch]

    else:
        table = epoch_rows(order, count, steps, key, first) if rows is None else rows
        assert table is not None
        per_epoch = -(-count // batch)
        before = _epoch_of(first, per_epoch)

        def draw(step: Array) -> Array:
            return table[step - before * per_epoch]

    def batch_at(step: Array) -> Example | Batch:
        rows = draw(step)
        drawn = take(data, jnp.maximum(rows, 0), dtype)
        return drawn._replace(weight=jnp.where(rows < 0, 0, drawn.weight))

    return batch_at
