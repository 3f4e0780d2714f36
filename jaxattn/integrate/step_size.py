"""How long a step is: the first one, the next one, and when to give up."""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxattn.integrate.rest import Rest
from jaxattn.integrate.solution import Function, all_finite

__all__ = ["Ended", "first_step", "pi_control", "watched"]


class Ended(NamedTuple):
    """What the final state of a `watched` controller tells of a run."""

    evaluations: Int[Array, ""]
    not_finite: Bool[Array, ""]
    """Whether the result of the last step that was tried is not finite."""


def _smallest_step(time: Array, span: Array) -> Array:
    eps = jnp.finfo(time.dtype).eps
    return jnp.maximum(16 * eps * jnp.abs(time), eps**2 * span)


def first_step(
    field: Function,
    y0: PyTree,
    start: Float[Array, ""],
    end: Float[Array, ""],
    args: Any,
    controller: Any,
    order: int,
) -> Float[Array, ""]:
    """A first step of about the right size, by two evaluations of the field.

    The rule of Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, II.4, with
    their constants of dimension time replaced by tau = |y| / |y'|, so that the unit of time does
    not matter. diffrax 0.7 means to do the like, but always begins with 0.01.
    """
    span = end - start

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

    It ends a run that is at rest, too, where that is asked for. diffrax itself shrinks a step
    whose error is NaN until the step limit, however far that is, and turns an infinite trial value
    into a NaN step size.
    """

    controller: diffrax.AbstractAdaptiveStepSizeController
    cost: int
    """Field evaluations of one step, the first stage left out when it is handed on (FSAL)."""
    fsal: bool
    rest: Rest | None

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
        return _Watched(self.controller.wrap(direction), self.cost, self.fsal, self.rest)

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, *more: Any) -> tuple[Any, Any]:
        end, inner = self.controller.init(terms, t0, t1, y0, *more)
        # The first stage has to be evaluated.
        fresh = jnp.asarray(self.fsal)
        memory = None if self.rest is None else self.rest.begin(y0, t0)
        ended = Ended(jnp.asarray(0, jnp.int32), jnp.asarray(False))
        return end, (inner, ended, fresh, t1 - t0, memory)

    def adapt_step_size(
        self, start: Any, end: Any, before: Any, after: Any, args: Any, error: Any, order: Any,
        state: Any,
    ) -> tuple[Any, Any, Any, Any, Any, diffrax.RESULTS]:  # fmt: skip
        inner, ended, fresh, span, memory = state
        keep, next_start, next_end, jumped, inner, result = self.controller.adapt_step_size(
            start, end, before, after, args, error, order, inner
        )
        next_end = jnp.where(jnp.isnan(next_end), start + 0.1 * (end - start), next_end)
        # Written so that a NaN counts as stuck.
        stuck = ~keep & ~(end - start > _smallest_step(start, span))
        result = diffrax.RESULTS.where(stuck, diffrax.RESULTS.dt_min_reached, result)
        evaluations = ended.evaluations + self.cost + fresh
        fresh = jnp.where(keep, jnp.logical_and(jumped, self.fsal), fresh)
        if self.rest is not None:
            looks = memory.looks
            rests, memory = self.rest.look(end, after, args, keep, self.controller, memory)
            result = diffrax.RESULTS.where(rests, diffrax.RESULTS.event_occurred, result)
            evaluations = evaluations + self.rest.cost * (memory.looks - looks)
        # Asked of a step that none comes after: in all of them it would change how XLA rounds.
        not_finite = jax.lax.cond(stuck, lambda: ~all_finite(after), lambda: jnp.asarray(False))
        state = inner, Ended(evaluations, not_finite), fresh, span, memory
        return keep, next_start, next_end, jumped, state, result


def pi_control(rtol: Any, atol: Any) -> diffrax.PIDController:
    """The controller of every adaptive run."""
    # PI control: on the reduced systems five times smaller errors for 5 % more steps than I alone.
    return diffrax.PIDController(rtol=rtol, atol=atol, pcoeff=0.3, icoeff=0.4)


def watched(
    controller: Any, cost: int, fsal: bool, rest: Rest | None = None
) -> diffrax.AbstractAdaptiveStepSizeController:
    """A controller that also counts field evaluations, and gives up when stuck.

    With `rest` it ends a run that is at rest, as an event. What it tells is in `Ended`, the second
    entry of its final state.
    """
    return _Watched(controller, cost, fsal, rest)
