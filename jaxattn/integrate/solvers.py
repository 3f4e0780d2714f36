"""The Runge-Kutta methods by name, and what a step of each costs."""

from typing import Any, NamedTuple

import diffrax

from jaxattn.names import resolve

__all__ = ["SOLVERS", "Method", "method_of"]

SOLVERS: dict[str, diffrax.AbstractAdaptiveSolver] = {
    "bosh3": diffrax.Bosh3(),
    "tsit5": diffrax.Tsit5(),
    "dopri8": diffrax.Dopri8(),
    "kvaerno5": diffrax.Kvaerno5(),
}
"""Adaptive solvers by name: orders 3, 5, 8, and their dense outputs' 3, 4, 7."""


class Method(NamedTuple):
    """A solver and what it does in one step."""

    solver: Any
    stages: int
    """Field evaluations of one step, the first stage left out when it is handed on (FSAL)."""
    hands_on: bool
    ends_at_saves: bool
    """Whether a step is made to end at every save, rather than saves read off dense output."""


def method_of(solver: Any) -> Method:
    """The solver of this name, or the diffrax solver itself.

    Raises:
        InputError: no such solver.
    """
    found = resolve("solver", SOLVERS, solver)
    tableau = getattr(found, "tableau", None)
    hands_on = bool(getattr(tableau, "fsal", False))
    stages = getattr(tableau, "num_stages", 1) - hands_on
    # The dense output of an implicit solver is a cubic through slopes that stiffness makes wrong.
    implicit = isinstance(found, diffrax.AbstractImplicitSolver)
    return Method(found, stages, hands_on, ends_at_saves=implicit)
