"""Gradient flow: the continuous limit of training, on the same time axis and in the same form."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxattn.contracts import Hyper, InputError, Keys, Params, Problem, Splits, Status, Trajectory
from jaxattn.data import everything
from jaxattn.descent import Optimiser
from jaxattn.integrate import integrate
from jaxattn.probe import Keep, make_probe

__all__ = ["make_flow"]


@lru_cache(maxsize=256)
def make_flow(
    problem: Problem,
    optimiser: Optimiser,
    saves: tuple[int, ...],
    keep_params: Keep = False,
    solver: Any = "tsit5",
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 100_000,
) -> Callable[[Params, Hyper, Splits, Keys], Trajectory]:
    """Gradient flow ``theta' = -grad L(theta)`` as ``flow(params, hyper, data, keys)``.

    It takes the arguments of `make_train` and gives the same `Trajectory`, measured at the times
    that training reaches at steps `saves`; the loss is that of the whole learning set. The step
    size is clipped at the discontinuities of the loss, so a hybrid switches exactly.

    Args:
        problem: what is learnt, at precision float64.
        optimiser: gives the clock (and the focus rate, which multiplies the focus part's flow).
        saves: steps of the training beside it, increasing from 0.
        keep_params: whether the trajectory holds the parameters at every save; ``"last"``: those
            at the end alone, without an axis of saves.
        solver: an explicit adaptive solver of `integrate`, by name or itself.
        rtol: relative tolerance of one step.
        atol: absolute tolerance of one step.
        max_steps: steps after which a row counts as failed.

    Raises:
        InputError: the problem is not float64.
    """
    if problem.precision != "float64":
        raise InputError(f"a flow needs a float64 problem: got {problem.precision!r}.")
    probe = make_probe(problem, keep_params)

    def flow(params: Params, hyper: Hyper, data: Splits, keys: Keys) -> Trajectory:
        steps = jnp.asarray(saves, dtype=jnp.int32)
        times = optimiser.clock(hyper, saves[-1])[steps]
        batch = everything(data.learn, problem.precision)
        evaluate = {
            name: everything(split, problem.precision) for name, split in data.evaluate.items()
        }
        state = problem.state(params)

        def field(time: Array, params: Params, args: Any) -> Params:
            batch, hyper, key = args
            gradient, _ = jax.grad(problem.loss, has_aux=True)(
                params, batch, hyper, time, key, state
            )
            speed = {"focus": -hyper["focus_rate"]} if "focus_rate" in hyper else {}
            if not speed:
                return jax.tree.map(jnp.negative, gradient)
            return {
                part: jax.tree.map(lambda leaf, part=part: speed.get(part, -1.0) * leaf, leaves)
                for part, leaves in gradient.items()
            }

        with jax.default_matmul_precision("highest"):
            solution = integrate(
                field,
                params,
                times,
                (batch, hyper, keys.sample),
                jumps=problem.discontinuities(hyper),
                rtol=rtol,
                atol=atol,
                solver=solver,
                max_steps=max_steps,
            )
            measures, kept = jax.lax.map(
                lambda save: probe(save[0], hyper, evaluate, save[1], keys.sample, state),
                (solution.values, times),
            )
        if keep_params == "last":
            kept = jax.tree.map(lambda leaf: leaf[-1], solution.values)
        sound = jnp.all(jnp.isfinite(measures["objective"]))
        failed = jnp.asarray(Status.SOLVER_FAILED, solution.status.dtype)
        return Trajectory(
            step=steps.astype(times.dtype),
            time=times,
            measures=measures,
            status=jnp.where(sound, solution.status, failed).astype(jnp.int32),
            time_reached=solution.time_reached,
            work=solution.work,
            params=kept,
        )

    return flow
