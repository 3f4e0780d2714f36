"""A continuous limit solved: as a pure function, on the time axis of training, in the same form.

A flow gets its times from the optimiser's clock: `make_train` and `make_flow` take the same
arguments and give the same `Trajectory`, so that plots and tests can swap them. In a comparison
each learning rate has a horizon of its own, and rows that differ only in the rate solve the same
flow to different times: that is the cost of a rate more or less changing no other row, bit for
bit. Beside training at given times (`AtTimes`) one flow serves all rates where their clocks agree,
as the flow knows no rate.
"""

import zlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import (
    Hyper,
    InputError,
    Keys,
    Params,
    Problem,
    Splits,
    Status,
    Trajectory,
)
from jaxattn.core.kept import kept
from jaxattn.core.part_rates import rate_scale
from jaxattn.core.reasons import Reason
from jaxattn.flow.events import Stop
from jaxattn.flow.limits.base import Limit, RunContext
from jaxattn.flow.run_context import (
    changes_in_time,
    checked_limit,
    refuse_state,
    refuse_undeclared_key,
    run_context,
)
from jaxattn.flow.solve import Tolerances, solve
from jaxattn.integrate import Solution
from jaxattn.integrate.solution import checked_tolerance
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, make_probe
from jaxattn.problems.check_problem import checked, checked_probe
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

__all__ = ["make_flow"]

_WHOLE = Order("fixed", None)
"""The whole learning set at every step."""

# crc32 is fixed by its standard; a number that no step of a run has.
_NOISE = zlib.crc32(b"brownian motion")


@kept
def make_flow(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    keep_params: Keep = False,
    solver: Any = "tsit5",
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 100_000,
    *,
    limit: str | Limit = "flow",
    order: Order = _WHOLE,
    probes: tuple[Probe, ...] = (),
    until: Stop | None = None,
    log_time_unit: float | None = None,
) -> Callable[..., Trajectory]:
    """A continuous limit of training as ``flow(params, hyper, data, keys, share=1)``.

    It takes the arguments of `make_train` and gives the same `Trajectory`, measured at the times
    that training reaches at its saves; the loss is that of the whole learning set. Steps end at
    the discontinuities of the loss, so a hybrid switches exactly, and a limit with a state of its
    own (a velocity, moments) starts anew there, as the optimiser does. `share` multiplies both
    tolerances and may be traced: how far a solution at a tenth is from that at the whole is about
    the error of the latter.

    Args:
        problem: what is learnt, at precision float64.
        optimiser: gives the clock (and the focus rate, which multiplies the focus part's flow).
        saves: those of the training beside it: steps, increasing from 0, or `AtTimes`. Or
            `OwnTimes`, which no training asks for: the limit starts at 0, ``step`` is NaN, and one
            that `Limit.rests_with_flow` may end early where it is at rest (`jaxattn.flow.rest`),
            unless its loss depends on time: it then has the status ``CONVERGED``, its time there in
            ``time_reached``, and its parameters are held, so that all measures are valid.
        keep_params: whether the trajectory holds the parameters at every save; ``"last"``: those
            at the end alone, without an axis of saves.
        solver: a solver of `integrate`, by name or itself.
        rtol: relative tolerance of one step.
        atol: absolute tolerance of one step, in the unit of each leaf: the power of two next to the
            root mean square of its start, so that no scale is assumed (`jaxattn.flow.units`).
        max_steps: steps after which a row counts as failed.
        limit: one of `LIMITS`, by name or itself.
        order: how the training beside it draws its minibatches; read by limits that know noise.
            In those all examples count alike: a row whose weights differ fails.
        probes: what else to measure at every save, of the training loss itself.
        until: where the flow may end before its time, such as `stationary`: it then has the status
            ``CONVERGED``, and measures are NaN from there on.
        log_time_unit: solve in log time, from a start of about this length; see `integrate`.

    A limit with noise has a path of its own for every ``keys.sample``. It takes a step for each one
    of training, whatever `solver` and tolerances: with noise of size sqrt(eta) the weak error of
    `integrate_sde` at h = eta is O(eta^3), beside the eta^2 of the limit itself.

    Raises:
        InputError: the problem is not float64, or its loss is random; the optimiser has no such
            limit, or not with minibatches in this order; an event or log time with noise; `rtol`
            is below the reach of float64. When it is traced: a loss with a state, or one that
            draws and does not say so.
    """
    one = checked_limit(limit, problem, optimiser, order)
    _refuse_solving(one, rtol, until, log_time_unit)
    alone = isinstance(saves, OwnTimes)
    if not isinstance(saves, OwnTimes):
        refuse_schedule(saves, optimiser)
    problem = checked(problem)
    probe = make_probe(problem, keep_params, tuple(map(checked_probe, probes)))

    def flow(
        params: Params,
        hyper: Hyper,
        data: Splits,
        keys: Keys,
        share: float | Float[Array, ""] = 1.0,
    ) -> Trajectory:
        how = Tolerances(solver, share * rtol, share * atol, max_steps, log_time_unit, until)
        steps, times = _when(saves, optimiser, hyper)
        batch = everything(data.learn, problem.precision)
        evaluate = {
            name: everything(split, problem.precision) for name, split in data.evaluate.items()
        }
        state, context = _begin(problem, optimiser, params, hyper, batch, order)
        if one.batch_orders:
            even = jnp.all(batch.weight == batch.weight[0])
            params = jax.tree.map(lambda leaf: jnp.where(even, leaf, jnp.nan), params)
        key = jax.random.fold_in(keys.sample, _NOISE)
        jumps = problem.discontinuities(hyper)
        if alone and one.rests_with_flow and until is None:
            how = how._replace(rests=not changes_in_time(problem, params, hyper, batch, state))
        with jax.default_matmul_precision("highest"):
            # What is solved alone starts at 0, whatever time it is first looked at.
            solved_at = jnp.insert(times, 0, 0.0) if alone else times
            solution = solve(one, context, params, solved_at, jumps, key, how)
            values = jax.tree.map(lambda leaf: leaf[int(alone) :], solution.values)
            measures, kept = jax.lax.map(
                lambda save: probe(
                    *(save[0], hyper, evaluate, save[1], keys.sample, state),
                    rate_scale(save[0], hyper, problem.rated),
                ),
                (values, times),
            )
        # What ends at rest is held to the last save.
        known = (times <= solution.time_reached) | (how.rests & solution.event_occurred)
        if keep_params == "last":
            last = jnp.where(solution.event_occurred, jnp.sum(known) - 1, -1)
            kept = jax.tree.map(lambda leaf: leaf[last], values)
        status, reason = _ended(solution, measures["objective"], known)
        if not isinstance(saves, OwnTimes):
            status = until_last_save(status, saves, optimiser, hyper)
        return Trajectory(
            *(steps.astype(times.dtype), times, measures, status),
            time_reached=solution.time_reached,
            work=solution.stats,
            params=kept,
            reason=reason,
        )

    return flow


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


def _refuse_solving(
    limit: Limit, rtol: float, until: Stop | None, log_time_unit: float | None
) -> None:
    if not limit.stochastic:
        checked_tolerance(rtol, "float64")
    elif until is not None or log_time_unit is not None:
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


def _ended(solution: Solution, objective: Array, known: Array) -> tuple[Array, Array]:
    """The `Status` of a flow, as its solver ended, if its losses are finite until then; why not."""
    valid = jnp.all(jnp.isfinite(objective) | (solution.event_occurred & ~known))
    well = jnp.where(solution.event_occurred, int(Status.CONVERGED), solution.status)
    status = jnp.where(valid, well, int(Status.SOLVER_FAILED)).astype(jnp.int32)
    is_solved = solution.reason == int(Reason.NONE)
    reason = jnp.where(is_solved & ~valid, int(Reason.NOT_FINITE), solution.reason)
    return status, reason.astype(jnp.int8)
