"""What solving the reduced system gives: its path, at times that are spread over decades."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Real

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.integrate import Solution
from jaxattn.theory.checks import checked_start

__all__ = ["ReducedPath", "Scalar", "checked_row", "log_time_unit", "log_times", "made_path"]

Scalar = Real[ArrayLike, ""]


class ReducedPath(NamedTuple):
    """The reduced system along time, at the times asked for.

    `attention` is alpha, `right_class` is beta; `loss` is the population loss, in nats, of what is
    in force. `invariant_drift` is the largest ``|I(t) - I(0)| / A'(nu)`` on the path,
    for the conserved ``I = A(nu) - R(mu)``: the distance from the exact orbit in units of nu. A
    hybrid's second part is held against its own invariant at the switch; a mixture conserves
    nothing, and its drift is NaN. Where the run failed, arrays hold NaN from `time_reached` on,
    and so does the drift.
    """

    time: Float[Array, " save"]
    mu: Float[Array, " save"]
    nu: Float[Array, " save"]
    attention: Float[Array, " save"]
    right_class: Float[Array, " save"]
    loss: Float[Array, " save"]
    invariant_drift: Float[Array, ""]
    status: Int[Array, ""]
    time_reached: Float[Array, ""]
    work: dict[str, Int[Array, ""]]


def log_times(t_end: float, points: int) -> Float[np.ndarray, " save"]:
    """0, then log-spaced times up to `t_end`.

    The first positive one is 1, before which mu moves by less than 1/C under every paradigm, or a
    thousandth of `t_end` where that is less.

    Args:
        t_end: last time, positive.
        points: how many times, 2 or more.

    Raises:
        InputError: either out of range.
    """
    if not (np.isfinite(t_end) and t_end > 0):
        raise InputError(f"bad t_end: got {t_end}, expected a positive number.")
    if points < 2:
        raise InputError(f"too few points: got {points}, expected 2 or more.")
    # Built from the end, which is there even where it is the only one.
    return np.append(np.geomspace(t_end, min(1.0, 1e-3 * t_end), points - 1), 0.0)[::-1]


def checked_row(
    segments: Scalar, classes: Scalar, mu0: Scalar, nu0: Scalar
) -> tuple[tuple[Array, Array], Float[Array, "2"]]:
    """Sizes and start, checked; a traced row with a bad one starts at NaN, and so fails at once.

    Raises:
        InputError: one outside its domain, `jaxattn.theory.checks.checked_start`.
    """
    segments, classes, mu0, nu0 = checked_start(segments, classes, mu0, nu0)
    valid = jnp.isfinite(segments) & jnp.isfinite(classes)
    return (segments, classes), jnp.where(valid, jnp.stack([mu0, nu0]), jnp.nan)


def log_time_unit(velocity: Float[Array, "2"]) -> Float[Array, ""]:
    """The time that mu and nu together need for a first change of 1: the unit of log time.

    From zero it is m C. Up to there mu rises linearly in t and nu like its square, so that an
    explicit solver's steps leave no error relative to either, however small they are; a unit of 1
    would make exponentials of them, and a step for every third of a factor e.
    """
    # The path does not depend on the unit, and so neither do its derivatives.
    unit = jax.lax.stop_gradient(1.0 / (velocity[0] + velocity[1]))
    return jnp.where(jnp.isfinite(unit), unit, 1.0)


def made_path(
    times: Float[Array, " save"],
    state: tuple[Float[Array, " save"], Float[Array, " save"]],
    size: tuple[Array, Array],
    loss: Float[Array, " save"],
    drift: Float[Array, ""],
    solution: Solution,
) -> ReducedPath:
    """The path of a solution whose `state` at the times is mu and nu."""
    mu, nu = state
    segments, classes = size
    return ReducedPath(
        time=times,
        mu=mu,
        nu=nu,
        attention=theory.attention(nu, segments),
        right_class=theory.right_class(mu, classes),
        loss=loss,
        invariant_drift=drift,
        status=solution.status,
        time_reached=solution.time_reached,
        work=solution.stats,
    )
