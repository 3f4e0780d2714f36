"""Where a chunk's arrays are: what all its tiles share, and what a tile has of its own."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, PyTree

from jaxattn.core.contracts import Data, Splits
from jaxattn.problems.data import each_leaf

__all__ = ["Put", "axes_of", "each_part", "pick", "pick_data", "share"]

Put = Callable[[Any, jax.Device], Array]
"""``put(leaf, device)``: an array that is there."""


def axes_of(data: Splits, vary_data: bool) -> Splits:
    """The axes of `data` to vmap over: those of examples that vary with the row."""
    varied: Any = 0 if vary_data else None
    return each_part(data, lambda part: Data(varied, None, varied))


def pick(tree: PyTree, at: Any, device: jax.Device) -> PyTree:
    """What every leaf has at index `at`, put on `device`."""
    return jax.device_put(jax.tree.map(lambda leaf: leaf[at], tree), device)


def pick_data(shared: Splits, at: Any, device: jax.Device, vary_data: bool) -> Splits:
    """The data of one tile, out of what `share` gave."""
    if not vary_data:
        return shared

    def of_part(part: Data) -> Data:
        picked: Data = pick(part._replace(pool=None), at, device)
        return picked._replace(pool=part.pool)

    return each_part(shared, of_part)


def share(data: Splits, device: jax.Device, vary_data: bool, put: Put = jax.device_put) -> Splits:
    """What all tiles share, put on `device`; examples that vary with the row wait for theirs."""
    there: dict[int, Array] = {}

    def once(leaf: Any) -> Array:
        # Splits share their pool: one copy of it.
        if id(leaf) not in there:
            there[id(leaf)] = put(leaf, device)
        return there[id(leaf)]

    def of_part(part: Data) -> Data:
        part = part if vary_data else each_leaf(once, part)
        return part._replace(pool=jax.tree.map(once, part.pool))

    return each_part(data, of_part)


def each_part(data: Splits, function: Callable[[Data], Data]) -> Splits:
    """`function` of what is learnt from, and of every split that is measured."""
    return Splits(
        function(data.learn), {name: function(part) for name, part in data.evaluate.items()}
    )
