"""The Runge-Kutta methods by name, and what a step of each costs."""

from typing import Any, NamedTuple

import diffrax

from jaxattn.core.errors import InputError
from jaxattn.core.lookup import resolve

__all__ = ["SOLVERS", "Method", "method_of"]

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
    fsal: bool
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
        InputError: no such solver, or none of diffrax.
    """
    method = resolve("solver", SOLVERS, solver)
    if not isinstance(method, diffrax.AbstractSolver):
        raise InputError(
            f"solver: got {type(method).__name__}, expected an adaptive solver of diffrax, or one "
            f"of {', '.join(SOLVERS)}."
        )
    tableau = getattr(method, "tableau", None)
    fsal = bool(getattr(tableau, "fsal", False))
    stages = getattr(tableau, "num_stages", 1) - fsal
    return Method(method, stages, fsal, isinstance(method, diffrax.AbstractImplicitSolver))
