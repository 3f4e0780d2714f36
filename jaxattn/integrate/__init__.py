"""An initial value problem solved, ordinary or stochastic."""

from jaxattn.integrate.integrate import integrate
from jaxattn.integrate.sde import integrate_sde
from jaxattn.integrate.solution import Solution
from jaxattn.integrate.solvers import SOLVERS

__all__ = ["SOLVERS", "Solution", "integrate", "integrate_sde"]
