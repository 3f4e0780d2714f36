"""An initial value problem solved, ordinary or stochastic."""

from jaxattn.integrate.integrate import integrate
from jaxattn.integrate.sde import integrate_sde
from jaxattn.integrate.solution import Solution
from jaxattn.integrate.solvers import SOLVERS
from jaxattn.integrate.units import own_units

__all__ = ["SOLVERS", "Solution", "integrate", "integrate_sde", "own_units"]
