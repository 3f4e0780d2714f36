"""Units of a limit's state, which may hold more than the parameters."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxattn.core.contracts import Params
from jaxattn.integrate import own_units

__all__ = ["of_new_start", "of_state"]


def of_state(state: PyTree, params: Params) -> PyTree:
    """The unit of every leaf of a state: that of its start, in the words of `own_units`.

    Parameters, velocities and moments are of different kinds: what is zero at the start takes the
    unit of others of its own kind. A kind is a part of the state with the structure of `params`;
    the first is the parameters, whose units are those of the run's, wherever the limit starts.
    """
    (first, *rest), structure = _kinds(state, params)
    first = params if _form(first) == _form(params) else first
    return jax.tree.unflatten(structure, [own_units(kind) for kind in (first, *rest)])


def of_new_start(units: PyTree, state: PyTree, params: Params) -> PyTree:
    """The units of a state that starts anew within a run whose units are these.

    The parameters, which are first in a state, go on in the units that they have. What is with them
    starts from something else here: the smaller of both units is right for it before and after.
    """
    fresh = of_state(state, params)
    (first, *before), structure = _kinds(units, params)
    (_, *after), _ = _kinds(fresh, params)
    smaller = jax.tree.map(jnp.minimum, before, after)
    return jax.tree.unflatten(structure, [first, *smaller])


def _kinds(state: PyTree, params: Params) -> tuple[list[Any], Any]:
    return jax.tree.flatten(state, is_leaf=lambda part: _form(part) == _form(params))


def _form(tree: PyTree) -> Any:
    return jax.tree.structure(tree)
