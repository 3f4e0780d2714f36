"""One run of an adaptive solver, from a start to an end: where diffrax is called."""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxattn.integrate.log_time import LogClock, by_the_clock
from jaxattn.integrate.rest import Rest
from jaxattn.integrate.solution import Function, only_where, time_at, value_at
from jaxattn.integrate.solvers import Method
from jaxattn.integrate.step_size import first_step, watched
from jaxattn.integrate.unchecked import unchecked

__all__ = ["Run", "Span", "initial_step_size", "run", "span_between"]


class Span(NamedTuple):
    """What is solved between two times, in the variable that the solver steps in.

    That is t, or the reading of the clock where there is one. `saves` go from its start to its end.
    """

    field: Function
    save: Function
    until: Function | None
    rest: Rest | None
    saves: Float[Array, " save"]
    jumps: Float[Array, " jump"] | None
    """Strictly between the first save and the last, or infinite."""

    @property
    def start(self) -> Float[Array, ""]:
        """The first save."""
        return self.saves[0]

    @property
    def end(self) -> Float[Array, ""]:
        """The last save."""
        return self.saves[-1]


class Run(NamedTuple):
    """How it went. `values` holds NaN where `written` does not.

    Of a run that ended at rest, it holds what is saved of the value there, at all later saves.
    """

    values: PyTree
    written: Bool[Array, " save"]
    end: Float[Array, ""]
    event_occurred: Bool[Array, ""]
    reached: Bool[Array, ""]
    used_up: Bool[Array, ""]
    """Whether it took all the steps that it might."""
    not_finite: Bool[Array, ""]
    """Whether the result of the last step that was tried is not finite."""
    stats: dict[str, Int[Array, ""]]


def _event(until: Function) -> diffrax.Event:
    # The last step of Newton's method squares what is left, so the time is far better than this.
    root_finder = optimistix.Newton(rtol=1e-10, atol=1e-10)
    return diffrax.Event(lambda t, y, args, **_: until(t, y, args), root_finder, direction=True)


def _inside(
    jumps: Float[Array, " jump"], start: Float[Array, ""], end: Float[Array, ""]
) -> Float[Array, " jump"]:
    """The jumps strictly between two times, and infinity in place of the others."""
    # A first step that ends at a jump at the end would leave the last save unwritten, as the
    # solver hops over the jump by two units in the last place; so would one that close.
    size = jnp.maximum(jnp.abs(start), jnp.abs(end))
    end = end - 8 * jnp.finfo(end.dtype).eps * size
    return jnp.where((jumps > start) & (jumps < end), jumps, jnp.inf)


def span_between(
    field: Function,
    times: Float[Array, " save"],
    jumps: Any,
    save: Function | None,
    until: Function | None,
    clock: LogClock | None,
    rest: Function | None = None,
    rest_cost: int = 0,
) -> Span:
    """The span of the times t, never decreasing; a clock is read at them, and at the jumps."""
    save = value_at if save is None else save
    jumps = None if jumps is None or jnp.size(jumps) == 0 else jnp.asarray(jumps, times.dtype)
    if clock is None:
        jumps = None if jumps is None else _inside(jumps, times[0], times[-1])
        resting = Rest(rest, lambda time: time - times[0], rest_cost) if rest else None
        return Span(field, save, until, resting, times, jumps)
    saves, readings = clock.at(times), None
    if jumps is not None:
        readings = _inside(clock.at(jumps), saves[0], saves[-1])
        jumps = jnp.where(jnp.isfinite(readings), jumps, jnp.inf)

    def told(function: Function) -> Function:
        return by_the_clock(function, clock, jumps, times[-1])

    timed = told(field)

    def paced(reading: Array, y: PyTree, args: Any) -> PyTree:
        pace = clock.pace(reading)
        return jax.tree.map(lambda speed: pace * speed, timed(reading, y, args))

    until = None if until is None else told(until)
    elapsed = clock._replace(origin=jnp.zeros_like(clock.origin)).time
    resting = Rest(told(rest), elapsed, rest_cost) if rest else None
    return Span(paced, told(save), until, resting, saves, readings)


def initial_step_size(span: Span, y0: PyTree, args: Any, controller: Any, method: Method) -> Array:
    """The first step of a run, for two evaluations of the field."""
    order = method.solver.order(diffrax.ODETerm(span.field))
    return first_step(span.field, y0, span.start, span.end, args, controller, order)


def run(
    span: Span,
    y0: PyTree,
    step: Float[Array, ""],
    args: Any,
    controller: Any,
    method: Method,
    max_steps: int,
) -> Run:
    """Solve over a span from a first step."""
    # The dense output of an implicit solver is a cubic through slopes that stiffness makes wrong,
    # so that its steps end at the saves instead.
    marks = span.saves if method.implicit else None
    if span.jumps is not None or marks is not None:
        controller = diffrax.ClipStepSizeController(controller, marks, span.jumps)
    subs = (
        diffrax.SubSaveAt(ts=span.saves, fn=span.save),
        diffrax.SubSaveAt(t1=True, fn=time_at),
        *((diffrax.SubSaveAt(t1=True),) if span.rest else ()),
    )
    size = sum(leaf.size for leaf in jax.tree.leaves(y0))
    controller = watched(controller, method.cost(size), method.fsal, span.rest)

    def solve() -> Run:
        return _run(
            span,
            diffrax.diffeqsolve(
                diffrax.ODETerm(span.field),
                method.solver,
                t0=span.start,
                t1=span.end,
                dt0=step,
                y0=y0,
                args=args,
                saveat=diffrax.SaveAt(subs=subs, controller_state=True),
                stepsize_controller=controller,
                # Half the tracing of the default, which also prepares reverse mode.
                adjoint=diffrax.ForwardMode(),
                max_steps=max_steps,
                event=None if span.until is None else _event(span.until),
                throw=False,
            ),
            args,
        )

    return unchecked(solve)


def _run(span: Span, solution: diffrax.Solution, args: Any) -> Run:
    saved_at, (end,), *_ = solution.ts
    values, _, *held = solution.ys
    written = jnp.isfinite(saved_at)
    event_occurred = diffrax.is_event(solution.result)
    _, ended, *_ = solution.controller_state
    values = only_where(written, values, jnp.nan)
    if held:
        values = _held(span, written | ~event_occurred, values, held[0], args)
        written = written | event_occurred
    return Run(
        values=values,
        written=written,
        end=end,
        event_occurred=event_occurred,
        reached=event_occurred | (diffrax.is_successful(solution.result) & (end == span.end)),
        used_up=solution.result == diffrax.RESULTS.max_steps_reached,
        not_finite=ended.not_finite,
        stats={
            "gradients": ended.evaluations,
            "steps": jnp.asarray(solution.stats["num_accepted_steps"], jnp.int32),
            "rejected": jnp.asarray(solution.stats["num_rejected_steps"], jnp.int32),
        },
    )


def _held(
    span: Span, written: Bool[Array, " save"], values: PyTree, last: PyTree, args: Any
) -> PyTree:
    """`values` where they are `written`, and what is saved of the `last` one elsewhere."""
    last = jax.tree.map(lambda leaf: leaf[0], last)
    later = jax.lax.map(lambda time: span.save(time, last, args), span.saves)

    def either(value: Array, held: Array) -> Array:
        return jnp.where(written.reshape(written.shape + (1,) * (value.ndim - 1)), value, held)

    return jax.tree.map(either, values, later)
