"""What a function computes, seen by tracing it: whether it is pure, and what it depends on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
from jaxtyping import PyTree

from jaxattn.core.fingerprint import fingerprint

__all__ = ["Program", "depends_on_first", "primitives_of", "program_of"]


class Program(NamedTuple):
    """What a function computes of arguments of some shapes."""

    fingerprint: str
    """The same of what computes the same by the same steps, constants included."""
    shapes: PyTree
    """Shapes and dtypes of what it returns."""


def program_of(function: Callable[..., Any], *arguments: Any) -> Program:
    """The program that a function is traced to; nothing is computed.

    Args:
        function: whose arguments and results are pytrees of arrays.
        arguments: arrays, or their shapes and dtypes.
    """
    # JAX remembers what it has traced by the function itself; this one is new each time.
    traced, shapes = jax.make_jaxpr(lambda *given: function(*given), return_shape=True)(*arguments)
    return Program(fingerprint(traced), shapes)


def depends_on_first(function: Callable[..., Any], first: PyTree, *rest: Any) -> bool:
    """Whether anything that a function returns depends on its first argument, for some values.

    Seen by its steps, not by values: nothing is computed. What is drawn and not used is no
    dependence, nor is a branch on whether the argument is there.

    Args:
        function: whose arguments and results are pytrees of arrays.
        first: arrays, or their shapes and dtypes.
        rest: the other arguments, likewise.
    """
    ended = False

    def ends(*given: Any) -> Any:
        nonlocal ended
        result = function(*given)
        ended = True
        return result

    several = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype), first)
    mapped = jax.vmap(ends, in_axes=(0, *(None for _ in rest)), out_axes=None)
    try:
        jax.eval_shape(mapped, several, *rest)
    except ValueError:
        # This is how vmap refuses to return, without an axis, what varies along the mapped one.
        if not ended:
            raise
        return True
    return False


def primitives_of(function: Callable[..., Any], *arguments: Any) -> frozenset[str]:
    """Names of JAX's operations that a function is traced to, those inside loops and branches too.

    Args:
        function: whose arguments and results are pytrees of arrays.
        arguments: arrays, or their shapes and dtypes.
    """
    traced = jax.make_jaxpr(lambda *given: function(*given))(*arguments)
    return frozenset(_primitives(traced))


def _primitives(part: Any) -> Iterator[str]:
    """Of a program, or of what a parameter of an operation holds of programs."""
    # Asked for equations first: in newer releases of JAX a program has itself as its ``jaxpr``.
    if hasattr(part, "eqns"):
        for equation in part.eqns:
            yield str(equation.primitive)
            yield from _primitives(equation.params)
    elif hasattr(part, "jaxpr"):
        yield from _primitives(part.jaxpr)
    elif isinstance(part, Mapping):
        for inner in part.values():
            yield from _primitives(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _primitives(inner)
