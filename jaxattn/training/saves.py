"""When a run is measured: at given steps, or at given times whatever its learning rate.

Beside continuous limits all learning rates must reach the same times, so each run has saves at
steps of its own; how many is traced, and all rates are one program. A tile then holds seeds of one
rate, because it lasts as long as its slowest row.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxattn.core.contracts import Hyper
from jaxattn.training.optimisers import Optimiser

__all__ = ["AtTimes", "Saves", "clocks", "last_step", "steps_of"]

_TIMES = 1 << 22
"""Times on clocks that are held at once."""


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


def clocks(
    optimiser: Optimiser, hypers: Mapping[str, Any], saves: Saves
) -> Float[Array, "point save"]:
    """Times at `saves` of runs at these hyperparameters ``[point]``.

    A clock has as many times as a run has steps: a million runs are taken some at a time.
    """

    def of_one(hyper: Hyper) -> Float[Array, " save"]:
        return optimiser.clock(hyper, last_step(saves))[steps_of(saves, optimiser, hyper)]

    points = {name: jnp.asarray(values) for name, values in hypers.items()}
    at_once = max(1, _TIMES // (last_step(saves) + 1))
    if len(next(iter(points.values()))) <= at_once:
        return jax.vmap(of_one)(points)
    return jax.lax.map(of_one, points, batch_size=at_once)
