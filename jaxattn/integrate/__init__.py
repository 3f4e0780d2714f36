"""An initial value problem solved, ordinary or stochastic, whole or in pieces."""

from jaxattn.integrate.pieces import Carry, begin, piece
from jaxattn.integrate.solution import Solution
from jaxattn.integrate.solvers import SOLVERS, stability_interval
from jaxattn.integrate.solving import integrate
from jaxattn.integrate.stochastic import integrate_sde

__all__ = [
    "SOLVERS",
    "Carry",
    "Solution",
    "begin",
    "integrate",
    "integrate_sde",
    "piece",
    "stability_interval",
]
