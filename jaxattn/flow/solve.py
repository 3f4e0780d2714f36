"""A limit's equation solved over a run, with its noise and its new starts."""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Params, Status
from jaxattn.flow.events import Stop
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.flow.rest import DEPTH, stays
from jaxattn.flow.units import of_new_start, of_state
from jaxattn.integrate import Solution, integrate, integrate_sde

__all__ = ["Tolerances", "solve"]


class Tolerances(NamedTuple):
    """How a solver is asked to work; see `integrate`. Tolerances may be traced.

    Each leaf of a state is counted in a unit of its own, that of its start (`flow.units`), in
    which `atol` is meant: so no scale of parameters is assumed, nor one of time.
    """

    solver: Any
    rtol: float | Float[Array, ""]
    atol: float | Float[Array, ""]
    max_steps: int
    log_time_unit: float | None = None
    until: Stop | None = None
    rests: bool = False
    """Whether a solution that has come to rest may end there and be held; see `flow.rest`."""


def solve(
    limit: Limit,
    context: RunContext,
    params: Params,
    times: Float[Array, " save"],
    jumps: Float[Array, " jump"],
    key: Array,
    how: Tolerances,
) -> Solution:
    """The limit's parameters at `times`.

    Args:
        limit: the one to solve.
        context: of the run.
        params: where it starts.
        times: of the saves.
        jumps: when the loss jumps.
        key: of the noise, where there is some.
        how: tolerances.
    """
    equation = limit.equation(context, params, times[0])
    units = of_state(equation.start, params)
    if not (limit.restarts and jumps.size):
        return _solve(equation, units, context, times, jumps, key, how)
    # A limit that starts anew at every jump, from the parameters that it has reached.
    inner = jnp.clip(jnp.sort(jnp.where(jnp.isnan(jumps), jnp.inf, jumps)), times[0], times[-1])
    edges = [times[0], *inner, times[-1]]
    whole: Solution | None = None
    for number, (start, end) in enumerate(pairwise(edges)):
        if number < inner.size:
            # The field is that before the jump, also in the last stage of the last step.
            end = jnp.maximum(start, end - 4 * jnp.finfo(end.dtype).eps * jnp.abs(end))
        # Piece by piece all saves, those before and after it at its ends.
        saves = jnp.concatenate([jnp.clip(times, start, end), end[None]]).at[0].set(start)
        own = jax.random.fold_in(key, number)
        if number:
            equation = limit.equation(context, params, start)
            units = of_new_start(units, equation.start, params)
        piece = _solve(equation, units, context, saves, jumps[:0], own, how)
        params = jax.tree.map(lambda leaf: leaf[-1], piece.values)
        piece = piece._replace(values=jax.tree.map(lambda leaf: leaf[:-1], piece.values))
        whole = piece if whole is None else _joined(whole, piece, times >= start)
    assert whole is not None
    return whole


def _solve(
    equation: LimitODE,
    units: PyTree,
    context: RunContext,
    times: Float[Array, " save"],
    jumps: Float[Array, " jump"],
    key: Array,
    how: Tolerances,
) -> Solution:
    if equation.noise is not None:
        noise = equation.noise
        return integrate_sde(
            lambda time, state, args: equation.field(time, state),
            lambda time, state, args, dw: noise(time, state, dw),
            equation.start,
            times,
            key,
            draws=equation.draws,
            step=context.hyper["learning_rate"],
            jumps=jumps,
            save=lambda time, state, args: equation.read(time, state),
            max_steps=how.max_steps,
        )
    return integrate(
        lambda time, state, args: equation.field(time, state),
        equation.start,
        times,
        jumps=jumps,
        save=lambda time, state, args: equation.read(time, state),
        until=_event_of(how.until, context, equation),
        rest=stays(context, units, how.rtol, times[-1]) if how.rests else None,
        rest_cost=2 * DEPTH,
        log_time_unit=how.log_time_unit,
        rtol=how.rtol,
        atol=how.atol,
        units=units,
        solver=how.solver,
        max_steps=how.max_steps,
    )


def _event_of(until: Stop | None, context: RunContext, equation: LimitODE) -> Any:
    """An event of `integrate` from a stop of training."""
    if until is None:
        return None
    return lambda time, state, args: until(context, time, equation.read(time, state))


def _joined(before: Solution, after: Solution, later: Array) -> Solution:
    def take(old: Array, new: Array) -> Array:
        return jnp.where(later.reshape(later.shape + (1,) * (old.ndim - 1)), new, old)

    whole = (before.status == Status.DONE) & ~before.event_occurred
    return Solution(
        values=jax.tree.map(take, before.values, after.values),
        status=jnp.where(whole, after.status, before.status),
        time_reached=jnp.where(whole, after.time_reached, before.time_reached),
        stats=jax.tree.map(jnp.add, before.stats, after.stats),
        event_occurred=before.event_occurred | (whole & after.event_occurred),
        reason=jnp.where(whole, after.reason, before.reason),
    )
