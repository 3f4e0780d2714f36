"""How much a traced program has to do, counted from its operations before anything runs."""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

__all__ = ["Operations", "operations_of"]


class Operations(NamedTuple):
    """What one call of a program does."""

    flops: float
    """Of matrix products and convolutions, each multiplication and each addition; one of 64 bits
    counts twice."""
    bytes: float
    """Results of all other operations, as if each were written down."""

    def times(self, count: float) -> "Operations":
        """As often as this."""
        return Operations(self.flops * count, self.bytes * count)

    def plus(self, other: "Operations") -> "Operations":
        """Both."""
        return Operations(self.flops + other.flops, self.bytes + other.bytes)


_NONE = Operations(0.0, 0.0)
_WORD = 4
"""Bytes of a number of 32 bits."""


def operations_of(program: Any, turns: float) -> Operations:
    """What a traced program does.

    Args:
        program: such as ``jax.jit(f).trace(...).jaxpr``.
        turns: how often the body of a loop runs whose end the program does not tell; one inside
            another such loop counts once. All branches of a condition count, as under ``vmap``.
    """
    total = _NONE
    for equation in getattr(program, "jaxpr", program).eqns:
        inside = _NONE
        kind, parameters = str(equation.primitive), equation.params
        for name, part in _programs(parameters):
            if kind == "while":
                each = operations_of(part, 1.0).times(turns) if name == "body_jaxpr" else _NONE
            else:
                each = operations_of(part, turns)
            again = float(parameters["length"]) if kind == "scan" else 1.0
            inside = inside.plus(each.times(again))
        total = total.plus(inside if inside != _NONE else _own(equation, kind))
    return total


def _programs(parameters: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The programs inside an operation: bodies of loops, branches, functions that it calls."""
    for name, value in parameters.items():
        for part in value if isinstance(value, list | tuple) else (value,):
            if hasattr(part, "eqns") or hasattr(part, "jaxpr"):
                yield name, part


def _own(equation: Any, kind: str) -> Operations:
    """What an operation without a program inside does."""
    out = [variable.aval for variable in equation.outvars if hasattr(variable.aval, "shape")]
    terms = _terms(equation, kind)
    if terms:
        word = max(1.0, out[0].dtype.itemsize / _WORD)
        return Operations(2.0 * prod(out[0].shape) * terms * word, 0.0)
    return Operations(0.0, float(sum(prod(at.shape) * at.dtype.itemsize for at in out)))


def _terms(equation: Any, kind: str) -> int:
    """How many products each number of the result is a sum of; 0: it is no such sum."""
    numbers = equation.params.get("dimension_numbers")
    if kind == "dot_general":
        (summed, _), _ = numbers
        return prod(equation.invars[0].aval.shape[dim] for dim in summed)
    if kind == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        return prod(kernel) // kernel[numbers.rhs_spec[0]]
    return 0
