"""The root of an increasing function, elementwise: Newton's method inside a bracket."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

__all__ = ["increasing_root"]

Values = Float[Array, "..."]

_STEPS = 80


def increasing_root(
    function: Callable[..., tuple[Values, Values]],
    args: PyTree,
    low: Values,
    high: Values,
    guess: Values,
    floor: float = 0.0,
) -> Values:
    """The x in [low, high] where an increasing function is 0, elementwise.

    Newton's step where it stays inside the bracket, which every value of the function narrows, and
    the middle of the bracket where it does not. What has not settled to 8 units in the last place
    (of `floor` where that is larger) within 80 steps comes back as NaN, and so does a row whose
    function is NaN.

    The derivative is the implicit one, ``-f_args / f_x``: that of one more Newton step from the
    root, the root itself held fixed. It holds to first order, in forward and reverse mode.

    Args:
        function: ``(x, *args) -> (value, slope)``.
        args: what the function depends on, and is differentiated by.
        low: where the function is at most 0.
        high: where it is at least 0.
        guess: where to start, in between.
        floor: a size of x below which its own digits do not matter.
    """
    held = jax.lax.stop_gradient(args)
    unit = 8.0 * float(jnp.finfo(guess.dtype).eps)
    State = tuple[Values, Values, Values, Bool[Array, "..."], Int[Array, ""]]

    def settled(moved: Values, x: Values) -> Bool[Array, "..."]:
        return ~(jnp.abs(moved - x) > unit * jnp.maximum(jnp.abs(moved), floor))

    def step(state: State) -> State:
        low, high, x, _, count = state
        value, slope = function(x, *held)
        low, high = jnp.where(value <= 0.0, x, low), jnp.where(value >= 0.0, x, high)
        newton = x - value / slope
        # At the root a step may leave the bracket by rounding alone: to go to the middle from
        # there would be to start over.
        slack = unit * jnp.maximum(jnp.abs(x), floor)
        inside = (newton >= low - slack) & (newton <= high + slack)
        moved = jnp.where(inside, jnp.clip(newton, low, high), (low + high) / 2.0)
        # A NaN settles at once, and stays.
        moved = jnp.where(jnp.isnan(value), jnp.nan, moved)
        return low, high, moved, settled(moved, x), count + 1

    def unsettled(state: State) -> Bool[Array, ""]:
        return ~jnp.all(state[3]) & (state[4] < _STEPS)

    start: Any = jax.lax.stop_gradient((low, high, guess))
    never = jnp.zeros(guess.shape, bool)
    _, _, root, done, _ = jax.lax.while_loop(unsettled, step, (*start, never, jnp.array(0)))
    root = jnp.where(done, root, jnp.nan)
    value, slope = function(root, *args)
    return root - value / jax.lax.stop_gradient(slope)
