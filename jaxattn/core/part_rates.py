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
"""What multiplies the learning rate of each part of the parameters, where the `Hyper` has it."""


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
    names = {part: spec.name for part, spec in PART_RATES.items() if spec.name in hyper}
    parts = tree if isinstance(tree, dict) else {}
    for part, name in names.items():
        if not jax.tree.leaves(parts.get(part)):
            others = ", ".join(key for key, leaves in parts.items() if jax.tree.leaves(leaves))
            raise InputError(
                f"{name}: got parameters without a part {part!r} (there is {others or 'none'}), "
                f"expected one that this rate is of; name it so in the model's init, or drop it."
            )
    return {part: hyper[name] for part, name in names.items()}
