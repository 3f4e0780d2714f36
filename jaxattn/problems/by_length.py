"""Minibatches of bags of like lengths, computed no longer than their longest bag.

One compiled body a bucket: which of them a step takes is decided by its bags. Rows of a sweep that
share their minibatches share that choice; where they did not, each would pay for all bodies.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxattn.core.buckets import Buckets
from jaxattn.core.contracts import Example

__all__ = ["alike", "as_short"]


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


def as_short(function: Callable[..., Any], buckets: Buckets | None) -> Callable[..., Any]:
    """``function(params, batch, ...)``, given bags no longer than those of their bucket can be.

    Args:
        function: it gives the same for bags without what is masked out at their end.
        buckets: None: bags are left as they are.
    """
    if buckets is None:
        return function
    lengths = buckets.lengths

    def shortened(params: Any, batch: Example, *more: Any) -> Any:
        def of_length(length: int) -> Any:
            return function(params, _cut(batch, length), *more)

        real = batch.mask & (batch.weight > 0)[:, None]
        places = jnp.arange(1, real.shape[1] + 1, dtype=jnp.int32)
        longest = jnp.max(jnp.where(real, places, 0))
        which = jnp.searchsorted(jnp.asarray(lengths, jnp.int32), longest)
        return jax.lax.switch(which, [partial(of_length, length) for length in lengths])

    return shortened


def _cut(batch: Example, length: int) -> Example:
    return batch._replace(
        segments=jax.tree.map(lambda leaf: leaf[:, :length], batch.segments),
        mask=batch.mask[:, :length],
        foreground=batch.foreground[..., :length],
    )
