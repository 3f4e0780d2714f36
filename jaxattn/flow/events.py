"""When a flow may end before its time: stops, which are events of its solver."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import InputError, Params
from jaxattn.flow.limits.base import RunContext

__all__ = ["Stop", "focus_reached", "stationary"]

Stop: TypeAlias = Callable[[RunContext, Float[Array, ""], Params], Float[Array, ""]]
"""``stop(context, time, params)``: of order one; the flow ends where it rises through 0."""


@lru_cache(maxsize=64)
def stationary(level: float = 1e-6) -> Stop:
    """Ends a flow where the norm of its gradient has fallen to `level`.

    Args:
        level: in the unit of the loss over that of the parameters, as they are: near a saddle, or
            from a small start, gradients are small too, and a level has to be below them.

    Raises:
        InputError: a level that is not positive.
    """
    if not level > 0:
        raise InputError(f"stationary: got a gradient norm of {level:g}, expected one above 0.")

    def stop(context: RunContext, time: Float[Array, ""], params: Params) -> Float[Array, ""]:
        gradient = context.gradient(time, params)
        square = sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient))
        # Norms fall over decades; in their logarithm Newton's method goes straight to the event.
        return -0.5 * jnp.log(square / level**2)

    return stop


@lru_cache(maxsize=64)
def focus_reached(level: float = 0.9) -> Stop:
    """Ends a flow where the mean attention on the foreground, over the learning set, is `level`.

    Of attention networks: their problems measure ``attention_foreground``.

    Raises:
        InputError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise InputError(f"focus_reached: got an attention of {level:g}, expected one in (0, 1).")

    def stop(context: RunContext, time: Float[Array, ""], params: Params) -> Float[Array, ""]:
        del time
        return context.measure(params)["attention_foreground"] - level

    return stop
