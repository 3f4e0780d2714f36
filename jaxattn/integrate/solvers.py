"""The Runge-Kutta methods by name, and what a step of each costs."""

from typing import Any, NamedTuple

import diffrax
import numpy as np

from jaxattn.core.lookup import resolve

__all__ = ["SOLVERS", "Method", "method_of", "stability_interval"]

SOLVERS: dict[str, diffrax.AbstractAdaptiveSolver] = {
    "bosh3": diffrax.Bosh3(),
    "tsit5": diffrax.Tsit5(),
    "dopri8": diffrax.Dopri8(),
    "kvaerno5": diffrax.Kvaerno5(),
}
"""Adaptive solvers by name: orders 3, 5, 8, 5, and their dense outputs' 3, 4, 7, 3.

The last one is implicit: for fields with motions so fast that no explicit step is long, and states
of some hundred numbers at most, as every step solves with their dense Jacobian.
"""


class Method(NamedTuple):
    """A solver and what it does in one step."""

    solver: Any
    stages: int
    """Those of one step, the first one left out when it is handed on (FSAL)."""
    hands_on: bool
    implicit: bool

    def cost(self, size: int) -> int:
        """Field evaluations of one step from a state of `size` numbers.

        An implicit step counts two a stage, though its root may take up to ten, which diffrax does
        not tell; and its Jacobian, a derivative along each number, as `size`.
        """
        return 2 * self.stages + size if self.implicit else self.stages


def method_of(solver: Any) -> Method:
    """The solver of this name, or the diffrax solver itself.

    Raises:
        InputError: no such solver.
    """
    found = resolve("solver", SOLVERS, solver)
    tableau = getattr(found, "tableau", None)
    hands_on = bool(getattr(tableau, "fsal", False))
    stages = getattr(tableau, "num_stages", 1) - hands_on
    return Method(found, stages, hands_on, isinstance(found, diffrax.AbstractImplicitSolver))


def stability_interval(solver: Any) -> float:
    """How far a step times a decay rate may go before an explicit solver's steps grow.

    The largest ``x`` with ``|R(-z)| <= 1`` for all ``z`` up to it, ``R`` the stability function of
    the Runge-Kutta method, ``1 + z b (I - z A)^-1 1``, to three decimals; infinite for an implicit
    solver (Hairer and Wanner, Solving Ordinary Differential Equations II, IV.2).

    Raises:
        InputError: no such solver.
    """
    method = method_of(solver)
    if method.implicit:
        return float("inf")
    tableau = method.solver.tableau
    a = np.zeros((tableau.num_stages, tableau.num_stages))
    for row, entries in enumerate(tableau.a_lower, start=1):
        a[row, :row] = entries
    ones = np.ones(len(a))

    def grows(x: float) -> bool:
        inside = np.linalg.solve(np.eye(len(a)) + x * a, ones)
        return bool(abs(1 - x * tableau.b_sol @ inside) > 1 + 1e-9)

    x = next(x for x in np.arange(1e-3, 100, 1e-3) if grows(x))
    return float(x - 1e-3)
