"""The stochastic modified equation: minibatch gradient descent and the noise of its batches."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import InputError, Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.flow.limits.modified import LIMIT as MODIFIED

__all__ = ["LIMIT", "batch_spread", "refuse_clipping"]


def batch_spread(context: RunContext, replacement: bool) -> float:
    """Covariance of a batch's mean over that of one example: ``c``.

    With batches of ``B`` out of ``N`` examples it is ``1/B`` with replacement within the batch, and
    ``(N - B) / (B (N - 1))`` without.
    """
    count, batch = context.examples, context.order.examples(context.examples)
    if replacement:
        # So of batches drawn anew, of which there are no N.
        return 1 / batch
    # A set of one example has no spread: its batch is the whole of it.
    return (count - batch) / (batch * max(count - 1, 1))


def refuse_clipping(context: RunContext, name: str) -> None:
    """Refuse a run that clips: its steps are no longer linear in the gradients of a batch.

    Raises:
        InputError: the run clips.
    """
    if "clip_norm" in context.hyper:
        raise InputError(
            f"{name}: got clip_norm, expected gradients that are not clipped; leave clip_norm out, "
            "or take flow, which clips."
        )


_INDEPENDENT = ("with-replacement", "fresh")
"""Orders in which the examples of a batch know nothing of each other."""


def _sde(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    refuse_clipping(context, "sde")
    count = context.examples
    factor = batch_spread(context, context.order.kind in _INDEPENDENT) / count
    size = jnp.sqrt(context.hyper["learning_rate"] * factor)

    def noise(time: Float[Array, ""], params: Params, dw: Float[Array, " example"]) -> Params:
        _, pull = jax.vjp(lambda params: context.per_example_losses(time, params), params)
        (moved,) = pull(size * (dw - jnp.mean(dw)))
        return context.scale(moved)

    return MODIFIED.equation(context, params, origin)._replace(noise=noise, draws=count)


LIMIT = Limit(
    name="sde",
    words="the stochastic modified equation",
    place=80,
    families=("sgd",),
    convergence_order=2,
    equation=_sde,
    clock="the learning rate eta: time is eta times steps",
    source="Li, Tai and E, ICML 2017, arXiv:1511.06251, and JMLR 20 (2019), arXiv:1811.01558",
    batch_orders=("with-replacement", "without-replacement", "fresh"),
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
