"""The continuous limit of RMSprop."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.flow.limits.moving_average import average_of, ratio
from jaxattn.training.decays import rmsprop_decay

__all__ = ["LIMIT"]


class _State(NamedTuple):
    params: Params
    square: PyTree


def _equation(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    rate, epsilon = context.hyper["learning_rate"], context.hyper["epsilon"]
    average = average_of(rmsprop_decay(context.hyper), rate, origin)

    def velocity(gradient: Array, square: Array) -> Array:
        # A trial step of the solver may overshoot to a square below 0.
        return -ratio(gradient, jnp.sqrt(jnp.maximum(square, 0.0) + epsilon))

    def field(time: Float[Array, ""], state: _State) -> _State:
        gradient = context.gradient(time, state.params)
        square = average.corrected(time, state.square)
        return _State(
            params=context.scale(jax.tree.map(velocity, gradient, square)),
            square=average.speed(state.square, jax.tree.map(jnp.square, gradient)),
        )

    seen = context.gradient(origin, params)
    start = _State(params, average.start(jax.tree.map(jnp.square, seen)))
    return LimitODE(start, field, lambda time, state: state.params)


LIMIT = Limit(
    name="rmsprop",
    words="the equation of RMSprop",
    place=60,
    families=("rmsprop",),
    convergence_order=1,
    equation=_equation,
    clock="the learning rate eta: time is eta times steps; the order is for a fixed time constant "
    "tau of the mean square",
    source="Ma, Wu and E, arXiv:2009.06125, for the equation; its constant, start and correction "
    "are those of optax.rmsprop",
    held_fixed=("tau",),
    restarts=True,
    batch_orders=(),
)
"""``theta' = -P g / sqrt(v_hat + epsilon)``, ``v' = (g^2 - v) / tau``.

With ``P`` the focus rate; ``tau``, ``v_hat`` and the start are those of Adam's second moment, and
what is said of it there holds here. First order only: unlike Adam's, each step is made with the
gradient at its beginning.
"""
