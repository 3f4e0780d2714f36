"""Where in the space of parameters a run is, in few enough numbers to keep at every save.

Distances between training and its limits are taken between these, so the two need not be one
program.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from jaxattn.core.contracts import Hyper, InputError, MeasureSpec, Params
from jaxattn.core.streams import PRNG
from jaxattn.probes.probe import Loss, Probe

__all__ = ["COORDINATES", "WHOLE", "coordinates_of", "position", "project"]

COORDINATES = 512
"""Coordinates that are kept of many parameters."""

WHOLE = 2
"""Parameters up to this multiple of the coordinates asked for are kept as they are."""


def position(count: int = COORDINATES) -> Probe:
    """The probe of where the parameters are: ``position [coordinate]``.

    The flat parameters themselves, up to `WHOLE` times `count` of them; of more, `count`
    coordinates by `project`, the same projection for all runs with that many parameters, so that
    Euclid's distance between any two of them means something.

    Raises:
        InputError: count below 1.
    """
    if count < 1:
        raise InputError(f"position: got {count} coordinates, expected at least 1; 512 is usual.")
    return _position(count)


@lru_cache(maxsize=64)
def _position(count: int) -> Probe:
    def measure(loss: Loss, params: Params, hyper: Hyper, scale: Params) -> dict[str, Array]:
        del loss, hyper, scale
        return {"position": coordinates_of(ravel_pytree(params)[0], count)}

    spec = MeasureSpec("position", ("coordinate",), long_name="parameters, or their projection")
    return Probe("position", measure, (spec,))


def coordinates_of(
    vector: Float[Array, " parameter"], count: int = COORDINATES
) -> Float[Array, " coordinate"]:
    """A vector of the space of parameters, where `position` has it: linear, the same for all."""
    if vector.size <= WHOLE * count:
        return vector
    return project(vector, count, jax.random.key(0, impl=PRNG))


def project(
    vector: Float[Array, " parameter"], count: int, key: Key[Array, ""]
) -> Float[Array, " coordinate"]:
    """A random linear map to `count` coordinates that keeps lengths on average.

    The square length is kept in expectation over keys, with a standard deviation of at most
    ``sqrt(2 / count)`` of it: with 512 coordinates, a distance is right to about 3%. Every
    coordinate is the sum of all entries, each with a random sign, over ``sqrt(count)``; the signs
    are `count` rows, drawn without repetition, of a Hadamard matrix whose columns change sign at
    random (Ailon and Chazelle, STOC 2006; Tropp, Adv. Adapt. Data Anal. 3, 2011). No matrix is
    made: time grows as ``parameters * log(parameters)``.

    Args:
        vector: at least `count` entries.
        count: coordinates.
        key: of the map: equal keys, lengths and counts give the same one.
    """
    length = 1 << (vector.size - 1).bit_length()
    of_signs, of_rows = jax.random.split(key)
    signs = jax.random.rademacher(of_signs, vector.shape, vector.dtype)
    mixed = jnp.pad(signs * vector, (0, length - vector.size))
    half = 1
    while half < length:
        pairs = mixed.reshape(-1, 2, half)
        low, high = pairs[:, 0], pairs[:, 1]
        mixed = jnp.stack([low + high, low - high], axis=1).reshape(-1)
        half *= 2
    rows = jax.random.choice(of_rows, length, (count,), replace=False)
    return mixed[rows] / jnp.sqrt(jnp.asarray(count, vector.dtype))
