"""The continuous limit of Adam."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.contracts import Params
from jaxattn.descent import adam_decays
from jaxattn.flow.averages import average_of, ratio
from jaxattn.flow.limit import Equation, Ground, Limit

__all__ = ["ADAM"]


class _State(NamedTuple):
    params: Params
    first: PyTree
    second: PyTree


def _equation(ground: Ground, params: Params, origin: Float[Array, ""]) -> Equation:
    rate, epsilon = ground.hyper["learning_rate"], ground.hyper["epsilon"]
    first, second = (average_of(decay, rate, origin) for decay in adam_decays(ground.hyper))

    def velocity(moment: Array, square: Array) -> Array:
        # A trial step of the solver may overshoot to a square below 0.
        return -ratio(moment, jnp.sqrt(jnp.maximum(square, 0.0)) + epsilon)

    def field(time: Float[Array, ""], state: _State) -> _State:
        gradient = ground.gradient(time, state.params)
        moment = first.corrected(time, state.first)
        square = second.corrected(time, state.second)
        return _State(
            params=ground.scale(jax.tree.map(velocity, moment, square)),
            first=first.speed(state.first, gradient),
            second=second.speed(state.second, jax.tree.map(jnp.square, gradient)),
        )

    seen = ground.gradient(origin, params)
    start = _State(params, first.start(seen), second.start(jax.tree.map(jnp.square, seen)))
    return Equation(start, field, lambda time, state: state.params)


ADAM = Limit(
    name="adam",
    families=("adam",),
    order=2,
    equation=_equation,
    clock="the learning rate eta: time is eta times steps; the order is for fixed time constants "
    "tau1 and tau2 of the moments",
    source="Ma, Wu and E, MSML 2022, arXiv:2009.06125, for the equation; its constants, start and "
    "corrections are those of optax.adam to one order more",
    restarts=True,
)
