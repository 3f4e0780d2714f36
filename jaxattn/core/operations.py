"""How much a traced program has to do, counted from its operations before anything runs."""

from collections.abc import Sequence
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


_SUMS = ("dot_general", "conv_general_dilated")
"""Operations whose results are sums of products."""

_WORD = 4
"""Bytes of a number of 32 bits."""


def operations_of(program: Any, turns: float) -> Operations:
    """What a traced program does.

    Args:
        program: such as ``jax.jit(f).trace(...).jaxpr``.
        turns: how often the body of a loop runs whose end the program does not tell; one inside
            another such loop counts once. All branches of a condition count, as under ``vmap``.
    """
    found, plain = [], []
    for equation in getattr(program, "jaxpr", program).eqns:
        kind, parameters = str(equation.primitive), equation.params
        again = float(parameters["length"]) if kind == "scan" else 1.0
        inside = []
        for name, value in parameters.items():
            for part in value if isinstance(value, list | tuple) else (value,):
                if not hasattr(part, "eqns") and not hasattr(part, "jaxpr"):
                    continue
                if kind != "while":
                    inside.append(operations_of(part, turns).times(again))
                elif name == "body_jaxpr":
                    inside.append(operations_of(part, 1.0).times(turns))
        if any(map(any, inside)):
            found += inside
        else:
            plain.append(equation)
    found.append(_without_programs(plain))
    return Operations(sum(each.flops for each in found), sum(each.bytes for each in found))


def _without_programs(equations: Sequence[Any]) -> Operations:
    """What operations do that have no programs inside."""
    flops = moved = 0.0
    for equation in equations:
        kind = str(equation.primitive)
        out = [variable.aval for variable in equation.outvars if hasattr(variable.aval, "shape")]
        if kind in _SUMS and (terms := _terms(equation, kind)):
            word = max(1.0, out[0].dtype.itemsize / _WORD)
            flops += 2.0 * prod(out[0].shape) * terms * word
        else:
            moved += sum(prod(at.shape) * at.dtype.itemsize for at in out)
    return Operations(flops, moved)


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
