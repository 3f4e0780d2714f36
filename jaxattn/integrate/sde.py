"""Solve an Ito equation with small noise by steps of a given size."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, Float, PRNGKeyArray, PyTree

from jaxattn.core.contracts import InputError
from jaxattn.integrate.solution import (
    Function,
    Noise,
    Solution,
    all_finite,
    only_where,
    reason_of,
    status_of,
    value_at,
)

__all__ = ["integrate_sde"]


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
    # diffrax takes 0.25 s to import, and training does without.
    from jaxattn.integrate.small_noise import run

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
    marks = saves
    if jumps is not None:
        jumps = jnp.asarray(jumps, dtype)
        marks = jnp.sort(jnp.append(saves, jnp.where((jumps > start) & (jumps < end), jumps, end)))
    save = value_at if save is None else save
    ran = run(drift, noise, y0, saves, marks, step, key, draws, args, save, max_steps)
    values = only_where(valid & ran.written, ran.values, jnp.nan)
    done = valid & ran.reached & all_finite(values)
    used_up = valid & ran.used_up
    return Solution(
        values=values,
        status=status_of(done),
        time_reached=jnp.where(valid, ran.end, times[0]),
        stats=ran.stats,
        event_occurred=ran.event_occurred,
        reason=reason_of(done, used_up, not_finite=~used_up),
    )
