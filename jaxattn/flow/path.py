"""The path of a continuous limit: solved, and not yet measured."""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxattn.core.contracts import (
    Data,
    Hyper,
    InputError,
    Keys,
    Params,
    Path,
    Problem,
    Status,
    Trajectory,
)
from jaxattn.core.kept import kept
from jaxattn.core.part_rates import rate_scale
from jaxattn.core.reasons import Reason
from jaxattn.flow.limits.base import Limit, RunContext
from jaxattn.flow.run_context import (
    changes_in_time,
    checked_limit,
    refuse_state,
    refuse_undeclared_key,
    run_context,
)
from jaxattn.flow.solve import Tolerances, solve
from jaxattn.integrate.solution import checked_tolerance
from jaxattn.probes.record import Keep
from jaxattn.problems.check_problem import checked
from jaxattn.problems.data import everything
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import (
    OwnTimes,
    Saves,
    clock_of,
    refuse_schedule,
    steps_of,
    until_last_save,
)

__all__ = ["WHOLE", "make_flow_end", "make_flow_path"]

WHOLE = Order("fixed", None)
"""The whole learning set at every step."""

# crc32 is fixed by its standard; a number that no step of a run has.
_NOISE = zlib.crc32(b"brownian motion")


@kept
def make_flow_path(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    how: Tolerances,
    *,
    limit: str | Limit = "flow",
    order: Order = WHOLE,
    is_scaled: bool = False,
) -> Callable[..., Path]:
    """The solving of `make_flow` alone: ``path(params, hyper, learn, keys, share=1) -> Path``.

    Args:
        problem: what is learnt, at precision float64.
        optimiser: gives the clock.
        saves: as in `make_flow`.
        how: solver, tolerances and the like.
        limit: one of `LIMITS`, by name or itself.
        order: as in `make_flow`.
        is_scaled: whether the path holds what a step multiplies the gradient by, for probes.

    Raises:
        InputError: as `make_flow`.
    """
    one = checked_limit(limit, problem, optimiser, order)
    _refuse_solving(one, how)
    alone = isinstance(saves, OwnTimes)
    if not isinstance(saves, OwnTimes):
        refuse_schedule(saves, optimiser)
    problem = checked(problem)

    def path(
        params: Params,
        hyper: Hyper,
        learn: Data,
        keys: Keys,
        share: float | Float[Array, ""] = 1.0,
    ) -> Path:
        closely = how._replace(rtol=share * how.rtol, atol=share * how.atol)
        steps, times = _when(saves, optimiser, hyper)
        batch = everything(learn, problem.precision)
        state, context = _begin(problem, optimiser, params, hyper, batch, order)
        if one.batch_orders:
            even = jnp.all(batch.weight == batch.weight[0])
            params = jax.tree.map(lambda leaf: jnp.where(even, leaf, jnp.nan), params)
        key = jax.random.fold_in(keys.sample, _NOISE)
        jumps = problem.discontinuities(hyper)
        if alone and one.rests_with_flow and how.until is None:
            closely = closely._replace(
                rests=not changes_in_time(problem, params, hyper, batch, state)
            )
        with jax.default_matmul_precision("highest"):
            # What is solved alone starts at 0, whatever time it is first looked at.
            solved_at = jnp.insert(times, 0, 0.0) if alone else times
            solution = solve(one, context, params, solved_at, jumps, key, closely)
        values = jax.tree.map(lambda leaf: leaf[int(alone) :], solution.values)
        # What ends at rest is held to the last save.
        known = (times <= solution.time_reached) | (closely.rests & solution.event_occurred)
        ended = _Ended(
            solution.status,
            solution.reason,
            solution.time_reached,
            solution.event_occurred,
            known,
        )
        scale = jax.vmap(lambda at: rate_scale(at, hyper, problem.rated))(values)
        states = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (*times.shape, *leaf.shape)), state
        )
        return Path(
            *(steps.astype(times.dtype), times, values, states, scale if is_scaled else None),
            solution.stats,
            ended,
        )

    return path


@kept
def make_flow_end(
    optimiser: Optimiser, saves: Saves | OwnTimes, keep_params: Keep
) -> Callable[[Path, Hyper, Array], Trajectory]:
    """``end(path, hyper, objective) -> Trajectory`` without measures: how a limit ended."""

    def end(path: Path, hyper: Hyper, objective: Array) -> Trajectory:
        ended: _Ended = path.ended
        kept = path.params if keep_params is True else None
        if keep_params == "last":
            last = jnp.where(ended.event_occurred, jnp.sum(ended.known) - 1, -1)
            kept = jax.tree.map(lambda leaf: leaf[last], path.params)
        status, reason = _status(ended, objective)
        if not isinstance(saves, OwnTimes):
            status = until_last_save(status, saves, optimiser, hyper)
        return Trajectory(
            *(path.step, path.time, {}, status),
            time_reached=ended.time_reached,
            work=path.work,
            params=kept,
            reason=reason,
        )

    return end


class _Ended(NamedTuple):
    """What the solver says of the end of a limit."""

    status: Int[Array, ""]
    reason: Int[Array, ""]
    time_reached: Float[Array, ""]
    event_occurred: Bool[Array, ""]
    known: Bool[Array, " save"]
    """Whether it came to a save."""


def _begin(
    problem: Problem,
    optimiser: Optimiser,
    params: Params,
    hyper: Hyper,
    batch: Any,
    order: Order,
) -> tuple[PyTree, RunContext]:
    """The state of a loss that has none, and the run as limits see it."""
    state = problem.state(params)
    refuse_state(problem, state)
    refuse_undeclared_key(problem, params, hyper, batch, state)
    return state, run_context(problem, optimiser, hyper, batch, state, order)


def _refuse_solving(limit: Limit, how: Tolerances) -> None:
    if not limit.stochastic:
        checked_tolerance(how.rtol, "float64")
    elif how.until is not None or how.log_time_unit is not None:
        raise InputError(
            f"{limit.name}: got an event or log time, expected neither: a path with noise is "
            "solved in even steps to its end; leave out until and log_time_unit."
        )


def _when(
    saves: Saves | OwnTimes, optimiser: Optimiser, hyper: Hyper
) -> tuple[Array, Float[Array, " save"]]:
    """The steps and the times of the saves."""
    if isinstance(saves, OwnTimes):
        times = jnp.asarray(saves.times, jnp.float64)
        return jnp.full_like(times, jnp.nan), times
    steps = steps_of(saves, optimiser, hyper)
    return steps, clock_of(saves, optimiser, hyper)[steps]


def _status(ended: _Ended, objective: Float[Array, " save"]) -> tuple[Array, Array]:
    """The `Status` of a flow, as its solver ended, if its losses are finite until then; why not."""
    valid = jnp.all(jnp.isfinite(objective) | (ended.event_occurred & ~ended.known))
    well = jnp.where(ended.event_occurred, int(Status.CONVERGED), ended.status)
    status = jnp.where(valid, well, int(Status.SOLVER_FAILED)).astype(jnp.int32)
    is_solved = ended.reason == int(Reason.NONE)
    reason = jnp.where(is_solved & ~valid, int(Reason.NOT_FINITE), ended.reason)
    return status, reason.astype(jnp.int8)
