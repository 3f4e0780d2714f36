"""Fingerprints: whether two programs compute the same, and from the same arrays."""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

__all__ = ["fingerprint"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Of a function that a primitive carries: another in every process."""

_LENGTH = 16
"""Hexadecimal digits: 64 bits, so that two that differ are as good as never taken for one."""


def fingerprint(program: Any, *arrays: PyTree) -> str:
    """A hash of what a traced program computes: its operations, its constants, and `arrays`.

    The same in every process of the same versions. Names of functions and variables and where they
    are written have no part in it; what a host callback does is not seen.

    Args:
        program: such as ``jax.jit(f).trace(...).jaxpr``.
        arrays: what else it depends on, such as data.
    """
    digest = sha256(_ADDRESS.sub("", str(program)).encode())
    leaves, structure = jax.tree.flatten(arrays)
    digest.update(str(structure).encode())
    for leaf in (*_constants(program), *leaves):
        array = np.ascontiguousarray(_as_numbers(leaf))
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:_LENGTH]


def _as_numbers(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _constants(program: Any) -> Iterator[Any]:
    """Arrays that a traced program closed over, or one inside it did."""
    yield from getattr(program, "consts", ())
    for equation in getattr(program, "jaxpr", program).eqns:
        for value in jax.tree.leaves(equation.params, is_leaf=_is_program):
            if _is_program(value):
                yield from _constants(value)


def _is_program(value: Any) -> bool:
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")
