"""Solve an Ito equation with small noise by steps of a given size."""

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray, PyTree

from jaxattn.core.contracts import InputError
from jaxattn.integrate.solution import (
    Function,
    Solution,
    all_finite,
    only_where,
    reason_of,
    status_of,
    time_at,
    value_at,
)

__all__ = ["integrate_sde"]

Noise = Callable[[Array, Any, Any, Float[Array, " draw"]], PyTree]
"""A function of time, value, ``args`` and, linearly, the Brownian motions' increments."""


class _NoiseTerm(diffrax.AbstractTerm):
    """Noise given by what it makes of an increment, so that no matrix is formed."""

    noise: Noise
    path: diffrax.AbstractBrownianPath

    def vf(self, t: Any, y: PyTree, args: Any) -> Any:
        return t, y, args

    def contr(self, t0: Any, t1: Any, **options: Any) -> Any:
        return self.path.evaluate(t0, t1, **options)

    def prod(self, vf: Any, control: Any) -> PyTree:
        t, y, args = vf
        return self.noise(t, y, args, control)


def _moved(y: PyTree, *steps: tuple[Any, PyTree]) -> PyTree:
    for factor, slope in steps:
        y = jax.tree.map(lambda a, b, by=factor: a + by * b, y, slope)
    return y


class _SmallNoise(diffrax.AbstractItoSolver):
    """The noise of half a step, the classical Runge-Kutta step of the drift, and the other half."""

    term_structure: ClassVar[Any] = diffrax.MultiTerm[
        tuple[diffrax.AbstractTerm, diffrax.AbstractTerm]
    ]
    interpolation_cls: ClassVar[Any] = diffrax.LocalLinearInterpolation

    def order(self, terms: Any) -> int:
        del terms
        return 4

    def strong_order(self, terms: Any) -> float:
        del terms
        return 0.5

    def init(self, terms: Any, t0: Any, t1: Any, y0: PyTree, args: Any) -> None:
        del terms, t0, t1, y0, args

    def func(self, terms: Any, t0: Any, y0: PyTree, args: Any) -> Any:
        return terms.terms[0].vf(t0, y0, args)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: PyTree, args: Any, solver_state: Any, made_jump: Any
    ) -> tuple[PyTree, None, dict[str, PyTree], None, diffrax.RESULTS]:
        del solver_state, made_jump
        drift, noise = terms.terms
        length, middle = t1 - t0, t0 + (t1 - t0) / 2
        # If the equation jumps at the end of the step, this step is still before it.
        before = jnp.nextafter(t1, t0)

        def kicked(y: PyTree, time: Array, start: Array, end: Array) -> PyTree:
            return _moved(y, (1.0, noise.vf_prod(time, y, args, noise.contr(start, end))))

        y = kicked(y0, t0, t0, middle)

        def stage(slope: PyTree, part: Array) -> tuple[PyTree, PyTree]:
            ahead = part * length
            slope = drift.vf(jnp.minimum(t0 + ahead, before), _moved(y, (ahead, slope)), args)
            return slope, slope

        # A scan, so that the drift is traced once.
        nothing = jax.tree.map(jnp.zeros_like, y0)
        parts = jnp.asarray([0.0, 0.5, 0.5, 1.0], length.dtype)
        _, slopes = jax.lax.scan(stage, nothing, parts)
        weights = length * jnp.asarray([1.0, 2.0, 2.0, 1.0], length.dtype) / 6
        mean = jax.tree.map(lambda leaf: jnp.tensordot(weights, leaf, 1), slopes)
        y1 = kicked(_moved(y, (1.0, mean)), before, middle, t1)
        return y1, None, {"y0": y0, "y1": y1}, None, diffrax.RESULTS.successful


class _EvenSteps(diffrax.AbstractStepSizeController):
    """Between two marks, equal steps of at most a given length; a step ends at every mark."""

    dtmax: Float[Array, ""]
    marks: Float[Array, " mark"]

    def wrap(self, direction: Any) -> "_EvenSteps":
        del direction
        return self

    def _next(self, time: Array) -> Array:
        place = jnp.searchsorted(self.marks, time, side="right")
        mark = self.marks[jnp.minimum(place, self.marks.size - 1)]
        # Rounding must not make 11 steps of 10: what is left may be longer by a millionth.
        steps = jnp.ceil((mark - time) / self.dtmax - 1e-6)
        return jnp.where(steps > 1, time + (mark - time) / steps, mark)

    def shortest(self) -> Array:
        """The shortest step; infinite if there is none."""
        gaps = jnp.diff(self.marks)
        steps = gaps / jnp.maximum(jnp.ceil(gaps / self.dtmax - 1e-6), 1.0)
        return jnp.min(jnp.where(steps > 0, steps, jnp.inf), initial=jnp.inf)

    def init(self, terms: Any, t0: Any, t1: Any, *rest: Any) -> tuple[Any, None]:
        del terms, t1, rest
        return self._next(t0), None

    def adapt_step_size(
        self, start: Any, end: Any, before: Any, after: Any, args: Any, error: Any, order: Any,
        state: Any,
    ) -> tuple[Any, Any, Any, Any, None, diffrax.RESULTS]:  # fmt: skip
        del before, args, error, order, state
        keep = all_finite(after)
        stopped = diffrax.RESULTS.where(
            keep, diffrax.RESULTS.successful, diffrax.RESULTS.dt_min_reached
        )
        return keep, jnp.where(keep, end, start), self._next(end), False, None, stopped


def integrate_sde(
    drift: Function,
    noise: Noise,
    y0: PyTree,
    times: Float[ArrayLike, " save"],
    key: PRNGKeyArray,
    args: Any = None,
    *,
    draws: int,
    step: Float[ArrayLike, ""],
    jumps: Float[ArrayLike, " jump"] | None = None,
    save: Function | None = None,
    max_steps: int = 1_000_000,
) -> Solution:
    """Solve the Ito equation ``dy = drift(t, y, args) dt + noise(t, y, args, dW)``.

    Between two saves, or jumps, it takes equal steps of at most `step`, so that every one of them
    is the end of a step. A step is the noise of its first half, the classical Runge-Kutta step of
    the drift, and the noise of its second half: Strang's splitting. With noise of size sqrt(eta)
    its weak error is O(h^4 + eta h^2 + eta^2 h) in the step h. In general it is of weak order 1 (2
    where the noise does not depend on ``y``) and strong order 1/2, and without noise of order 4.

    Everything runs in the dtype of `y0`. Works under ``jit`` and ``vmap`` over any of the arrays,
    the key included; a batch runs until its slowest row ends. The path of the Brownian motion is a
    function of the key, the span, and how often it has to be halved to be a quarter of the shortest
    step: where these are equal, so are the paths.

    Args:
        drift: ``drift(t, y, args)``, of the structure of `y0`.
        noise: ``noise(t, y, args, dw)``, of the structure of `y0`, linear in ``dw [draws]``: the
            increments of independent Brownian motions, of variance dt each.
        y0: start, a pytree of floats.
        times: when to save, never decreasing; the first one is the start, the last one the end.
        key: of the Brownian motions.
        args: handed to `drift`, `noise` and `save`.
        draws: how many Brownian motions there are.
        step: no step is longer; traced.
        jumps: times at which the drift is discontinuous, as in `integrate`.
        save: ``save(t, y, args)``, floats, what to keep of a time; ``y`` itself unless told.
        max_steps: steps after which the run gives up.

    Returns:
        The saved values and how the run ended, as `integrate`: a run ends before the first step
        whose result is not finite. `stats` counts as ``gradients`` four evaluations of the drift
        and two of the noise a step, and the step that ended it as ``rejected``.

    Raises:
        InputError: no save time; `draws` below 1.

    Sources:
        G. Strang, SIAM J. Numer. Anal. 5 (1968) 506 (the splitting); G. N. Milstein and M. V.
        Tretyakov, SIAM J. Sci. Comput. 18 (1997) 1067 (weak errors with small noise);
        A. Jelincic, J. Foster and P. Kidger, arXiv:2405.06464 (the Brownian tree).
    """
    dtype = jnp.result_type(float, *jax.tree.leaves(y0))
    y0 = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), y0)
    times, step = jnp.asarray(times, dtype), jnp.asarray(step, dtype)
    if times.size == 0:
        raise InputError("times is empty: got 0 save times, expected 1 or more.")
    if draws < 1:
        raise InputError(f"draws: got {draws} Brownian motions, expected 1 or more.")
    valid = jnp.all(jnp.isfinite(times)) & jnp.all(times[1:] >= times[:-1]) & all_finite(y0)
    valid = valid & (step > 0)
    # A span of length zero takes no step, so a hopeless row costs the others nothing.
    saves = jnp.where(valid, times, jnp.zeros_like(times))
    step = jnp.where(valid, step, 1.0)
    start, end = saves[0], saves[-1]
    moves = end > start
    marks = saves
    if jumps is not None:
        jumps = jnp.asarray(jumps, dtype)
        marks = jnp.sort(jnp.append(saves, jnp.where((jumps > start) & (jumps < end), jumps, end)))
    steps = _EvenSteps(step, marks)
    # Two halves of a step in one leaf of the tree would not be independent; a tree needs a span.
    path = diffrax.VirtualBrownianTree(
        start,
        jnp.where(moves, end, start + 1.0),
        tol=jnp.where(moves, steps.shortest() / 4, 0.25),
        shape=jax.ShapeDtypeStruct((draws,), dtype),
        key=key,
    )
    solution = diffrax.diffeqsolve(
        diffrax.MultiTerm(diffrax.ODETerm(drift), _NoiseTerm(noise, path)),
        _SmallNoise(),
        t0=start,
        t1=end,
        dt0=None,
        y0=y0,
        args=args,
        saveat=diffrax.SaveAt(
            subs=(
                diffrax.SubSaveAt(ts=saves, fn=value_at if save is None else save),
                diffrax.SubSaveAt(t1=True, fn=time_at),
            )
        ),
        stepsize_controller=steps,
        adjoint=diffrax.ForwardMode(),
        max_steps=max_steps,
        throw=False,
    )
    (saved_at, _), (values, (reached,)) = solution.ts, solution.ys
    written = valid & jnp.isfinite(saved_at)
    values = only_where(written, values, jnp.nan)
    done = valid & diffrax.is_successful(solution.result) & (reached == end) & all_finite(values)
    counts = ("num_accepted_steps", "num_rejected_steps")
    taken, rejected = (jnp.asarray(solution.stats[name], jnp.int32) for name in counts)
    return Solution(
        values=values,
        status=status_of(done),
        time_reached=jnp.where(valid, reached, times[0]),
        stats={"gradients": 6 * (taken + rejected), "steps": taken, "rejected": rejected},
        event_occurred=jnp.asarray(False),
        reason=_reason(valid, done, solution.result),
    )


def _reason(valid: Array, done: Array, result: diffrax.RESULTS) -> Array:
    used_up = valid & (result == diffrax.RESULTS.max_steps_reached)
    return reason_of(done, used_up, not_finite=~used_up)
