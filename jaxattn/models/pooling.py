"""Maxima of windows that lie side by side, whose gradient is a selection and no scatter."""

from functools import partial, reduce
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

__all__ = ["max_pool"]


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def max_pool(values: Array, window: tuple[int, ...]) -> Array:
    """`flax.linen.max_pool(values, window, strides=window)`: whole windows only, side by side.

    The gradient of that one is slow on a CPU, and a scatter, which a GPU that is to give the same
    bits again refuses. Here, as in `jnp.max`, equal maxima of a window share it evenly.

    Args:
        values: ``[..., *space, channel]``.
        window: its size along each axis of space.

    Returns:
        ``[..., *space // window, channel]``.
    """
    parts = _by_window(values, window)
    places = product(*map(range, window))
    first = values.ndim - 1 - len(window)

    def at(place: tuple[int, ...]) -> Array:
        of_space = [part for where in place for part in (slice(None), where)]
        return parts[(*[slice(None)] * first, *of_space)]

    # One after the other, as XLA reduces over axes inside an array more slowly.
    return reduce(jnp.maximum, map(at, places))


@max_pool.defjvp
def _max_pool_jvp(
    window: tuple[int, ...], primals: tuple[Array], tangents: tuple[Array]
) -> tuple[Array, Array]:
    (values,), (tangent,) = primals, tangents
    largest = max_pool(values, window)
    first = values.ndim - 1 - len(window)
    inside = tuple(range(first + 1, values.ndim + len(window) - 1, 2))
    is_largest = _by_window(values, window) == jnp.expand_dims(largest, inside)
    # A quotient is of use beside ties: XLA computes it once, and not once more for every place.
    total = jnp.sum(jnp.where(is_largest, _by_window(tangent, window), 0), inside)
    return largest, total / jnp.sum(is_largest, inside, dtype=total.dtype)


def _by_window(values: Array, window: tuple[int, ...]) -> Array:
    """Every axis of space as two: which window, and where in it."""
    first = values.ndim - 1 - len(window)
    lead, channels = values.shape[:first], values.shape[-1]
    counts = [size // by for size, by in zip(values.shape[first:-1], window, strict=True)]
    covered = [count * by for count, by in zip(counts, window, strict=True)]
    whole = lax.slice(values, (0,) * values.ndim, (*lead, *covered, channels))
    split = [size for pair in zip(counts, window, strict=True) for size in pair]
    return whole.reshape(*lead, *split, channels)
