"""Solve an initial value problem from its start to its end.

Failures are values: nothing here raises on what an array holds, and a row that fails leaves the
other rows of a ``vmap`` as they are.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from jaxattn.core.contracts import InputError
from jaxattn.integrate.log_time import LogClock
from jaxattn.integrate.solution import (
    Function,
    Solution,
    all_finite,
    checked_tolerance,
    only_where,
    reason_of,
    status_of,
    value_at,
)
from jaxattn.integrate.units import counted_in, in_units

__all__ = ["integrate"]


def integrate(
    field: Function,
    y0: PyTree,
    times: Float[ArrayLike, " save"],
    args: Any = None,
    *,
    jumps: Float[ArrayLike, " jump"] | None = None,
    save: Function | None = None,
    until: Function | None = None,
    rest: Function | None = None,
    rest_cost: int = 0,
    log_time_unit: Float[ArrayLike, ""] | None = None,
    rtol: float | Array = 1e-8,
    atol: float | Array = 1e-10,
    units: PyTree | None = None,
    solver: Any = "tsit5",
    max_steps: int = 16_384,
) -> Solution:
    """Solve ``y' = field(t, y, args)`` from ``y(times[0]) = y0`` and save at `times`.

    Adaptive Runge-Kutta steps. Saves are read off the dense output of explicit ones, so where one
    saves does not change the steps; implicit steps end at every save. Everything runs in the dtype
    of `y0`. Works under ``jit``, ``jvp`` and ``vmap`` over any of the arrays; a batch runs until
    its slowest row ends.

    Args:
        field: ``field(t, y, args)``, of the structure of `y0`.
        y0: start, a pytree of floats.
        times: when to save, never decreasing; the first one is the start, the last one the end.
        args: handed to `field` and `save`.
        jumps: times at which the field is discontinuous; steps end exactly there and start anew.
            At a jump the field must give its later value, where the run starts at one. Infinite,
            NaN and all others outside ``(times[0], times[-1])`` have no effect.
        save: ``save(t, y, args)``, floats, what to keep of a time; ``y`` itself unless told.
        until: ``until(t, y, args)``, a number of order one; the run ends where it rises through 0,
            found on the dense output by Newton's method, and `time_reached` is that time. One that
            is above 0 at the start has to fall first.
        rest: ``rest(t, y, args)``, whether ``y`` will move by no more than its tolerance any more.
            It is asked whenever the time since the start has doubled and ``y`` has moved by less
            than `rtol` of its size and one unit meanwhile. Where it holds the run ends, and ``y``
            is held to the last time: what is saved of it is there at all later saves. Not together
            with `until`.
        rest_cost: evaluations of the field that one answer of `rest` counts as.
        log_time_unit: solve in log time, ``s = log(1 + (t - times[0]) / log_time_unit)``, for spans
            of many decades: steps are even in t up to about `log_time_unit`, and in its logarithm
            from there. Everything here stays in t. Plain time unless told.
        rtol: error of one step relative to ``y``, root mean square over the entries of `y0`.
        atol: the same, absolute; in the `units`.
        units: what each leaf of ``y`` is counted in, a positive number each, which may be traced;
            powers of two round nothing (`jaxattn.integrate.units.own_units`). 1 unless told.
        solver: a name of `SOLVERS`, or an adaptive diffrax solver.
        max_steps: steps, accepted or not, after which the run gives up.

    Returns:
        The saved values and how the run ended: ``Status.DONE`` where the solver succeeded *and*
        reached ``times[-1]``, or the event, *and* every value saved until then is finite; else
        ``Status.SOLVER_FAILED``, and `reason` says why. NaN or infinity in `y0` or `times`,
        decreasing times, a field that gives NaN and a singularity end early in that way. `stats`
        counts every evaluation of the field; for an implicit solver, at least two a stage and one a
        number of `y0` for the Jacobian of every step, no more of which diffrax tells.

    Raises:
        InputError: no such solver; no save time; `rtol` is a number that the dtype cannot reach.

    Sources:
        P. Bogacki and L. F. Shampine, Appl. Math. Lett. 2 (1989) 321 (bosh3);
        C. Tsitouras, Comput. Math. Appl. 62 (2011) 770 (tsit5); P. J. Prince and J. R. Dormand,
        J. Comput. Appl. Math. 7 (1981) 67 (dopri8); A. Kvaerno, BIT Numer. Math. 44 (2004) 489
        (kvaerno5); P. Kidger, arXiv:2202.02435 (diffrax).
    """
    # diffrax takes 0.25 s to import, and training does without.
    from jaxattn.integrate.adaptive import initial_step_size, run, span_between
    from jaxattn.integrate.solvers import method_of
    from jaxattn.integrate.step_size import pi_control

    method = method_of(solver)
    dtype = jnp.result_type(float, *jax.tree.leaves(y0))
    checked_tolerance(rtol, dtype)
    y0 = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), y0)
    times = jnp.asarray(times, dtype)
    if times.size == 0:
        raise InputError("times is empty: got 0 save times, expected 1 or more.")
    valid = jnp.all(jnp.isfinite(times)) & jnp.all(times[1:] >= times[:-1]) & all_finite(y0)
    clock = None
    if log_time_unit is not None:
        log_time_unit = jnp.asarray(log_time_unit, dtype)
        valid = valid & (log_time_unit > 0) & jnp.isfinite((times[-1] - times[0]) / log_time_unit)
        clock = LogClock(jnp.where(valid, times[0], 0.0), jnp.where(valid, log_time_unit, 1.0))
    # A span of length zero takes no step, so a hopeless row costs the others nothing.
    saves = jnp.where(valid, times, jnp.zeros_like(times))

    if units is not None:
        units = jax.tree.map(lambda unit: jnp.asarray(unit, dtype), units)
        y0, field, save = _counted(units, y0, field, save)
        until, rest = (each and in_units(each, units) for each in (until, rest))
    field = _traced_once(field, args)
    controller = pi_control(rtol, atol)
    span = span_between(field, saves, jumps, save, until, clock, rest, rest_cost)
    done = run(
        span,
        y0,
        initial_step_size(span, y0, args, controller, method),
        args,
        controller,
        method,
        max_steps,
    )
    end = done.end
    if clock is not None:
        end = jnp.where(end == span.end, times[-1], clock.time(end))
    written = valid & done.written
    values = only_where(written, done.values, jnp.nan)
    due = only_where(~done.event_occurred | written, values, 0.0)
    solved = valid & done.reached & all_finite(due)
    return Solution(
        values=values,
        status=status_of(solved),
        time_reached=jnp.where(valid, end, times[0]),
        stats={**done.stats, "gradients": done.stats["gradients"] + 2},  # two chose the first step
        event_occurred=valid & done.event_occurred,
        reason=reason_of(solved, valid & done.used_up, ~valid | done.reached | done.not_finite),
    )


def _traced_once(field: Function, args: Any) -> Function:
    """The same, written out in one program however often it is asked: five times by one solve.

    That of a network takes a tenth of a second, and the program is the same.
    """
    leaves = jax.tree.leaves(args)
    # What is no array may be what a field of one's own decides by.
    arrays = all(isinstance(leaf, jax.Array | np.ndarray) for leaf in leaves)
    return jax.jit(field, inline=True) if arrays else field


def _counted(
    units: PyTree, y0: PyTree, field: Function, save: Function | None
) -> tuple[PyTree, Function, Function]:
    """A problem with its value counted in units; what is saved stays as it is."""
    speed = in_units(field, units)
    return (
        counted_in(units, y0),
        lambda t, y, args: counted_in(units, speed(t, y, args)),
        in_units(value_at if save is None else save, units),
    )
