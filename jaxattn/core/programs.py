"""What a function computes, seen by tracing it: whether it is pure, and what it depends on."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

__all__ = ["Program", "depends_on_first", "program_of"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Where a Python object lies in memory, which says nothing of what is computed."""


class Program(NamedTuple):
    """What a function computes of arguments of some shapes."""

    text: str
    constants: tuple[Any, ...]
    shapes: PyTree
    """Shapes and dtypes of what it returns."""

    def same_as(self, other: "Program") -> bool:
        """Whether both compute the same by the same steps, constants included."""
        return (
            self.text == other.text
            and len(self.constants) == len(other.constants)
            and all(map(_alike, self.constants, other.constants))
        )


def program_of(function: Callable[..., Any], *arguments: Any) -> Program:
    """The program that a function is traced to; nothing is computed.

    Args:
        function: whose arguments and results are pytrees of arrays.
        arguments: arrays, or their shapes and dtypes.
    """
    # JAX remembers what it has traced by the function itself; this one is new each time.
    traced, shapes = jax.make_jaxpr(lambda *given: function(*given), return_shape=True)(*arguments)
    return Program(_ADDRESS.sub("", str(traced)), tuple(traced.consts), shapes)


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


def _alike(one: Any, other: Any) -> bool:
    if one is other:
        return True
    first, second = (np.asarray(_data(constant)) for constant in (one, other))
    return first.dtype == second.dtype and np.array_equal(
        first, second, equal_nan=first.dtype.kind == "f"
    )


def _data(constant: Any) -> Any:
    """A constant as numbers: NumPy has no array of keys."""
    dtype = getattr(constant, "dtype", float)
    return jax.random.key_data(constant) if jnp.issubdtype(dtype, jax.dtypes.prng_key) else constant
