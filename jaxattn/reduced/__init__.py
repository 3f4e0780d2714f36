"""The reduced (mu, nu) system solved in time: the learning curves of the solvable setting.

`solve_reduced` is here and not in `jaxattn.theory`, which holds formulas and no solver, so that
these can be used, and checked, without one.
"""

from jaxattn.reduced.mixture import solve_mixture
from jaxattn.reduced.path import ReducedPath, log_times
from jaxattn.reduced.solve import PARADIGMS, solve_reduced

__all__ = [
    "PARADIGMS",
    "ReducedPath",
    "log_times",
    "solve_mixture",
    "solve_reduced",
]
