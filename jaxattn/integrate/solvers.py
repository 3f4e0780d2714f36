"""The Runge-Kutta methods by name, and what a step of each costs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxattn.core.errors import InputError
from jaxattn.core.lookup import resolve

__all__ = ["SOLVERS", "Method", "method_of", "refuse_no_solver"]

SOLVERS: Mapping[str, str] = {
    "bosh3": "Bosh3",
    "tsit5": "Tsit5",
    "dopri8": "Dopri8",
    "kvaerno5": "Kvaerno5",
}
"""Adaptive solvers of diffrax by name: orders 3, 5, 8, 5, and their dense outputs' 3, 4, 7, 3.

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


def refuse_no_solver(solver: Any) -> None:
    """Refuse what `method_of` does not know; what it knows by name is not loaded.

    Raises:
        InputError: no such solver, or none of diffrax.
    """
    if not _is_named(solver):
        method_of(solver)


def method_of(solver: Any) -> Method:
    """The solver of this name, or the diffrax solver itself.

    Raises:
        InputError: no such solver, or none of diffrax.
    """
    import diffrax  # 0.25 s to import; training does without

    if _is_named(solver):
        method = getattr(diffrax, SOLVERS[solver])()
    else:
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


def _is_named(solver: Any) -> bool:
    return isinstance(solver, str) and solver in SOLVERS
