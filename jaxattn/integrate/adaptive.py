"""One run of an adaptive solver, from a start to an end: where diffrax is called."""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxattn.integrate.log_time import LogClock, by_the_clock
from jaxattn.integrate.solution import Function, only_where, time_at, value_at
from jaxattn.integrate.solvers import Method
from jaxattn.integrate.step_size import first_step, watched

__all__ = ["Run", "Span", "begun", "run", "span_between"]


class Span(NamedTuple):
    """What is solved between two times, in the variable that the solver steps in.

    That is t, or the reading of the clock where there is one.
    """

    field: Function
    save: Function
    until: Function | None
    start: Float[Array, ""]
    end: Float[Array, ""]
    jumps: Float[Array, " jump"] | None
    """Strictly between the two, or infinite."""


class Run(NamedTuple):
    """How it went. `values` holds NaN where `written` does not."""

    values: PyTree
    written: Bool[Array, " save"]
    end: Float[Array, ""]
    crossed: Bool[Array, ""]
    reached: Bool[Array, ""]
    work: dict[str, Int[Array, ""]]


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
    start: Float[Array, ""],
    end: Float[Array, ""],
    jumps: Any,
    save: Function | None,
    until: Function | None,
    clock: LogClock | None,
) -> Span:
    """The span between two times t; a clock is read at both, and at the jumps."""
    save = value_at if save is None else save
    jumps = None if jumps is None or jnp.size(jumps) == 0 else jnp.asarray(jumps, end.dtype)
    if clock is None:
        jumps = None if jumps is None else _inside(jumps, start, end)
        return Span(field, save, until, start, end, jumps)
    readings = None
    if jumps is not None:
        readings = _inside(clock.at(jumps), clock.at(start), clock.at(end))
        jumps = jnp.where(jnp.isfinite(readings), jumps, jnp.inf)

    def told(function: Function) -> Function:
        return by_the_clock(function, clock, start, end, jumps)

    timed = told(field)

    def paced(reading: Array, y: PyTree, args: Any) -> PyTree:
        pace = clock.pace(reading)
        return jax.tree.map(lambda speed: pace * speed, timed(reading, y, args))

    until = None if until is None else told(until)
    return Span(paced, told(save), until, clock.at(start), clock.at(end), readings)


def begun(span: Span, y0: PyTree, args: Any, controller: Any, method: Method) -> Array:
    """The first step of a run, for two evaluations of the field."""
    order = method.solver.order(diffrax.ODETerm(span.field))
    return first_step(span.field, y0, span.start, span.end, args, controller, order)


def run(
    span: Span,
    y0: PyTree,
    saves: Float[Array, " save"],
    step: Float[Array, ""],
    args: Any,
    controller: Any,
    method: Method,
    max_steps: int,
) -> Run:
    """Solve over a span from a first step, and keep `saves`, never decreasing and within it."""
    # The dense output of an implicit solver is a cubic through slopes that stiffness makes wrong,
    # so that its steps end at the saves instead.
    marks = saves if method.implicit else None
    if span.jumps is not None or marks is not None:
        controller = diffrax.ClipStepSizeController(controller, marks, span.jumps)
    kept = [diffrax.SubSaveAt(ts=saves, fn=span.save), diffrax.SubSaveAt(t1=True, fn=time_at)]
    size = sum(leaf.size for leaf in jax.tree.leaves(y0))
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(span.field),
        method.solver,
        t0=span.start,
        t1=span.end,
        dt0=step,
        y0=y0,
        args=args,
        saveat=diffrax.SaveAt(subs=kept, controller_state=True),
        stepsize_controller=watched(controller, method.cost(size), method.hands_on),
        # Half the tracing of the default, which also prepares reverse mode.
        adjoint=diffrax.ForwardMode(),
        max_steps=max_steps,
        event=None if span.until is None else _event(span.until),
        throw=False,
    )
    saved_at, (end,) = solution.ts
    values, _ = solution.ys
    written = jnp.isfinite(saved_at)
    crossed = diffrax.is_event(solution.result)
    _, evaluations, *_ = solution.controller_state
    return Run(
        values=only_where(written, values, jnp.nan),
        written=written,
        end=end,
        crossed=crossed,
        reached=crossed | (diffrax.is_successful(solution.result) & (end == span.end)),
        work={
            "gradients": evaluations,
            "steps": jnp.asarray(solution.stats["num_accepted_steps"], jnp.int32),
            "rejected": jnp.asarray(solution.stats["num_rejected_steps"], jnp.int32),
        },
    )
