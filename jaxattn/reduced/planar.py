"""Learning curves beside the solvable setting that are still a path of two numbers, (mu, nu).

Whatever treats all classes alike keeps the flow from zero on ``u_c = nu``, ``W_cc - W_cc' = mu``.

- **Equally correlated foregrounds**, Gram matrix ``(1 - rho) I + rho 11^T``, are exact. The scores
  of the foregrounds move by the Gram matrix times what moves u, and ``(1, ..., 1)`` is its
  eigenvector with eigenvalue ``1 + (C-1) rho``; the logits' gaps see the other one, ``1 - rho``.
  So ``mu' = (1 - rho) mu'_0(mu, nu)`` and ``nu' = (1 + (C-1) rho) nu'_0(mu, nu)`` with the speeds
  of `jaxattn.theory.FIELDS`, and ``A(nu) - (1 + (C-1) rho)/(1 - rho) R(mu)`` is conserved.
- **Isotropic noise on the background** is exact up to ``O(sigma^4)``: `jaxattn.theory.noise`.

Tests: against the flow of all parameters, in
`tests/experiments/departures/test_limits.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Real

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.core.precision import needs_x64
from jaxattn.integrate import integrate
from jaxattn.reduced import PARADIGMS
from jaxattn.reduced.path import log_time_unit
from jaxattn.theory.noise import NOISE_LOSSES

__all__ = ["PlanarPath", "solve_planar"]

Scalar = Real[ArrayLike, ""]


class PlanarPath(NamedTuple):
    """The path of mu and nu, and of the attention alpha on the foreground of a silent bag.

    Where the run failed, arrays hold NaN from there on.
    """

    time: Float[Array, " save"]
    mu: Float[Array, " save"]
    nu: Float[Array, " save"]
    attention: Float[Array, " save"]
    status: Int[Array, ""]


def solve_planar(
    paradigm: str,
    times: Float[ArrayLike, " save"],
    *,
    segments: Scalar,
    classes: Scalar,
    correlation: Scalar = 0.0,
    variance: Scalar = 0.0,
    switch_time: Scalar = np.inf,
    rtol: float = 1e-11,
    atol: float = 1e-20,
) -> PlanarPath:
    """The path of (mu, nu) under gradient flow from (0, 0) at time 0.

    Works under ``jit``, ``vmap`` and forward differentiation; the derivative by `variance` at 0 is
    what noise of little variance changes. Error: that of `jaxattn.reduced.solve_reduced`.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, or ``"hybrid"``, soft and then hard.
        times: when to save, increasing from 0.
        segments: m, 2 or more.
        classes: C, 2 or more.
        correlation: rho between the foregrounds of any two classes, in (-1/(C-1), 1).
        variance: sigma^2 of the background on each of the foregrounds' coordinates, 0 or more.
        switch_time: when a hybrid goes over; others ignore it.
        rtol: relative error of one step.
        atol: absolute error of one step, as in `solve_reduced`.

    Raises:
        InputError: no such paradigm; a number out of its range (under ``jit`` that row is NaN); JAX
            runs with x64 off.
    """
    needs_x64("theory")
    before, after = resolve("paradigm", PARADIGMS, paradigm)
    for name, value in (("segments", segments), ("classes", classes)):
        if (size := _known(value)) is not None and not size >= 2:
            raise InputError(f"bad {name}: got {value}, expected 2 or more.")
    if (known := _known(variance)) is not None and not known >= 0:
        raise InputError(f"bad variance: got {variance}, expected 0 or more.")
    rho, count = _known(correlation), _known(classes)
    if rho is not None and count is not None and not -1 / (count - 1) < rho < 1:
        raise InputError(
            f"bad correlation: got {rho}, expected it between -1/(C-1) = {-1 / (count - 1):.6g} "
            "and 1: no other vectors are all equally correlated."
        )
    numbers = (segments, classes, correlation, variance)
    names = list(theory.FIELDS)
    codes = [names.index(theory.FLOW_OF[name]) for name in (before, after)]
    return _solve(
        jnp.asarray(codes, jnp.int32),
        jnp.asarray(times, jnp.float64),
        tuple(jnp.asarray(value, jnp.float64) for value in (*numbers, switch_time)),
        rtol,
        atol,
    )


def _known(value: Scalar) -> float | None:
    """A number that is there to be checked; None for one that is traced."""
    return float(value) if isinstance(value, int | float | np.number) else None


def _velocity(name: str) -> Callable[..., Array]:
    def velocity(mu: Array, nu: Array, numbers: tuple[Array, ...]) -> Array:
        segments, classes, rho, variance, _ = numbers
        others = classes - 1
        pull = jax.grad(NOISE_LOSSES[name], argnums=(0, 1))(mu, nu, segments, classes, rho)
        silent = jnp.stack(theory.FIELDS[name](mu, nu, segments, classes))
        noise = -jnp.stack(pull) / jnp.stack([others, classes])
        return jnp.stack([1 - rho, 1 + others * rho]) * (silent + variance * noise)

    return velocity


# One compiled program serves every paradigm, as in jaxattn.reduced.
_VELOCITIES = [_velocity(name) for name in theory.FIELDS]


@partial(jax.jit, static_argnames=("rtol", "atol"))
def _solve(
    codes: Array, times: Array, numbers: tuple[Array, ...], rtol: float, atol: float
) -> PlanarPath:
    segments, classes, rho, variance, switch = numbers
    together = 1 + (classes - 1) * rho
    valid = (segments >= 2) & (classes >= 2) & (rho < 1) & (together > 0) & (variance >= 0)
    turn = jnp.where(codes[0] == codes[1], jnp.inf, switch)

    def field(time: Array, state: Array, _: None) -> Array:
        code = jnp.where(time < turn, codes[0], codes[1])
        each = [velocity(*state, numbers) for velocity in _VELOCITIES]
        return jax.lax.select_n(jnp.broadcast_to(code, (2,)), *each)

    start = jnp.where(valid, jnp.zeros(2), jnp.nan)
    solution = integrate(
        field,
        start,
        times,
        jumps=turn[None],
        log_time_unit=log_time_unit(field(times[0], start, None)),
        rtol=rtol,
        atol=atol,
    )
    mu, nu = solution.values.T
    return PlanarPath(times, mu, nu, theory.attention(nu, segments), solution.status)
