"""When the reduced system first has so much attention, or skill, found while it is solved."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxattn import theory
from jaxattn.core.contracts import Status
from jaxattn.core.precision import needs_x64
from jaxattn.integrate import integrate
from jaxattn.reduced.path import Scalar, checked_row
from jaxattn.reduced.solve import asked_for, flow_of
from jaxattn.theory.checks import checked_times

__all__ = ["Passage", "time_to_fit", "time_to_focus"]


class Passage(NamedTuple):
    """When a level was passed, and the work it took.

    `time` is 0 where the level is that of the start or below it, and NaN where it is not passed up
    to the horizon: then the status is done, as the run is whole, or says that the solver failed.
    """

    time: Float[Array, ""]
    status: Int[Array, ""]
    work: dict[str, Int[Array, ""]]


@partial(jax.jit, static_argnames=("solver", "max_steps"))
def _passage(
    codes: Array,
    which: Array,
    mark: Array,
    t_end: Array,
    start: Array,
    segments: Array,
    classes: Array,
    switch_time: Array,
    rtol: Array,
    atol: Array,
    solver: Any,
    max_steps: int,
) -> Passage:
    origin = jnp.zeros_like(t_end)
    flow = flow_of(codes, origin, start, (segments, classes), switch_time)

    def field(time: Array, state: Array, args: tuple[Any, ...]) -> Array:
        return flow.field(time, state, args[0])

    def passed(time: Array, state: Array, args: tuple[Any, ...]) -> Array:
        _, which, mark = args
        return state[which] - mark

    sound = ~(jnp.isnan(switch_time) | jnp.isnan(mark))
    solution = integrate(
        field,
        jnp.where(sound, start, jnp.nan),
        jnp.stack([origin, t_end]),
        (flow.args, which, mark),
        jumps=switch_time[None],
        until=passed,
        unit=flow.unit,
        rtol=rtol,
        atol=atol,
        solver=solver,
        max_steps=max_steps,
    )
    time = jnp.where(solution.crossed, solution.time_reached, jnp.nan)
    done = solution.status == int(Status.DONE)
    time = jnp.where(done & (start[which] >= mark), 0.0, jnp.where(done, time, jnp.nan))
    return Passage(time, solution.status, solution.work)


def time_to_focus(
    paradigm: str,
    level: Scalar,
    t_end: Scalar,
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None = None,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
    rtol: Scalar = 1e-11,
    atol: Scalar = 1e-20,
    solver: Any = "dopri8",
    max_steps: int = 16_384,
) -> Passage:
    """When attention on the foreground, alpha, first passes `level`: an event of the solver.

    The time since the start (mu0, nu0), for gradient flow. `jaxattn.theory.time_to_focus` is the
    same without a solver. Works under ``jit``, under ``vmap`` over every number, and in forward
    mode.

    Args:
        paradigm: as in `solve_reduced`.
        level: alpha, in [0, 1 - 1e-15].
        t_end: the horizon, in [0, 1e15].
        segments: m.
        classes: C.
        switch_time: when a hybrid goes over, in [0, t_end]; others ignore it.
        mu0: start.
        nu0: start.
        rtol: relative error of one step.
        atol: absolute error of one step.
        solver: as in `jaxattn.integrate.integrate`; the event is read off its dense output, whose
            order is higher for dopri8.
        max_steps: steps after which the run gives up.

    Raises:
        InputError: as `solve_reduced`, or a level or horizon outside its domain; where it is
            traced, that row fails instead.
    """
    mark = theory.focus_mark(level, segments)
    given = (segments, classes, switch_time, mu0, nu0, rtol, atol)
    return _asked(paradigm, 1, mark, t_end, *given, solver, max_steps)


def time_to_fit(
    paradigm: str,
    level: Scalar,
    t_end: Scalar,
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None = None,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
    rtol: Scalar = 1e-11,
    atol: Scalar = 1e-20,
    solver: Any = "dopri8",
    max_steps: int = 16_384,
) -> Passage:
    """When the probability of the right class, beta, first passes `level`.

    As `time_to_focus`, with beta in place of alpha.

    Args:
        paradigm: as in `solve_reduced`.
        level: beta, in [0, 1 - 1e-15].
        t_end: the horizon.
        segments: m.
        classes: C.
        switch_time: when a hybrid goes over.
        mu0: start.
        nu0: start.
        rtol: relative error of one step.
        atol: absolute error of one step.
        solver: as in `jaxattn.integrate.integrate`.
        max_steps: steps after which the run gives up.

    Raises:
        InputError: as `time_to_focus`.
    """
    mark = theory.fit_mark(level, classes)
    given = (segments, classes, switch_time, mu0, nu0, rtol, atol)
    return _asked(paradigm, 0, mark, t_end, *given, solver, max_steps)


def _asked(
    paradigm: str,
    which: int,
    mark: Array,
    t_end: Scalar,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None,
    mu0: Scalar,
    nu0: Scalar,
    rtol: Scalar,
    atol: Scalar,
    solver: Any,
    max_steps: int,
) -> Passage:
    needs_x64("theory")
    size, start = checked_row(segments, classes, mu0, nu0)
    end = checked_times(t_end)
    codes, switch = asked_for(paradigm, switch_time, end)
    numbers = (jnp.asarray(number, jnp.float64) for number in (rtol, atol))
    return _passage(
        codes, jnp.asarray(which), mark, end, start, *size, switch, *numbers, solver, max_steps
    )
