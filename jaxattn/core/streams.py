"""Named streams of randomness, keyed by the value of the seed and never by its position."""

import zlib

import jax
from jaxtyping import Array, Integer

from jaxattn.core.contracts import Keys

__all__ = ["PRNG", "streams"]

PRNG = "threefry2x32"
"""The implementation of every key here: ``jax_default_prng_impl`` has no say in it."""


def _stream(name: str) -> Array:
    # crc32 is fixed by its standard; Python's hash() changes from process to process.
    return jax.random.fold_in(jax.random.key(0, impl=PRNG), zlib.crc32(name.encode()))


def streams(seed: int | Integer[Array, ""]) -> Keys:
    """The keys of one seed: data, init, order, sample.

    Paradigms and hyperparameters share them, so differences between paradigms are paired, and
    adding a seed or a learning rate to a grid changes no other row.

    Args:
        seed: a scalar in [0, 2**32); traced or not.
    """
    return Keys(*(jax.random.fold_in(_stream(name), seed) for name in Keys._fields))
