"""Gradient flow: training at an infinitely small learning rate."""

from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Equation, Ground, Limit, of_params

__all__ = ["FLOW"]


def _equation(ground: Ground, params: Params, origin: Float[Array, ""]) -> Equation:
    del origin
    return Equation(params, ground.downhill, of_params)


FLOW = Limit(
    name="flow",
    families=(),
    order=1,
    equation=_equation,
    clock="the optimiser's own; the learning rate of each step, over 1 - momentum for heavy ball",
    source="Euler's method read backwards; heavy ball at fixed momentum: Kovachki and Stuart, "
    "JMLR 22 (2021), arXiv:1906.04285",
)
"""``theta' = -grad L(theta)``, for every optimiser on its clock.

Gradient descent, and heavy ball at fixed momentum, follow it to first order in the learning rate.
Adam and its kin do not follow it at all: it is then where plain descent would have been.
"""
