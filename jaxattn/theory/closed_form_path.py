"""The reduced (mu, nu) system along time in closed form: what `jaxattn.reduced` solves, exactly."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Real

from jaxattn import theory
from jaxattn.core.contracts import Status

__all__ = ["ExactPath", "exact_path"]

Scalar = Real[ArrayLike, ""]
Values = Float[Array, " save"]


class ExactPath(NamedTuple):
    """The closed form along time: the fields it shares with a `jaxattn.reduced.ReducedPath`.

    `invariant_drift` is computed as there, and shows what rounding leaves of the invariant.
    """

    time: Values
    mu: Values
    nu: Values
    attention: Values
    right_class: Values
    loss: Values
    invariant_drift: Float[Array, ""]
    status: Int[Array, ""]


def exact_path(
    paradigm: str,
    times: Float[ArrayLike, " save"],
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None = None,
) -> ExactPath:
    """The path of (mu, nu) from zero, by `jaxattn.theory.trajectory`: its domain, its error.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, or ``"hybrid"``, soft and then hard.
        times: when, not decreasing, from 0 to 1e15.
        segments: m, 2 to 1e9.
        classes: C, 2 to 1e9.
        switch_time: when a hybrid goes over, within the times; the others take none.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm.
    """
    size = {"segments": segments, "classes": classes}
    state = theory.trajectory(paradigm, times, **size, switch_time=switch_time)
    names, turn = (paradigm, paradigm), theory.State(*jnp.zeros(2))
    if switch_time is not None:
        names, turn = ("soft", "hard"), theory.trajectory("soft", switch_time, **size)
    switch = np.inf if switch_time is None else switch_time
    return _read(*names, jnp.asarray(times, float), state, turn, segments, classes, switch)


@partial(jax.jit, static_argnames=("before", "after"))
def _read(
    before: str,
    after: str,
    times: Array,
    state: theory.State,
    turn: theory.State,
    segments: Scalar,
    classes: Scalar,
    switch: Scalar,
) -> ExactPath:
    """What the state says of attention, loss and invariant; a hybrid has each in its own time."""
    first, size = times < switch, (segments, classes)

    def in_force(function: Callable[..., Array]) -> Array:
        return jnp.where(first, function(before, *state, *size), function(after, *state, *size))

    conserved = jnp.where(first, 0.0, theory.invariant(after, *turn, *size))
    drift = jnp.abs(in_force(theory.invariant) - conserved)
    finite = jnp.all(jnp.isfinite(jnp.stack(state)))
    return ExactPath(
        time=times,
        mu=state.mu,
        nu=state.nu,
        attention=theory.attention(state.nu, segments),
        right_class=theory.right_class(state.mu, classes),
        loss=in_force(_loss),
        invariant_drift=jnp.max(drift / theory.attention_potential_slope(state.nu, segments)),
        status=jnp.where(finite, int(Status.DONE), int(Status.SOLVER_FAILED)),
    )


def _loss(paradigm: str, mu: Array, nu: Array, segments: Scalar, classes: Scalar) -> Array:
    return theory.LOSSES[paradigm](mu, nu, segments, classes)
