"""An initial value problem solved, ordinary or stochastic, whole or in pieces."""

from jaxattn.integrate.integrate import integrate
from jaxattn.integrate.resumable import Carry, begin, piece
from jaxattn.integrate.sde import integrate_sde
from jaxattn.integrate.solution import Solution
from jaxattn.integrate.solvers import SOLVERS, stability_interval

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
