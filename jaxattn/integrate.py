"""Solve an initial value problem: the one place that knows diffrax.

Failures are values: nothing here raises on what an array holds, and a row that fails leaves the
other rows of a ``vmap`` as they are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PyTree, Shaped

from jaxattn.contracts import InputError, Status
from jaxattn.names import resolve

__all__ = ["SOLVERS", "Solution", "integrate"]

SOLVERS: dict[str, diffrax.AbstractERK] = {
    "bosh3": diffrax.Bosh3(),
    "tsit5": diffrax.Tsit5(),
    "dopri8": diffrax.Dopri8(),
}
"""Explicit adaptive solvers by name: orders 3, 5, 8, and their dense outputs' 3, 4, 7."""

Function = Callable[[Array, Any, Any], PyTree]
"""Of time, value and ``args``."""


class Solution(NamedTuple):
    """A solved initial value problem.

    `values` holds NaN in place of what was not reached. `crossed` says whether the run ended at the
    event it was to run until. `work` counts ``gradients`` (evaluations
    of the field), ``steps`` (accepted) and ``rejected``.
    """

    values: PyTree[Shaped[Array, "save ..."]]
    status: Int[Array, ""]
    time_reached: Float[Array, ""]
    work: dict[str, Int[Array, ""]]
    crossed: Bool[Array, ""]


def _smallest_step(time: Array, span: Array) -> Array:
    eps = jnp.finfo(time.dtype).eps
    return jnp.maximum(16 * eps * jnp.abs(time), eps**2 * span)


def _first_step(
    field: Function, y0: PyTree, times: Array, args: Any, controller: Any, order: int
) -> Array:
    """A first step of about the right size, by two evaluations of the field.

    The rule of Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, II.4, with
    their constants of dimension time replaced by tau = |y| / |y'|, so that the unit of time does
    not matter. diffrax 0.7 means to do the like, but always begins with 0.01.
    """
    start, span = times[0], times[-1] - times[0]

    def size(tree: PyTree) -> Array:
        scaled = jax.tree.map(
            lambda leaf, y: leaf / (controller.atol + controller.rtol * jnp.abs(y)), tree, y0
        )
        return jnp.asarray(controller.norm(scaled), start.dtype)

    def look(carry: tuple[Array, PyTree], _: None) -> tuple[Any, tuple[PyTree, Array]]:
        slope = field(*carry, args)
        position, speed = size(y0), size(slope)
        flat = (position < 1e-5) | (speed * span < 1e-5)
        tau = jnp.where(flat, 1e-4 * span, jnp.minimum(position / speed, span))
        ahead = jax.tree.map(lambda y, dy: (y + 0.01 * tau * dy).astype(y.dtype), y0, slope)
        return (start + 0.01 * tau, ahead), (slope, tau)

    # A scan, so that the field is traced once.
    _, (slopes, taus) = jax.lax.scan(look, (start, y0), length=2)
    speed = size(jax.tree.map(lambda dy: dy[0], slopes)) * taus[0]
    bend = size(jax.tree.map(lambda dy: dy[1] - dy[0], slopes)) * taus[0] / 0.01
    step = taus[0] * jnp.minimum(1.0, (0.01 / jnp.maximum(speed, bend)) ** (1 / order))
    step = jnp.where(step > 0, step, 1e-6 * span)  # the field overflowed, or is NaN
    return jnp.clip(step, _smallest_step(start, span), jnp.maximum(span, 0.0))


class _Watched(diffrax.AbstractAdaptiveStepSizeController):
    """A step size controller that also counts field evaluations and gives up when stuck.

    diffrax itself shrinks a step whose error is NaN until the step limit, however far that is,
    and turns an infinite trial value into a NaN step size.
    """

    controller: diffrax.AbstractAdaptiveStepSizeController
    stages: int
    """Field evaluations of one step, the first stage left out when it is handed on (FSAL)."""
    hands_on: bool

    @property
    def rtol(self) -> Any:
        return self.controller.rtol

    @property
    def atol(self) -> Any:
        return self.controller.atol

    @property
    def norm(self) -> Any:
        return self.controller.norm

    def wrap(self, direction: Any) -> "_Watched":
        return _Watched(self.controller.wrap(direction), self.stages, self.hands_on)

    def init(self, terms: Any, t0: Any, t1: Any, *rest: Any) -> tuple[Any, Any]:
        end, inner = self.controller.init(terms, t0, t1, *rest)
        # Two evaluations chose the first step; the first stage has to be evaluated.
        return end, (inner, jnp.asarray(2, jnp.int32), jnp.asarray(self.hands_on), t1 - t0)

    def adapt_step_size(
        self, start: Any, end: Any, before: Any, after: Any, args: Any, error: Any, order: Any,
        state: Any,
    ) -> tuple[Any, Any, Any, Any, Any, diffrax.RESULTS]:  # fmt: skip
        inner, evaluations, fresh, span = state
        keep, next_start, next_end, jumped, inner, result = self.controller.adapt_step_size(
            start, end, before, after, args, error, order, inner
        )
        next_end = jnp.where(jnp.isnan(next_end), start + 0.1 * (end - start), next_end)
        # Written so that a NaN counts as stuck.
        stuck = ~keep & ~(end - start > _smallest_step(start, span))
        result = diffrax.RESULTS.where(stuck, diffrax.RESULTS.dt_min_reached, result)
        evaluations = evaluations + self.stages + fresh
        fresh = jnp.where(keep, jnp.logical_and(jumped, self.hands_on), fresh)
        return keep, next_start, next_end, jumped, (inner, evaluations, fresh, span), result


def _value(t: Any, y: PyTree, args: Any) -> PyTree:
    del t, args
    return y


def _time(t: Any, y: PyTree, args: Any) -> Any:
    del y, args
    return t


def _event(until: Function) -> diffrax.Event:
    # The last step of Newton's method squares what is left, so the time is far better than this.
    root_finder = optimistix.Newton(rtol=1e-10, atol=1e-10)
    return diffrax.Event(lambda t, y, args, **_: until(t, y, args), root_finder, direction=True)


def _all_finite(tree: PyTree) -> Bool[Array, ""]:
    checks = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(checks)) if checks else jnp.asarray(True)


def _rows_of(mask: Bool[Array, " save"], leaf: Array) -> Array:
    return mask.reshape(mask.shape + (1,) * (leaf.ndim - 1))


def _inside(jumps: Float[Array, " jump"], times: Float[Array, " save"]) -> Float[Array, " jump"]:
    # A first step that ends at a jump at the end would leave the last save unwritten, as the
    # solver hops over the jump by two units in the last place; so would one that close.
    end = times[-1] - 8 * jnp.finfo(times.dtype).eps * jnp.max(jnp.abs(times))
    return jnp.where((jumps > times[0]) & (jumps < end), jumps, jnp.inf)


def integrate(
    field: Function,
    y0: PyTree,
    times: Float[ArrayLike, " save"],
    args: Any = None,
    *,
    jumps: Float[ArrayLike, " jump"] | None = None,
    save: Function | None = None,
    until: Function | None = None,
    rtol: float | Array = 1e-8,
    atol: float | Array = 1e-10,
    solver: Any = "tsit5",
    max_steps: int = 16_384,
) -> Solution:
    """Solve ``y' = field(t, y, args)`` from ``y(times[0]) = y0`` and save at `times`.

    Explicit adaptive Runge-Kutta steps; the saves are read off their dense output, so where one
    saves does not change the steps. Everything runs in the dtype of `y0`. Works under ``jit``,
    ``jvp`` and ``vmap`` over any of the arrays; a batch runs until its slowest row ends.

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
        rtol: error of one step relative to ``y``, root mean square over the entries of `y0`.
        atol: the same, absolute; in the unit of ``y``.
        solver: ``"tsit5"``, ``"dopri8"``, or an adaptive diffrax solver.
        max_steps: steps, accepted or not, after which the run gives up.

    Returns:
        The saved values and how the run ended: ``Status.DONE`` where the solver succeeded *and*
        reached ``times[-1]``, or the event, *and* every value saved until then is finite; else
        ``Status.SOLVER_FAILED``. NaN or infinity in `y0` or `times`, decreasing times, a field that
        gives NaN and a singularity end early in that way.

    Raises:
        InputError: no such solver; no save time.

    Sources:
        P. Bogacki and L. F. Shampine, Appl. Math. Lett. 2 (1989) 321 (bosh3);
        C. Tsitouras, Comput. Math. Appl. 62 (2011) 770 (tsit5); P. J. Prince and J. R. Dormand,
        J. Comput. Appl. Math. 7 (1981) 67 (dopri8); P. Kidger, arXiv:2202.02435 (diffrax).
    """
    method = resolve("solver", SOLVERS, solver)
    tableau = getattr(method, "tableau", None)
    hands_on = bool(getattr(tableau, "fsal", False))
    stages = getattr(tableau, "num_stages", 1) - hands_on

    dtype = jnp.result_type(float, *jax.tree.leaves(y0))
    y0 = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), y0)
    times = jnp.asarray(times, dtype)
    if times.size == 0:
        raise InputError("times is empty: got 0 save times, expected 1 or more.")
    sound = jnp.all(jnp.isfinite(times)) & jnp.all(times[1:] >= times[:-1]) & _all_finite(y0)
    # A span of length zero takes no step, so a hopeless row costs the others nothing.
    asked = jnp.where(sound, times, jnp.zeros_like(times))

    # PI control: on the reduced systems five times smaller errors for 5 % more steps than I alone.
    controller: Any = diffrax.PIDController(rtol=rtol, atol=atol, pcoeff=0.3, icoeff=0.4)
    if jumps is not None and jnp.size(jumps) > 0:
        controller = diffrax.ClipStepSizeController(
            controller, jump_ts=_inside(jnp.asarray(jumps, dtype), asked)
        )
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        method,
        t0=asked[0],
        t1=asked[-1],
        dt0=_first_step(field, y0, asked, args, controller, method.order(diffrax.ODETerm(field))),
        y0=y0,
        args=args,
        saveat=diffrax.SaveAt(
            subs=(
                diffrax.SubSaveAt(ts=asked, fn=_value if save is None else save),
                diffrax.SubSaveAt(t1=True, fn=_time),
            ),
            controller_state=True,
        ),
        stepsize_controller=_Watched(controller, stages, hands_on),
        # Half the tracing of the default, which also prepares reverse mode.
        adjoint=diffrax.ForwardMode(),
        max_steps=max_steps,
        event=None if until is None else _event(until),
        throw=False,
    )
    saved_at, _ = solution.ts
    values, (end,) = solution.ys
    written = sound & jnp.isfinite(saved_at)
    values = jax.tree.map(lambda leaf: jnp.where(_rows_of(written, leaf), leaf, jnp.nan), values)
    crossed = diffrax.is_event(solution.result)
    reached = crossed | (diffrax.is_successful(solution.result) & (end == asked[-1]))
    due = jax.tree.map(
        lambda leaf: jnp.where(_rows_of(crossed & ~written, leaf), 0.0, leaf), values
    )
    done = sound & reached & _all_finite(due)
    _, evaluations, *_ = solution.controller_state
    return Solution(
        values=values,
        status=jnp.where(done, int(Status.DONE), int(Status.SOLVER_FAILED)).astype(jnp.int32),
        time_reached=jnp.where(sound, end, times[0]),
        work={
            "gradients": evaluations,
            "steps": jnp.asarray(solution.stats["num_accepted_steps"], jnp.int32),
            "rejected": jnp.asarray(solution.stats["num_rejected_steps"], jnp.int32),
        },
        crossed=sound & crossed,
    )
