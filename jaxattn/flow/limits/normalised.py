"""The flow of normalised gradient descent: the curve of gradient flow at unit speed."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.training.optimisers import unit

__all__ = ["LIMIT"]


def _equation(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    del origin

    def field(time: Float[Array, ""], params: Params) -> Params:
        direction = unit(context.gradient(time, params))
        return context.scale(jax.tree.map(jnp.negative, direction))

    return LimitODE(params, field)


LIMIT = Limit(
    name="normalised",
    words="the normalised flow",
    place=70,
    families=("normalised",),
    convergence_order=1,
    equation=_equation,
    clock="the learning rate eta: time is eta times steps, which is the length of the curve",
    source="Euler's method read backwards; Cortes, Automatica 42 (2006) 1993, for the flow",
    batch_orders=(),
)
"""``theta' = -P g / |g|``, with ``|g|`` over all parameters and ``P`` the focus rate.

At focus rate 1 it is gradient flow in the length of its curve instead of time. Where gradient flow
needs times that grow as the exponential of the distance, at saturation, it goes on at unit speed,
until the gradient is nothing but rounding (a loss of about 1e-13).

A start without a gradient stays. A minimum at a finite distance is reached in finite time, and the
equation has no smooth solution from there on: the run ends as ``Status.SOLVER_FAILED``.
"""
