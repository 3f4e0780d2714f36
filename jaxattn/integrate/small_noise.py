"""One run of even steps of an Ito equation with small noise: where diffrax is called."""

from typing import Any, ClassVar

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxattn.integrate.adaptive import Run
from jaxattn.integrate.solution import Function, Noise, all_finite, time_at
from jaxattn.integrate.unchecked import unchecked

__all__ = ["run"]


class _NoiseTerm(diffrax.AbstractTerm):
    """Noise given by what it makes of an increment, so that no matrix is formed."""

    noise: Noise
    path: diffrax.AbstractBrownianPath

    def vf(self, t: Any, y: PyTree, args: Any) -> Any:
        return t, y, args

    def contr(self, t0: Any, t1: Any, **options: Any) -> Any:
        return unchecked(lambda: self.path.evaluate(t0, t1, **options))

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


def run(
    drift: Function,
    noise: Noise,
    y0: PyTree,
    saves: Float[Array, " save"],
    marks: Float[Array, " mark"],
    step: Float[Array, ""],
    key: PRNGKeyArray,
    draws: int,
    args: Any,
    save: Function,
    max_steps: int,
) -> Run:
    """Solve from the first save to the last, in steps of at most `step` that end at every mark."""
    start, end = saves[0], saves[-1]
    moves = end > start
    steps = _EvenSteps(step, marks)
    # Two halves of a step in one leaf of the tree would not be independent; a tree needs a span.
    path = unchecked(
        lambda: diffrax.VirtualBrownianTree(
            start,
            jnp.where(moves, end, start + 1.0),
            tol=jnp.where(moves, steps.shortest() / 4, 0.25),
            shape=jax.ShapeDtypeStruct((draws,), step.dtype),
            key=key,
        )
    )

    def solve() -> Run:
        return _run(
            diffrax.diffeqsolve(
                diffrax.MultiTerm(diffrax.ODETerm(drift), _NoiseTerm(noise, path)),
                _SmallNoise(),
                t0=start,
                t1=end,
                dt0=None,
                y0=y0,
                args=args,
                saveat=diffrax.SaveAt(
                    subs=(
                        diffrax.SubSaveAt(ts=saves, fn=save),
                        diffrax.SubSaveAt(t1=True, fn=time_at),
                    )
                ),
                stepsize_controller=steps,
                adjoint=diffrax.ForwardMode(),
                max_steps=max_steps,
                throw=False,
            ),
            end,
        )

    return unchecked(solve)


def _run(solution: diffrax.Solution, end: Float[Array, ""]) -> Run:
    (saved_at, _), (values, (reached,)) = solution.ts, solution.ys
    used_up = solution.result == diffrax.RESULTS.max_steps_reached
    counts = ("num_accepted_steps", "num_rejected_steps")
    taken, rejected = (jnp.asarray(solution.stats[name], jnp.int32) for name in counts)
    return Run(
        values=values,
        written=jnp.isfinite(saved_at),
        end=reached,
        event_occurred=jnp.asarray(False),
        reached=diffrax.is_successful(solution.result) & (reached == end),
        used_up=used_up,
        not_finite=~used_up,
        stats={"gradients": 6 * (taken + rejected), "steps": taken, "rejected": rejected},
    )
