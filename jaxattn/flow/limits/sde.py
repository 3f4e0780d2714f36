"""The stochastic modified equation: minibatch gradient descent and the noise of its batches."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import InputError, Params
from jaxattn.flow.limits.base import Equation, Ground, Limit
from jaxattn.flow.limits.modified import MODIFIED

__all__ = ["SDE", "batch_spread", "refuse_clipping"]


def batch_spread(ground: Ground, replacement: bool) -> float:
    """Covariance of a batch's mean over that of one example: ``c``.

    With batches of ``B`` out of ``N`` examples it is ``1/B`` with replacement within the batch, and
    ``(N - B) / (B (N - 1))`` without.
    """
    count, batch = ground.examples, ground.order.examples(ground.examples)
    if replacement:
        return 1 / batch
    # A set of one example has no spread: its batch is the whole of it.
    return (count - batch) / (batch * max(count - 1, 1))


def refuse_clipping(ground: Ground, name: str) -> None:
    """Refuse a run that clips: its steps are no longer linear in the gradients of a batch.

    Raises:
        InputError: the run clips.
    """
    if "clip_norm" in ground.hyper:
        raise InputError(
            f"{name}: got clip_norm, expected gradients that are not clipped; leave clip_norm out, "
            "or take flow, which clips."
        )


def _sde(ground: Ground, params: Params, origin: Float[Array, ""]) -> Equation:
    refuse_clipping(ground, "sde")
    count = ground.examples
    factor = batch_spread(ground, ground.order.kind == "with-replacement") / count
    size = jnp.sqrt(ground.hyper["learning_rate"] * factor)

    def noise(time: Float[Array, ""], params: Params, dw: Float[Array, " example"]) -> Params:
        _, pull = jax.vjp(lambda params: ground.losses(time, params), params)
        (moved,) = pull(size * (dw - jnp.mean(dw)))
        return ground.scale(moved)

    return MODIFIED.equation(ground, params, origin)._replace(noise=noise, draws=count)


SDE = Limit(
    name="sde",
    families=("sgd",),
    order=2,
    equation=_sde,
    clock="the learning rate eta: time is eta times steps",
    source="Li, Tai and E, ICML 2017, arXiv:1511.06251, and JMLR 20 (2019), arXiv:1811.01558",
    orders=("with-replacement", "without-replacement"),
    stochastic=True,
)
"""``d theta = (F - (eta/2) DF[F]) dt + sqrt(eta c/N) sum_i P (g_i - g) dW_i`` (Ito).

``F = -P g``, ``P`` the focus rate, ``g_i`` the gradient of example ``i`` of ``N`` and ``g`` their
mean; ``c`` is that of `batch_spread`. The order is weak: expectations of smooth functions of the
parameters differ from those over training by ``O(eta^2)``. Without the noise, or with another
``c``, by ``O(eta)``.

The noise is one vector-Jacobian product of the vector of the losses, so no gradient of one example
is kept, and no covariance is formed or factored: with ``m`` the mean of ``dW``, ``sum_i (g_i - g)
dW_i = sum_i g_i dW_i - (sum_i g_i) m = sum_i g_i (dW_i - m)``. All examples count alike; a row
whose weights differ fails.
"""
