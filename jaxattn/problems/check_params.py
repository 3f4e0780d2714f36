"""Whether what a start gives can be trained, and whether values have the bits they should."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxattn.core.contracts import InputError
from jaxattn.problems.tracing import described

__all__ = ["check_params", "refuse_rounding"]


def check_params(owner: str, params: PyTree, precision: str) -> None:
    """Refuse parameters that are no pytree of float arrays, or of fewer bits than asked for.

    Args:
        owner: what made them, in messages.
        params: their shapes and dtypes.
        precision: of the problem.

    Raises:
        InputError: with the leaf.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise InputError(
            f"{owner}: got {described(params)} without arrays, expected a pytree of float "
            "arrays; give it something to train."
        )
    for path, leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise InputError(
                f"{owner}: got {described(leaf)} at {jax.tree_util.keystr(path)}, expected "
                "float arrays only, as training differentiates them; keep the rest out of params."
            )
        # Float32 says nothing: it is the default of others. Less was asked for.
        if jnp.finfo(leaf.dtype).bits < min(32, jnp.finfo(precision).bits):
            raise InputError(
                f"{owner}: got {described(leaf)} at {jax.tree_util.keystr(path)}, expected "
                f"{precision}, which is what is trained; leave param_dtype out."
            )


def refuse_rounding(owner: str, value: Any, precision: str) -> None:
    """Refuse what is rounded to fewer bits than a float64 problem has; flows would be of noise."""
    wanted = jax.dtypes.canonicalize_dtype(precision)
    if precision == "float64" and jnp.finfo(value.dtype).bits < jnp.finfo(wanted).bits:
        raise InputError(
            f"{owner}: got {described(value)} in a problem of precision {precision}, expected "
            f"{wanted}; leave out what rounds to {value.dtype}, such as dtype= of a Flax module."
        )
