"""How fast the moving averages of momentum, Adam and RMSprop forget: per step, and in time."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import Hyper

__all__ = ["adam_decays", "beta1_of", "momentum_of", "rmsprop_decay", "time_constant"]


def momentum_of(hyper: Hyper) -> Float[Array, ""]:
    """The momentum in force: ``1 - friction * sqrt(learning_rate)`` where there is a friction."""
    if "friction" in hyper:
        return 1 - hyper["friction"] * jnp.sqrt(hyper["learning_rate"])
    return hyper["momentum"]


def beta1_of(hyper: Hyper) -> Float[Array, ""]:
    """The first of `adam_decays`."""
    return _decay(hyper, "beta1", "tau1")


def adam_decays(hyper: Hyper) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Decays per step of Adam's first and second moment: ``beta1``, ``beta2``.

    Where ``tau1`` or ``tau2`` is given, the decay whose `time_constant` that is at the
    ``learning_rate``, whatever a schedule makes of the rate later; above 0 for a rate below twice
    the time constant.
    """
    return beta1_of(hyper), _decay(hyper, "beta2", "tau2")


def rmsprop_decay(hyper: Hyper) -> Float[Array, ""]:
    """Decay per step of RMSprop's second moment: ``decay``, or what a given ``tau`` makes it."""
    return _decay(hyper, "decay", "tau")


def time_constant(decay: Float[Array, ""], rate: Float[Array, ""]) -> Float[Array, ""]:
    """The time ``tau`` after which an average with this decay has forgotten all but 1/e.

    ``rate (1 + decay) / (2 (1 - decay))``, in time on the optimiser's clock, which gives
    ``e^(-rate / tau) = decay`` up to the third power of ``rate / tau``; ``rate / (1 - decay)`` is
    right up to the second only.
    """
    return rate * (1 + decay) / (2 * (1 - decay))


def _decay(hyper: Hyper, name: str, constant: str) -> Float[Array, ""]:
    if constant not in hyper:
        return hyper[name]
    # `time_constant`, solved for the decay.
    rate, tau = hyper["learning_rate"], hyper[constant]
    return (2 * tau - rate) / (2 * tau + rate)
