"""A mixture of soft and hard attention whose shares change with time, as a schedule says."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree, Real

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.core.precision import needs_x64
from jaxattn.integrate import integrate
from jaxattn.reduced.path import ReducedPath, Scalar, checked_row, log_time_unit, made_path
from jaxattn.theory.checks import checked_times

__all__ = ["solve_mixture"]

Share = Callable[[Array, Any], Scalar]


def _checked_share(share: Share, time: Array, args: PyTree) -> Array:
    """The share of soft attention; NaN where it is none, so that the run fails there."""
    part = jnp.asarray(share(time, args), jnp.float64)
    if part.shape != ():
        raise InputError(
            f"bad share: got an array of shape {part.shape} at one time, expected one number."
        )
    return jnp.where((part >= 0.0) & (part <= 1.0), part, jnp.nan)


@partial(jax.jit, static_argnames=("share", "solver", "max_steps"))
def _solve(
    share: Share,
    args: PyTree,
    times: Array,
    start: Array,
    segments: Array,
    classes: Array,
    jumps: Array,
    rtol: Array,
    atol: Array,
    solver: Any,
    max_steps: int,
) -> ReducedPath:
    def mixed(time: Array, soft: Array, hard: Array, args: PyTree) -> Array:
        part = _checked_share(share, time, args)
        return part * soft + (1.0 - part) * hard

    def velocity(time: Array, state: Array, size: tuple[Array, Array], args: PyTree) -> Array:
        soft, hard = (
            jnp.stack(theory.FIELDS[name](state[0], state[1], size[0], size[1]))
            for name in ("soft", "hard")
        )
        return mixed(time, soft, hard, args)

    size = (segments, classes)

    def field(time: Array, state: Array, given: tuple[Any, ...]) -> Array:
        return velocity(time, state, *given)

    solution = integrate(
        field,
        start,
        times,
        (size, args),
        jumps=jumps,
        log_time_unit=log_time_unit(velocity(times[0], start, size, args)),
        rtol=rtol,
        atol=atol,
        solver=solver,
        max_steps=max_steps,
    )
    mu, nu = solution.values.T
    soft, hard = (theory.LOSSES[name](mu, nu, segments, classes) for name in ("soft", "hard"))
    loss = jax.vmap(mixed, in_axes=(0, 0, 0, None))(times, soft, hard, args)
    return made_path(times, (mu, nu), size, loss, jnp.full((), jnp.nan), solution)


def solve_mixture(
    share: Share,
    times: Real[ArrayLike, " save"],
    *,
    segments: Scalar,
    classes: Scalar,
    args: PyTree = None,
    jumps: Float[ArrayLike, " jump"] | None = None,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
    rtol: Scalar = 1e-11,
    atol: Scalar = 1e-20,
    solver: Any = "tsit5",
    max_steps: int = 16_384,
) -> ReducedPath:
    """The path under ``lambda(t) L_soft + (1 - lambda(t)) L_hard``, from (mu0, nu0).

    Gradient flow is linear in the loss, so its field is the same mixture of the two fields. A
    share of 1 is soft attention, of 0 hard attention, and one that falls from 1 to 0 a hybrid.
    Works under ``jit``, under ``vmap`` over every number, and can be differentiated in forward
    mode (``jax.jvp``, ``jax.jacfwd``) by `args`, jumps, sizes and start.

    Args:
        share: lambda, as ``share(time, args)``: a traceable function to one number in [0, 1].
            Another function object is another compilation: let what varies come in by `args`.
        times: when to save, increasing from 0 or later; see `log_times`.
        segments: m, 2 or more.
        classes: C, 2 or more.
        args: handed to `share`: any pytree of arrays.
        jumps: times at which `share` jumps, in any order; steps end exactly there. At a jump
            `share` must give its later value. Those outside the times have no effect.
        mu0: logit of the right class above the others' at ``times[0]``.
        nu0: score of the foreground above the background's at ``times[0]``.
        rtol: relative error of one step.
        atol: absolute error of one step, as in `solve_reduced`.
        solver: as in `jaxattn.integrate.integrate`.
        max_steps: steps after which the run gives up.

    Returns:
        The path; `loss` is the mixed one. Where a share is not in [0, 1], or NaN, the run fails at
        that time, and says so in its `status`.

    Raises:
        InputError: an argument outside its domain (where it is traced, that row fails instead); a
            share that is not one number; JAX runs with x64 off.
    """
    needs_x64("theory")
    size, start = checked_row(segments, classes, mu0, nu0)
    return _solve(
        share,
        jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), args),
        checked_times(times),
        start,
        *size,
        jnp.asarray([] if jumps is None else jumps, jnp.float64),
        jnp.asarray(rtol, jnp.float64),
        jnp.asarray(atol, jnp.float64),
        solver,
        max_steps,
    )
