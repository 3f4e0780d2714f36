"""Is float64 available, and what to say when it is needed and is not."""

import jax.numpy as jnp

from jaxattn.core.contracts import InputError

__all__ = ["needs_x64", "x64_is_on"]


def x64_is_on() -> bool:
    """Whether JAX computes in 64 bits here, by its flag or by a context manager."""
    return bool(jnp.result_type(float) == jnp.float64)


def needs_x64(what: str) -> None:
    """Refuse to go on in float32, and say how to switch float64 on.

    Raises:
        InputError: JAX runs with x64 off.
    """
    if not x64_is_on():
        raise InputError(
            f"{what} runs in float64: got JAX with x64 off; set JAX_ENABLE_X64=1 or call "
            'jax.config.update("jax_enable_x64", True) first.'
        )
