"""Where discrete training must leave its flow: the edge of stability."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxattn.measures import first_crossing
from jaxattn.names import resolve

__all__ = ["EDGES", "edge", "first_past"]

_Values: TypeAlias = Mapping[str, Array]


def _descent(hyper: _Values) -> Array:
    return jnp.full_like(hyper["learning_rate"], 2)


def _heavy_ball(hyper: _Values) -> Array:
    return 2 * (1 + hyper["momentum"])


def _adam(hyper: _Values) -> Array:
    return 2 * (1 + hyper["beta1"]) / (1 - hyper["beta1"])


def _adamw(hyper: _Values) -> Array:
    # A step keeps 1 - decay of the parameters: of an eigenvalue the two roots z are those of
    # z^2 - (1 - decay + b - (1 - b) product) z + b (1 - decay), and z = -1 is the edge.
    decay = hyper["learning_rate"] * hyper["weight_decay"]
    return (2 - decay) * (1 + hyper["beta1"]) / (1 - hyper["beta1"])


EDGES: Mapping[str, Callable[[_Values], Array]] = {
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
    preconditioned Hessian: `jaxattn.curvature.top_eigenvalues` with the inverse of
    ``sqrt(v_hat + eps_root) + eps`` as scale (Cohen et al., arXiv:2207.14484). AdamW has
    ``2 - learning_rate * weight_decay`` in place of 2, as its decay shrinks the parameters too.

    With a ``focus_rate`` this holds of the sharpness scaled by `jaxattn.curvature.rate_scale` as
    well. It does not hold while ``clip_norm`` clips, which bounds every step.

    Args:
        optimiser: one of `EDGES`.
        hyper: its hyperparameters, scalars or arrays of one shape.

    Raises:
        InputError: an optimiser whose edge is not known.
    """
    of = resolve("edge of an optimiser", EDGES, optimiser)
    return of({name: jnp.asarray(value) for name, value in hyper.items()})


def first_past(
    time: Float[np.ndarray, "*#row save"],
    product: Float[np.ndarray, "*row save"],
    level: Float[np.ndarray, "*#row"] | float,
) -> Float[np.ndarray, "*row"]:
    """When ``learning_rate * sharpness`` first reaches the edge; infinite if it never does.

    Between two saves the product is taken to be linear in time, as `first_crossing` has it: saves
    that lie far apart on a logarithmic axis say no more than that. NaN has reached nothing.

    Args:
        time: increasing times of the saves, any unit; may have the leading axes of `product`.
        product: the learning rate in force at each save times the sharpness there.
        level: the edge of each row, above 0.
    """
    product = np.asarray(product, dtype=float)
    found = first_crossing(time, product / np.asarray(level, dtype=float)[..., None], 1.0)
    return np.where(np.isnan(found), np.inf, found)
