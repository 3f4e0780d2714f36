"""Fingerprints: whether two programs compute the same, and from the same arrays."""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

__all__ = ["fingerprint"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""Of an object that a primitive carries: another in every process."""

_SAYS_NOTHING = ("name", "debug_info")
"""Parameters of primitives that say what a function is called, and where it is written."""

_LENGTH = 16
"""Hexadecimal digits: 64 bits, so that two that differ are as good as never taken for one."""


def fingerprint(program: Any, *arrays: PyTree) -> str:
    """A hash of what a traced program computes: its operations, its constants, and `arrays`.

    The same in every process of the same versions. Names of functions and variables and where they
    are written have no part in it; what a host callback does is not seen.

    Args:
        program: such as ``jax.jit(f).trace(...).jaxpr``, or several in the order they run in.
        arrays: what else it depends on, such as data.
    """
    digest = sha256()
    # Not its text, which JAX writes for who reads it: in colours, and what comes again only once.
    for part in program if isinstance(program, Sequence) else (program,):
        for said in _program(part):
            digest.update(said)
    leaves, structure = jax.tree.flatten(arrays)
    digest.update(str(structure).encode())
    for leaf in leaves:
        for said in _array(leaf):
            digest.update(said)
    return digest.hexdigest()[:_LENGTH]


def _program(program: Any) -> Iterator[bytes | memoryview]:
    """Everything that tells a program from another, its variables numbered as they come."""
    for constant in getattr(program, "consts", ()):
        yield from _array(constant)
    jaxpr = getattr(program, "jaxpr", program)
    numbers: dict[Any, int] = {}

    def called(variable: Any) -> str:
        if hasattr(variable, "val"):
            return f"{variable.val!r}:{variable.aval}"
        return f"{numbers.setdefault(variable, len(numbers))}:{variable.aval}"

    yield " ".join(map(called, (*jaxpr.constvars, *jaxpr.invars))).encode()
    for equation in jaxpr.eqns:
        words = [*map(called, equation.invars), "->", *map(called, equation.outvars)]
        yield f"\n{equation.primitive} {' '.join(words)}".encode()
        yield from _parameter(
            {name: at for name, at in equation.params.items() if name not in _SAYS_NOTHING}
        )
    yield f"\nreturn {' '.join(map(called, jaxpr.outvars))}\n".encode()


def _parameter(value: Any) -> Iterator[bytes | memoryview]:
    if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
        yield from _program(value)
    elif isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield f"{name}=".encode()
            yield from _parameter(value[name])
    elif isinstance(value, set | frozenset):
        yield " ".join(sorted(map(str, value))).encode()
    elif isinstance(value, list | tuple):
        yield b"("
        for item in value:
            yield from _parameter(item)
        yield b")"
    elif isinstance(value, np.ndarray | jax.Array):
        yield from _array(value)
    else:
        yield f"{_ADDRESS.sub('', str(value))},".encode()


def _array(leaf: Any) -> Iterator[bytes | memoryview]:
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        yield str(leaf.dtype).encode()
        leaf = jax.random.key_data(leaf)
    array = np.ascontiguousarray(np.asarray(leaf))
    yield f"{array.dtype}{array.shape}".encode()
    yield array.data if array.size else b""
