"""A solve cut at fixed times: what one piece hands to the next is all that a resumed one needs."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree

from jaxattn.core.contracts import Status
from jaxattn.integrate.adaptive import begun, run, span_between
from jaxattn.integrate.log_time import LogClock
from jaxattn.integrate.solution import (
    Function,
    Solution,
    all_finite,
    checked_tolerance,
    only_where,
    status_of,
)
from jaxattn.integrate.solvers import method_of
from jaxattn.integrate.step_size import pi_control

__all__ = ["Carry", "begin", "piece"]


class Carry(NamedTuple):
    """Where a solve stands: a pytree of arrays, to be stored and given to the next `piece`.

    `step` is what the controller would take next, in the variable that the solver steps in: an
    edge that cuts a step does not shorten those after it. `clock` is that of log time, None in
    plain time. `work` and `status` are those of all pieces so far.
    """

    y: PyTree
    time: Float[Array, ""]
    step: Float[Array, ""]
    clock: LogClock | None
    status: Int[Array, ""]
    crossed: Bool[Array, ""]
    work: dict[str, Int[Array, ""]]


def begin(
    field: Function,
    y0: PyTree,
    start: Float[ArrayLike, ""],
    end: Float[ArrayLike, ""],
    args: Any = None,
    *,
    unit: Float[ArrayLike, ""] | None = None,
    rtol: float | Array = 1e-8,
    atol: float | Array = 1e-10,
    solver: Any = "tsit5",
) -> Carry:
    """The carry of a solve from `start` that is to go on to `end`; nothing is solved yet.

    Arguments as in `integrate`; with `unit`, all pieces are solved in log time. A row whose start,
    end or unit is not sound has failed, and its pieces do nothing.

    Raises:
        InputError: no such solver; `rtol` is a number that the dtype cannot reach.
    """
    method = method_of(solver)
    dtype = jnp.result_type(float, *jax.tree.leaves(y0))
    checked_tolerance(rtol, dtype)
    y0 = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), y0)
    start, end = jnp.asarray(start, dtype), jnp.asarray(end, dtype)
    sound = jnp.isfinite(start) & jnp.isfinite(end) & (end >= start) & all_finite(y0)
    clock = None
    if unit is not None:
        unit = jnp.asarray(unit, dtype)
        sound = sound & (unit > 0) & jnp.isfinite((end - start) / unit)
        clock = LogClock(jnp.where(sound, start, 0.0), jnp.where(sound, unit, 1.0))
    first, final = jnp.where(sound, start, 0.0), jnp.where(sound, end, 0.0)
    span = span_between(field, first, final, None, None, None, clock)
    zero = jnp.zeros((), jnp.int32)
    return Carry(
        y=y0,
        time=first,
        step=begun(span, y0, args, pi_control(rtol, atol), method),
        clock=clock,
        status=status_of(sound),
        crossed=jnp.asarray(False),
        work={"gradients": zero + 2, "steps": zero, "rejected": zero},
    )


def piece(
    field: Function,
    carry: Carry,
    times: Float[ArrayLike, " save"],
    end: Float[ArrayLike, ""],
    args: Any = None,
    *,
    jumps: Float[ArrayLike, " jump"] | None = None,
    save: Function | None = None,
    until: Function | None = None,
    longest: Float[ArrayLike, ""] | None = None,
    rtol: float | Array = 1e-8,
    atol: float | Array = 1e-10,
    solver: Any = "tsit5",
    max_steps: int = 16_384,
) -> tuple[Carry, Solution]:
    """Solve on from where `carry` stands to `end`, the next edge.

    The last step ends at the edge, so that a solve depends on where its edges are, within its
    tolerance, and on nothing else: pieces solved one after another by one compiled program give
    the same bits whether they were interrupted between two of them or not. A piece begins with
    one evaluation of the field that an uncut solve would not need (two in the first one).

    A row that has failed, or has met its event, or is past `end`, does nothing. Arguments as in
    `integrate`; `longest`, `rtol` and the field itself may change from piece to piece, and
    `max_steps` is of one piece.

    Args:
        field: ``field(t, y, args)``, of the structure of `y0`.
        carry: what `begin` or the piece before gave.
        times: when to save, never decreasing; those outside ``[carry.time, end]`` are another
            piece's, and NaN here.
        end: where the piece ends.
        args: handed to `field` and `save`.
        jumps: as in `integrate`; one at `end` belongs to the next piece, which begins after it.
        save: as in `integrate`.
        until: as in `integrate`.
        longest: as in `integrate`.
        rtol: as in `integrate`.
        atol: as in `integrate`.
        solver: as in `integrate`.
        max_steps: as in `integrate`.

    Returns:
        What to give to the next piece; and the values of this one, beside the status, the time
        reached, the work and the event of all so far.

    Raises:
        InputError: no such solver; `rtol` is a number that the dtype cannot reach.
    """
    method = method_of(solver)
    dtype = carry.time.dtype
    checked_tolerance(rtol, dtype)
    times, end = jnp.asarray(times, dtype), jnp.asarray(end, dtype)
    sound = (
        jnp.isfinite(end)
        & jnp.all(jnp.isfinite(times))
        & jnp.all(times[1:] >= times[:-1])
        & (carry.status == int(Status.DONE))
    )
    if longest is not None:
        longest = jnp.asarray(longest, dtype)
        sound = sound & (longest > 0)
    goes_on = sound & ~carry.crossed & (end > carry.time)
    edge = jnp.where(goes_on, end, carry.time)
    stop = edge if jumps is None else _before_jumps(jnp.asarray(jumps, dtype), carry.time, edge)
    own = goes_on & (times >= carry.time) & (times <= edge)
    saves = jnp.clip(jnp.where(sound, times, carry.time), carry.time, stop)

    span = span_between(field, carry.time, stop, jumps, save, until, carry.clock)
    if carry.clock is not None:
        saves = jnp.clip(carry.clock.at(saves), span.start, span.end)
    done = run(
        span,
        carry.y,
        saves,
        jnp.where(goes_on, carry.step, 0.0),
        args,
        pi_control(rtol, atol),
        method,
        longest,
        max_steps,
        keeps_end=True,
    )
    written = own & done.written
    values = only_where(written, done.values, jnp.nan)
    # Not due are what another piece saves, and what lies beyond the event.
    due = only_where(written | (own & ~done.crossed), values, 0.0)
    time = done.end if carry.clock is None else carry.clock.time(done.end)
    crossed = carry.crossed | (goes_on & done.crossed)
    after = Carry(
        y=jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), done.last, carry.y),
        time=jnp.where(~goes_on | (done.end == span.end), edge, time),
        step=jnp.where(goes_on, done.step, carry.step),
        clock=carry.clock,
        status=status_of(sound & (~goes_on | (done.reached & all_finite(due)))),
        crossed=crossed,
        work={name: count + done.work[name] for name, count in carry.work.items()},
    )
    return after, Solution(values, after.status, after.time, after.work, crossed)


def _before_jumps(
    jumps: Float[Array, " jump"], start: Float[Array, ""], end: Float[Array, ""]
) -> Float[Array, ""]:
    """The end of a piece, or the last time before a jump there."""
    close = end - 8 * jnp.finfo(end.dtype).eps * jnp.maximum(jnp.abs(start), jnp.abs(end))
    near = jnp.where((jumps >= close) & (jumps <= end), jumps, jnp.inf)
    first = jnp.min(near, initial=jnp.inf)
    before = jnp.nextafter(first, start)
    return jnp.where(jnp.isfinite(first) & (before > start), before, end)
