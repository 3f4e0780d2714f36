"""What a solver gives back, and the checks of its values."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.reasons import Reason

__all__ = [
    "Function",
    "Noise",
    "Solution",
    "all_finite",
    "checked_tolerance",
    "least_tolerance",
    "only_where",
    "reason_of",
    "status_of",
    "time_at",
    "value_at",
]

Function = Callable[[Array, Any, Any], PyTree]
"""A function of time, value and ``args``."""

Noise = Callable[[Array, Any, Any, Float[Array, " draw"]], PyTree]
"""A function of time, value, ``args`` and, linearly, the Brownian motions' increments."""


class Solution(NamedTuple):
    """A solved initial value problem.

    `values` holds NaN in place of what was not reached. `event_occurred` says whether the run ended
    at the event it was to run until, or at rest. `stats` counts ``gradients`` (evaluations of the
    field), ``steps`` (accepted) and ``rejected``. `reason` is a `Reason`: why it was not solved.
    """

    values: PyTree[Shaped[Array, "save ..."]]
    status: Int[Array, ""]
    time_reached: Float[Array, ""]
    stats: dict[str, Int[Array, ""]]
    event_occurred: Bool[Array, ""]
    reason: Int[Array, ""]


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Whether every entry of every leaf is finite."""
    checks = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.all(jnp.stack(checks)) if checks else jnp.asarray(True)


def only_where(mask: Bool[Array, " save"], tree: PyTree, otherwise: float) -> PyTree:
    """The rows of every leaf that the mask keeps, and `otherwise` in the others."""

    def rows(leaf: Array) -> Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (leaf.ndim - 1)), leaf, otherwise)

    return jax.tree.map(rows, tree)


def status_of(done: Bool[Array, ""]) -> Int[Array, ""]:
    """``Status.DONE``, or that the solver failed."""
    return jnp.where(done, int(Status.DONE), int(Status.SOLVER_FAILED)).astype(jnp.int32)


def reason_of(
    done: Bool[Array, ""], used_up: Bool[Array, ""], not_finite: Bool[Array, ""]
) -> Int[Array, ""]:
    """The `Reason` of a run, from what was seen of it."""
    failed = jnp.where(not_finite, int(Reason.NOT_FINITE), int(Reason.STEP_SIZE_UNDERFLOW))
    failed = jnp.where(used_up, int(Reason.STEPS_USED_UP), failed)
    return jnp.where(done, int(Reason.NONE), failed).astype(jnp.int8)


def value_at(t: Any, y: PyTree, args: Any) -> PyTree:
    """The value itself: what is kept unless told otherwise."""
    del t, args
    return y


def time_at(t: Any, y: PyTree, args: Any) -> Any:
    """The time alone."""
    del y, args
    return t


def least_tolerance(dtype: Any) -> float:
    """The smallest relative error of a step that rounding leaves to be seen."""
    return 10 * float(jnp.finfo(dtype).eps)


def checked_tolerance(rtol: Any, dtype: Any) -> None:
    """Refuse a tolerance that rounding alone exceeds; one that is traced is not looked at.

    Raises:
        InputError: `rtol` is a number above 0 and below ten units in the last place of `dtype`.
    """
    least = least_tolerance(dtype)
    if isinstance(rtol, float | np.floating) and 0 < rtol < least:
        raise InputError(
            f"rtol is below the reach of {jnp.dtype(dtype).name}: got {rtol:.3g}, expected at "
            f"least {least:.2g}; solve in float64 or ask for less."
        )
