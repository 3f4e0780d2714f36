"""Fingerprints: whether two programs compute the same, and from the same arrays."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import count
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
    say = _Said(digest.update)
    # Not its text, which JAX writes for who reads it: in colours, and what comes again only once.
    for part in program if isinstance(program, Sequence) else (program,):
        say.program(part)
    leaves, structure = jax.tree.flatten(arrays)
    digest.update(str(structure).encode())
    for leaf in leaves:
        say.array(leaf)
    return digest.hexdigest()[:_LENGTH]


class _Said:
    """Everything that tells a program from another, put down in the order of its equations.

    A program has thousands of variables and parameters: each is a turn of a loop, and not a call.
    """

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put
        self._kinds = _Kinds()

    def program(self, program: Any) -> None:
        """Operations and constants, the variables numbered as they come."""
        put, kinds, numbers = self._put, self._kinds, defaultdict[Any, int](count().__next__)
        for constant in getattr(program, "consts", ()):
            self.array(constant)
        jaxpr = getattr(program, "jaxpr", program)
        given = (*jaxpr.constvars, *jaxpr.invars)
        put(" ".join([f"{numbers[at]}:{kinds[at.aval]}" for at in given]).encode())
        for equation in jaxpr.eqns:
            read = [
                f"{repr(at.val) if hasattr(at, 'val') else numbers[at]}:{kinds[at.aval]}"
                for at in equation.invars
            ]
            written = [f"{numbers[at]}:{kinds[at.aval]}" for at in equation.outvars]
            put(f"\n{equation.primitive} {' '.join([*read, '->', *written])}".encode())
            left: list[Any] = [
                {name: at for name, at in equation.params.items() if name not in _SAYS_NOTHING}
            ]
            while left:
                value = left.pop()
                # First what most of all parameters are: nothing, a number or a word.
                if value is None or isinstance(value, bool | int | str):
                    put(f"{_ADDRESS.sub('', str(value))},".encode())
                elif isinstance(value, bytes):
                    put(value)
                elif isinstance(value, Mapping):
                    for name in sorted(value, key=str, reverse=True):
                        left += [value[name], f"{name}=".encode()]
                elif isinstance(value, list | tuple):
                    left += [b")", *reversed(value), b"("]
                elif hasattr(value, "eqns") or hasattr(value, "jaxpr"):
                    self.program(value)
                else:
                    self.object(value)
        returned = [
            f"{repr(at.val) if hasattr(at, 'val') else numbers[at]}:{kinds[at.aval]}"
            for at in jaxpr.outvars
        ]
        put(f"\nreturn {' '.join(returned)}\n".encode())

    def object(self, value: Any) -> None:
        """Any other parameter."""
        if isinstance(value, set | frozenset):
            self._put(" ".join(sorted(map(str, value))).encode())
        elif isinstance(value, np.ndarray | jax.Array):
            self.array(value)
        else:
            self._put(f"{_ADDRESS.sub('', str(value))},".encode())

    def array(self, leaf: Any) -> None:
        """Type, shape and entries."""
        if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            self._put(str(leaf.dtype).encode())
            leaf = jax.random.key_data(leaf)
        array = np.ascontiguousarray(np.asarray(leaf))
        self._put(f"{array.dtype}{array.shape}".encode())
        self._put(array.data if array.size else b"")


class _Kinds(dict[Any, str]):
    """What JAX says of a shape and type, which is slow; of thousands few are new."""

    def __missing__(self, aval: Any) -> str:
        said = self[aval] = str(aval)
        return said
