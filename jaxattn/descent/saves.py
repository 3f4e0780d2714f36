"""When a run is measured: at given steps, or at given times whatever its learning rate."""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxattn.contracts import Hyper
from jaxattn.descent.optimisers import Optimiser

__all__ = ["AtTimes", "Saves", "last_step", "steps_of"]


class AtTimes(NamedTuple):
    """Saves at the steps that come nearest to these times, at a constant learning rate.

    Runs at several learning rates then reach the same times, in numbers of steps that differ.
    """

    times: tuple[float, ...]
    """Increasing from 0, in the unit of the optimiser's clock."""
    most: int
    """At least as many steps as any run has, so that runs at all rates are one program."""


Saves: TypeAlias = tuple[int, ...] | AtTimes
"""Steps, increasing from 0; or times."""


def last_step(saves: Saves) -> int:
    """How many steps a run can have."""
    return saves.most if isinstance(saves, AtTimes) else saves[-1]


def steps_of(saves: Saves, optimiser: Optimiser, hyper: Hyper) -> Int[Array, " save"]:
    """The steps at which this run is measured."""
    if not isinstance(saves, AtTimes):
        return jnp.asarray(saves, dtype=jnp.int32)
    advance = hyper["learning_rate"] * optimiser.pace(hyper)
    nearest = jnp.round(jnp.asarray(saves.times, advance.dtype) / advance)
    return jnp.minimum(nearest, saves.most).astype(jnp.int32)
