"""Gradient flow: training at an infinitely small learning rate."""

from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext

__all__ = ["LIMIT"]


def _equation(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    del origin
    return LimitODE(params, context.descent_direction)


LIMIT = Limit(
    name="flow",
    words="the gradient flow",
    place=10,
    families=(),
    convergence_order=1,
    rests_with_flow=True,
    equation=_equation,
    clock="the optimiser's own; the learning rate of each step, over 1 - momentum for heavy ball",
    source="Euler's method read backwards; heavy ball at fixed momentum: Kovachki and Stuart, "
    "JMLR 22 (2021), arXiv:1906.04285",
)
"""``theta' = -grad L(theta)``, for every optimiser on its clock.

Gradient descent, and heavy ball at fixed momentum, follow it to first order in the learning rate.
Adam and its kin do not follow it at all: it is then where plain descent would have been.
"""
