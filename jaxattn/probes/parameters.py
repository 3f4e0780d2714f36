"""Parameters kept along the path, each under its name: ``params.W [save, W_0, W_1]``."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import jax
from jaxtyping import Array, PyTree

from jaxattn.core.contracts import Hyper, InputError, MeasureSpec, Params
from jaxattn.core.lookup import nearest
from jaxattn.probes.probe import Loss, Probe

__all__ = ["EVERY", "PARAMS", "Leaf", "leaves_of", "parameters", "refuse_unknown_leaves"]

EVERY = "all"
"""Keeps every parameter."""

PARAMS = "params"
"""What variables of kept parameters begin with; a bare array is called so itself."""


class Leaf(NamedTuple):
    """One array among the parameters."""

    name: str
    """Keys on the way to it, with dots between: ``first.kernel``; empty for a bare array."""
    place: int
    """Its number in ``jax.tree.leaves``."""
    shape: tuple[int, ...]

    @property
    def variable(self) -> str:
        """What it is called in a result."""
        return f"{PARAMS}.{self.name}" if self.name else PARAMS


def leaves_of(params: PyTree, asked: Iterable[str] = (EVERY,)) -> tuple[Leaf, ...]:
    """The arrays that are called so, or are below what is; none where there is no such.

    Args:
        params: arrays, or their shapes.
        asked: names as `Leaf` has them, or `EVERY`; `PARAMS` is the bare array.
    """
    names = tuple(asked)
    every = [
        Leaf(".".join(map(_key, path)), place, tuple(leaf.shape))
        for place, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(params))
    ]
    return tuple(leaf for leaf in every if any(_is_in(leaf, name) for name in names))


def _key(key: object) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            # A slash would be a group of the file.
            return str(getattr(key, attribute)).replace("/", ".")
    return str(key)


def _is_in(leaf: Leaf, name: str) -> bool:
    alone = leaf.name or PARAMS
    return name in (EVERY, alone) or leaf.name.startswith(f"{name}.")


def refuse_unknown_leaves(asked: Iterable[str], every: Iterable[PyTree]) -> None:
    """Refuse names that no parameters have.

    Args:
        asked: names to keep.
        every: the parameters of each problem.

    Raises:
        InputError: with the nearest name.
    """
    trees = [tree for tree in every if jax.tree.leaves(tree)]
    known = {leaf.name or PARAMS: leaf for tree in trees for leaf in leaves_of(tree)}
    for name in asked if trees else ():
        if not any(leaves_of(tree, (name,)) for tree in trees):
            hint = nearest(name, known) or "pick some of these."
            raise InputError(
                f"keep: got {name!r}, expected parameters by name, of {', '.join(known)}, or "
                f"{EVERY}; {hint}"
            )
    shapes: dict[str, tuple[int, ...]] = {}
    for leaf in (leaf for tree in trees for leaf in leaves_of(tree, asked)):
        known_shape = shapes.setdefault(leaf.name, leaf.shape)
        if len(known_shape) != len(leaf.shape):
            raise InputError(
                f"keep: got {leaf.name!r} of {len(known_shape)} and of {len(leaf.shape)} axes in "
                "different problems, expected as many in each; call them by different names."
            )


@lru_cache(maxsize=64)
def parameters(leaves: tuple[Leaf, ...]) -> Probe:
    """The probe of some parameters as they are.

    Args:
        leaves: which, of all that there are.
    """

    def measure(loss: Loss, params: Params, hyper: Hyper, scale: Params) -> dict[str, Array]:
        del loss, hyper, scale
        values = jax.tree.leaves(params)
        return {leaf.variable: values[leaf.place] for leaf in leaves}

    return Probe("parameters", measure, tuple(map(_spec, leaves)))


def _spec(leaf: Leaf) -> MeasureSpec:
    name = leaf.name or PARAMS
    dims = tuple(f"{name}_{place}" for place in range(len(leaf.shape)))
    coords = tuple(tuple(range(length)) for length in leaf.shape)
    return MeasureSpec(leaf.variable, dims, coords, long_name=f"parameter {name}")
