"""Where discrete training must leave its flow: the edge of stability."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import Hyper
from jaxattn.core.lookup import resolve
from jaxattn.training.decays import beta1_of, momentum_of

__all__ = ["EDGES", "edge", "growth"]


def _descent(hyper: Hyper) -> Array:
    return jnp.full_like(hyper["learning_rate"], 2)


def _heavy_ball(hyper: Hyper) -> Array:
    return 2 * (1 + momentum_of(hyper))


def _adam(hyper: Hyper) -> Array:
    first = beta1_of(hyper)
    return 2 * (1 + first) / (1 - first)


def _adamw(hyper: Hyper) -> Array:
    # A step keeps 1 - decay of the parameters: of an eigenvalue the two roots z are those of
    # z^2 - (1 - decay + b - (1 - b) product) z + b (1 - decay), and z = -1 is the edge.
    decay = hyper["learning_rate"] * hyper["weight_decay"]
    return (2 - decay) * (1 + hyper["beta1"]) / (1 - hyper["beta1"])


EDGES: Mapping[str, Callable[[Hyper], Array]] = {
    "sgd": _descent,
    "momentum": _heavy_ball,
    "adam": _adam,
    "adamw": _adamw,
}
"""By the optimiser's name, from its hyperparameters."""


def edge(optimiser: str, hyper: Mapping[str, Any]) -> Float[Array, "*row"]:
    """The largest ``learning_rate * sharpness`` at which steps on a quadratic do not grow.

    2 for gradient descent; ``2 (1 + b)`` for heavy ball as optax has it, ``trace = b trace +
    gradient; theta -= learning_rate trace`` (Cohen et al., arXiv:2103.00065). For Adam with its
    second moment held, ``2 (1 + beta1) / (1 - beta1)``, where the sharpness is that of the
    preconditioned Hessian: `jaxattn.probes.curvature.top_eigenvalues` with the inverse of
    ``sqrt(v_hat + eps_root) + eps`` as scale (Cohen et al., arXiv:2207.14484). AdamW has
    ``2 - learning_rate * weight_decay`` in place of 2, as its decay shrinks the parameters too.

    With a ``focus_rate`` this holds of the sharpness scaled by
    `jaxattn.core.part_rates.rate_scale` as well, and with a ``friction`` or ``tau1`` held fixed of
    the momentum or ``beta1`` that it makes at the learning rate. It does not hold while
    ``clip_norm`` clips, which bounds every step.

    Args:
        optimiser: one of `EDGES`.
        hyper: its hyperparameters, scalars or arrays of one shape.

    Raises:
        InputError: an optimiser whose edge is not known.
    """
    of = resolve("edge of an optimiser", EDGES, optimiser)
    values = jnp.broadcast_arrays(*(jnp.asarray(value, dtype=float) for value in hyper.values()))
    rows = {name: value.reshape(-1) for name, value in zip(hyper, values, strict=True)}
    return jax.vmap(of)(rows).reshape(values[0].shape)


def _step_of_descent(hyper: Hyper, product: Array) -> tuple[Array, Array]:
    del hyper
    return 1 - product, jnp.zeros_like(product)


def _step_of_heavy_ball(hyper: Hyper, product: Array) -> tuple[Array, Array]:
    kept = momentum_of(hyper)
    return 1 + kept - product, kept


def _step_of_adam(hyper: Hyper, product: Array) -> tuple[Array, Array]:
    first = beta1_of(hyper)
    return 1 + first - (1 - first) * product, first


def _step_of_adamw(hyper: Hyper, product: Array) -> tuple[Array, Array]:
    first, kept = hyper["beta1"], 1 - hyper["learning_rate"] * hyper["weight_decay"]
    return kept + first - (1 - first) * product, first * kept


_STEPS: Mapping[str, Callable[[Hyper, Array], tuple[Array, Array]]] = {
    "sgd": _step_of_descent,
    "momentum": _step_of_heavy_ball,
    "adam": _step_of_adam,
    "adamw": _step_of_adamw,
}
"""Trace and determinant of a step on a quadratic, of an error and the one before it."""


def growth(optimiser: str, hyper: Mapping[str, Any], product: Any) -> Float[Array, "*row"]:
    """The factor by which an error along an eigenvector grows a step, in the long run.

    Of gradient descent ``|1 - product|``; with a memory the size of the larger root z of ``z^2 -
    trace z + determinant``, see `edge`, at which it is 1 and above which it is more.

    Args:
        optimiser: one of `EDGES`.
        hyper: its hyperparameters, scalars or arrays that broadcast with `product`.
        product: learning rate times the eigenvalue.

    Raises:
        InputError: an optimiser whose edge is not known.
    """
    of = resolve("edge of an optimiser", _STEPS, optimiser)
    given = (jnp.asarray(value, dtype=float) for value in (product, *hyper.values()))
    product, *values = jnp.broadcast_arrays(*given)
    rows = {name: value.reshape(-1) for name, value in zip(hyper, values, strict=True)}
    trace, determinant = jax.vmap(of)(rows, product.reshape(-1))
    root = jnp.sqrt(jnp.maximum(trace**2 - 4 * determinant, 0))
    # Roots that are not real have the size of the determinant's root.
    is_real = trace**2 >= 4 * determinant
    size = jnp.where(is_real, (jnp.abs(trace) + root) / 2, jnp.sqrt(jnp.abs(determinant)))
    return size.reshape(product.shape)
