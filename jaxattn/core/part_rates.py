"""Learning rates of parts of the parameters: what training, its limits and curvature share."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import HyperSpec
from jaxattn.core.errors import InputError
from jaxattn.core.inputs import Hyper, Params

__all__ = ["PART_RATES", "rate_scale", "scaled_by_part"]

PART_RATES = {
    "focus": HyperSpec(
        "focus_rate", None, low=0.0, doc="multiplies the learning rate of the focus model"
    )
}
"""By part of the parameters: what its learning rate is multiplied by, where the `Hyper` has it."""


def scaled_by_part(tree: PyTree, hyper: Hyper) -> PyTree:
    """Each part of a tree like the parameters times its own rate.

    Args:
        tree: parts by name, as the parameters have them.
        hyper: ``focus_rate`` may be in it.

    Raises:
        InputError: a rate of a part that is not there, or has no parameters.
    """
    rates = _rates(tree, hyper)
    faster = {
        part: jax.tree.map(lambda leaf, rate=rate: rate * leaf, tree[part])
        for part, rate in rates.items()
    }
    return {**tree, **faster} if faster else tree


def rate_scale(params: Params, hyper: Hyper) -> Params:
    """What multiplies the learning rate of each parameter, shaped like `params`.

    Raises:
        InputError: as `scaled_by_part`.
    """
    rates = _rates(params, hyper)
    if not rates:
        return jax.tree.map(jnp.ones_like, params)

    def fill(part: str, leaves: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.full_like(leaf, rates.get(part, 1)), leaves)

    return {part: fill(part, leaves) for part, leaves in params.items()}


def _rates(tree: PyTree, hyper: Hyper) -> dict[str, Float[Array, ""]]:
    asked = {part: spec.name for part, spec in PART_RATES.items() if spec.name in hyper}
    for part, name in asked.items():
        there = tree if isinstance(tree, dict) else {}
        if not jax.tree.leaves(there.get(part)):
            parts = ", ".join(one for one, leaves in there.items() if jax.tree.leaves(leaves))
            raise InputError(
                f"{name}: got parameters without a part {part!r} (there is {parts or 'none'}), "
                f"expected one that this rate is of; name it so in the model's init, or drop it."
            )
    return {part: hyper[name] for part, name in asked.items()}
