"""When a run is measured: at given steps, or at given times whatever its learning rate.

Beside continuous limits all learning rates must reach the same times, so each run has saves at
steps of its own; how many is traced, and all rates are one program. A tile then holds seeds of one
rate, because it lasts as long as its slowest row.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxattn.core.contracts import Hyper, InputError, Status
from jaxattn.core.kept import kept
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.schedules import ByShare

__all__ = [
    "AtTimes",
    "OwnTimes",
    "Saves",
    "at_steps",
    "clock_of",
    "clocks",
    "last_step",
    "length_of",
    "own_times",
    "refuse_schedule",
    "steps_of",
    "until_last_save",
]

_TIMES = 1 << 22
"""Times on clocks that are held at once."""


class AtTimes(NamedTuple):
    """Saves at the steps that come nearest to these times, were the learning rate constant.

    Runs at several learning rates then reach the same times, in numbers of steps that differ. On a
    schedule (`ByShare`) they are measured after the same shares of the run, and their number of
    steps is that with which all end nearest to the same time.
    """

    times: tuple[float, ...]
    """Increasing from 0, in the unit of the optimiser's clock."""
    most: int
    """At least as many steps as any run has, so that runs at all rates are one program. A run that
    would have more ends there, interrupted."""
    coarsest: float = 0.0
    """What the first step of the run with the fewest steps advances: on a schedule all others end
    at the same time as that one. 0: where the continuous limit ends."""


class OwnTimes(NamedTuple):
    """Saves of a limit that is solved alone, without training beside it; see `own_times`."""

    times: tuple[float, ...]
    """Increasing, from 0 on. The limit starts at 0, whatever the first one is."""


Saves: TypeAlias = tuple[int, ...] | AtTimes
"""Steps, increasing from 0; or times."""


def own_times(times: Any) -> OwnTimes:
    """Saves at times that no training asks for.

    Raises:
        InputError: none of them, or they do not increase, or one is negative or no finite number.
    """
    try:
        given = tuple(float(time) for time in times)
    except (TypeError, ValueError) as error:
        raise InputError(f"times: got {times!r}, expected numbers from 0 on.") from error
    if not given:
        raise InputError("times: got none, expected at least one at which to look at the flow.")
    wrong = [time for time in given if not (isfinite(time) and time >= 0)]
    if wrong:
        raise InputError(f"times: got {wrong[0]:g}, expected finite times from 0 on; drop it.")
    for before, after in pairwise(given):
        if not after > before:
            raise InputError(
                f"times: got {after:g} after {before:g}, expected times that increase; sort them "
                "and keep each one once."
            )
    return OwnTimes(given)


def at_steps(saves: Saves | OwnTimes) -> Saves:
    """The saves of training: those that steps come to.

    Raises:
        InputError: they are times of a limit that is solved alone.
    """
    if isinstance(saves, OwnTimes):
        raise InputError(
            "train: got times of a flow alone, expected steps or times that steps come to; leave "
            "times out, or ask for flows only."
        )
    return saves


def last_step(saves: Saves) -> int:
    """How many steps a run can have."""
    return saves.most if isinstance(saves, AtTimes) else saves[-1]


def steps_of(saves: Saves, optimiser: Optimiser, hyper: Hyper) -> Int[Array, " save"]:
    """The steps at which this run is measured."""
    if not isinstance(saves, AtTimes):
        return jnp.asarray(saves, dtype=jnp.int32)
    return jnp.minimum(_nearest(saves, optimiser, hyper), saves.most).astype(jnp.int32)


def _nearest(saves: AtTimes, optimiser: Optimiser, hyper: Hyper) -> Float[Array, " save"]:
    """The steps nearest to its times, however many they are."""
    advance = hyper["learning_rate"] * optimiser.pace(hyper)
    steps = jnp.asarray(saves.times, advance.dtype) / advance
    excess = optimiser.schedule.excess if isinstance(optimiser.schedule, ByShare) else 0.0
    if excess:
        whole = steps[-1] + (saves.coarsest / advance - 1) * excess
        steps = steps * (whole / steps[-1])
    return jnp.round(steps)


def length_of(saves: Saves, optimiser: Optimiser, hyper: Hyper) -> Float[Array, ""] | int:
    """How many steps this run has: what a schedule takes shares of."""
    if not isinstance(saves, AtTimes):
        return saves[-1]
    return _nearest(saves, optimiser, hyper)[-1]


def until_last_save(
    status: Int[Array, ""], saves: Saves, optimiser: Optimiser, hyper: Hyper
) -> Int[Array, ""]:
    """`status`, but interrupted where `AtTimes.most` ends a run more than a step too early."""
    is_cut_short = length_of(saves, optimiser, hyper) > last_step(saves) + 1
    return jnp.where(is_cut_short & (status == Status.DONE), int(Status.INTERRUPTED), status)


def clock_of(saves: Saves, optimiser: Optimiser, hyper: Hyper) -> Float[Array, " steps_plus_1"]:
    """Time before each step of this run, as far as any run goes."""
    return optimiser.clock(hyper, last_step(saves), length_of(saves, optimiser, hyper))


def refuse_schedule(saves: Saves, optimiser: Optimiser) -> None:
    """Refuse a schedule over steps where runs have numbers of steps that differ.

    Raises:
        InputError: with what to write.
    """
    if isinstance(saves, AtTimes) and not isinstance(optimiser.schedule, ByShare):
        raise InputError(
            "schedule: got one of your own over steps beside runs that reach the same times in "
            "numbers of steps that differ, expected one by the share of the run; write "
            "jaxattn.training.schedules.ByShare(name, lambda step, steps: ...)."
        )


def clocks(
    optimiser: Optimiser, hypers: Mapping[str, Any], saves: Saves
) -> Float[Array, "point save"]:
    """Times at `saves` of runs at these hyperparameters ``[point]``.

    A clock has as many times as a run has steps: a million runs are taken some at a time.
    """
    points = {name: jnp.asarray(values) for name, values in hypers.items()}
    return _clocks(optimiser, saves)(points)


@kept
def _clocks(optimiser: Optimiser, saves: Saves) -> Callable[[Any], Float[Array, "point save"]]:
    def of_one(hyper: Hyper) -> Float[Array, " save"]:
        return clock_of(saves, optimiser, hyper)[steps_of(saves, optimiser, hyper)]

    def of_all(points: dict[str, Array]) -> Float[Array, "point save"]:
        at_once = max(1, _TIMES // (last_step(saves) + 1))
        if len(next(iter(points.values()))) <= at_once:
            return jax.vmap(of_one)(points)
        return jax.lax.map(of_one, points, batch_size=at_once)

    # One program: operation by operation they would be two dozen.
    return jax.jit(of_all)
