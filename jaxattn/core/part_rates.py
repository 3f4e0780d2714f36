"""Learning rates of parts of the parameters: what training, its limits and curvature share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.errors import InputError
from jaxattn.core.hyper_spec import HyperSpec
from jaxattn.core.inputs import Hyper, Params

__all__ = ["FOCUS", "Part", "leaves_of_part", "rate_scale", "scaled_by_part"]


class Part(NamedTuple):
    """A named part of the parameters, which may have a learning rate of its own.

    ``select(params) -> subtree`` takes some of the leaves of a tree like the parameters as they
    are, such as ``lambda params: params["focus"]``.
    """

    name: str
    select: Callable[[PyTree], PyTree]

    @property
    def rate(self) -> HyperSpec:
        """What multiplies its learning rate, where the `Hyper` has it."""
        doc = f"multiplies the learning rate of the part {self.name}"
        return HyperSpec(f"{self.name}_rate", None, low=0.0, doc=doc)


def _focus(tree: PyTree) -> PyTree:
    return tree["focus"]


FOCUS = Part("focus", _focus)
"""The focus model of an attention network."""


_NO_SELECTION = (
    "part {!r}: got a function that makes something of the parameters, expected one that selects "
    "some of them, whole and each once, as lambda params: params['a']."
)


def leaves_of_part(tree: PyTree, part: Part) -> tuple[int, ...]:
    """Numbers of the leaves of `tree` that a part has, in the order of ``jax.tree.leaves``.

    Raises:
        InputError: no such part, one without parameters, or one that is no selection of leaves.
    """
    leaves, structure = jax.tree.flatten(tree)
    # Marks in place of arrays: nothing can be made of them, they can only be chosen.
    marks = [object() for _ in leaves]
    number_of = {id(mark): number for number, mark in enumerate(marks)}
    try:
        chosen = jax.tree.leaves(part.select(jax.tree.unflatten(structure, marks)))
    except (AttributeError, LookupError) as error:
        raise InputError(_lacking(tree, part)) from error
    except TypeError as error:
        if jax.tree_util.treedef_is_leaf(structure):
            raise InputError(_lacking(tree, part)) from error
        raise InputError(_NO_SELECTION.format(part.name)) from error
    if not chosen:
        raise InputError(_lacking(tree, part))
    numbers = {number_of[id(mark)] for mark in chosen if id(mark) in number_of}
    if len(numbers) < len(chosen):
        raise InputError(_NO_SELECTION.format(part.name))
    return tuple(sorted(numbers))


def scaled_by_part(tree: PyTree, hyper: Hyper, parts: tuple[Part, ...] = (FOCUS,)) -> PyTree:
    """Each part of a tree like the parameters times its own rate.

    Args:
        tree: like the parameters.
        hyper: ``focus_rate`` and its like may be in it.
        parts: those that may have rates.

    Raises:
        InputError: a rate of a part that is not there, or has no parameters.
    """
    leaves, structure = jax.tree.flatten(tree)
    for number, rate in _rates(tree, hyper, parts):
        leaves[number] = rate * leaves[number]
    return jax.tree.unflatten(structure, leaves)


def rate_scale(params: Params, hyper: Hyper, parts: tuple[Part, ...] = (FOCUS,)) -> Params:
    """What multiplies the learning rate of each parameter, shaped like `params`.

    Raises:
        InputError: as `scaled_by_part`.
    """
    leaves, structure = jax.tree.flatten(params)
    rates: dict[int, Array | int] = {}
    for number, rate in _rates(params, hyper, parts):
        rates[number] = rate * rates[number] if number in rates else rate
    scales = [jnp.full_like(leaf, rates.get(number, 1)) for number, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, scales)


def _rates(
    tree: PyTree, hyper: Hyper, parts: tuple[Part, ...]
) -> list[tuple[int, Float[Array, ""]]]:
    """The rate of every leaf that has one, by its number."""
    asked = [part for part in parts if part.rate.name in hyper]
    return [
        (number, hyper[part.rate.name]) for part in asked for number in leaves_of_part(tree, part)
    ]


def _lacking(tree: PyTree, part: Part) -> str:
    parts: dict[Any, Any] = tree if isinstance(tree, dict) else {}
    others = ", ".join(str(key) for key, leaves in parts.items() if jax.tree.leaves(leaves))
    return (
        f"{part.rate.name}: got parameters without a part {part.name!r} (there is "
        f"{others or 'none'}), expected one that this rate is of; name it so in the model's init, "
        "or drop it."
    )
