"""A limit's equation solved over a run, with its noise and its new starts."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
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
    # As one vector: what a solver does with its state is then written, and compiled, once and not
    # for every leaf of the parameters.
    start, state_of = ravel_pytree(equation.start)
    _, params_of = ravel_pytree(equation.read(times[0], equation.start))

    def field(time: Array, state: Array, args: None) -> Array:
        del args
        return _vector(equation.field(time, state_of(state)))

    def read(time: Array, state: Array, args: None) -> Array:
        del args
        return _vector(equation.read(time, state_of(state)))

    if equation.noise is not None:
        noise = equation.noise
        solution = integrate_sde(
            field,
            lambda time, state, args, dw: _vector(noise(time, state_of(state), dw)),
            start,
            times,
            key,
            draws=equation.draws,
            step=context.hyper["learning_rate"],
            jumps=jumps,
            save=read,
            max_steps=how.max_steps,
        )
    else:
        rest = stays(context, units, how.rtol, times[-1])
        solution = integrate(
            field,
            start,
            times,
            jumps=jumps,
            save=read,
            until=_event_of(how.until, context, equation, state_of),
            rest=(lambda time, at, args: rest(time, state_of(at), args)) if how.rests else None,
            rest_cost=2 * DEPTH,
            log_time_unit=how.log_time_unit,
            rtol=how.rtol,
            atol=how.atol,
            units=_vector(jax.tree.map(_broadcast, units, equation.start)),
            solver=how.solver,
            max_steps=how.max_steps,
        )
    return solution._replace(values=jax.vmap(params_of)(solution.values))


def _vector(tree: PyTree) -> Float[Array, " n"]:
    return ravel_pytree(tree)[0]


def _broadcast(unit: Array, leaf: Array) -> Array:
    return jnp.broadcast_to(unit, jnp.shape(leaf))


def _event_of(
    until: Stop | None,
    context: RunContext,
    equation: LimitODE,
    state_of: Callable[[Array], PyTree],
) -> Any:
    """An event of `integrate` from a stop of training."""
    if until is None:
        return None
    return lambda time, at, args: until(context, time, equation.read(time, state_of(at)))


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
