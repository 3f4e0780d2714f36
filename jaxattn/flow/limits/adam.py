"""The continuous limit of Adam."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.flow.limits.moving_average import average_of, ratio
from jaxattn.training.decays import adam_decays

__all__ = ["LIMIT"]


class _State(NamedTuple):
    params: Params
    first: PyTree
    second: PyTree


def _equation(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    rate, epsilon = context.hyper["learning_rate"], context.hyper["epsilon"]
    first, second = (average_of(decay, rate, origin) for decay in adam_decays(context.hyper))

    def velocity(moment: Array, square: Array) -> Array:
        # A trial step of the solver may overshoot to a square below 0.
        return -ratio(moment, jnp.sqrt(jnp.maximum(square, 0.0)) + epsilon)

    def field(time: Float[Array, ""], state: _State) -> _State:
        gradient = context.gradient(time, state.params)
        moment = first.corrected(time, state.first)
        square = second.corrected(time, state.second)
        return _State(
            params=context.scale(jax.tree.map(velocity, moment, square)),
            first=first.speed(state.first, gradient),
            second=second.speed(state.second, jax.tree.map(jnp.square, gradient)),
        )

    seen = context.gradient(origin, params)
    start = _State(params, first.start(seen), second.start(jax.tree.map(jnp.square, seen)))
    return LimitODE(start, field, lambda time, state: state.params)


LIMIT = Limit(
    name="adam",
    words="the equation of Adam",
    place=50,
    families=("adam",),
    convergence_order=2,
    equation=_equation,
    clock="the learning rate eta: time is eta times steps; the order is for fixed time constants "
    "tau1 and tau2 of the moments",
    source="Belotto da Silva and Gazeau, JMLR 21 (2020), arXiv:1810.13108, whose constants, start "
    "and corrections are of first order; those here are optax.adam's to second order",
    held_fixed=("tau1", "tau2"),
    restarts=True,
    batch_orders=(),
)
"""``theta' = -P m_hat / (sqrt(v_hat) + epsilon)``; ``m' = (g - m)/tau1``, ``v' = (g^2 - v)/tau2``.

With ``P`` the focus rate, ``tau_i = eta (1 + beta_i) / (2 (1 - beta_i))``, both moments over their
weight ``1 - e^(-(t + eta/2) / tau_i)`` at ``t`` since the start, and started at that weight of the
gradient and of its square: ``m_hat`` and ``v_hat`` begin with those. Three things lower the order:

- From a gradient that is exactly 0 (that of the focus, where all logits are) the velocity is 0/0 at
  the start. It counts as 0 here, and the order is 1.
- At fixed ``beta1`` and ``beta2`` the time constants go to 0 with the rate, and the order is 1. The
  equation becomes stiff: an explicit solver takes steps of a few time constants.
- Minibatches: their mean gradient is that of the whole set, but the mean of its square is not.

``v`` is a square, and is counted in a unit of its own, that of its start (`jaxattn.flow.units`):
small gradients need no tolerance of their own.
"""
