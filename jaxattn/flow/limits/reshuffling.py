"""The reshuffling flow: what gradient descent follows that goes through the set in epochs."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import InputError, Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext, tree_add_scaled
from jaxattn.flow.limits.sde import batch_spread, refuse_clipping

__all__ = ["LIMIT"]


def _reshuffling(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    del origin
    refuse_clipping(context, "reshuffling")
    count, batch = context.examples, context.order.examples(context.examples)
    if count % batch:
        raise InputError(
            f"reshuffling: got a batch size of {batch} for {count} examples, expected one that "
            "divides them; a smaller last batch makes the sum of an epoch's steps random."
        )
    spread = batch_spread(context, replacement=False)
    rate = context.hyper["learning_rate"]

    def roughness(time: Float[Array, ""], params: Params) -> Float[Array, ""]:
        """Half the mean of ``g_b . P g_b`` over all batches ``b`` that an epoch may hold."""
        each = context.per_example_gradients(time, params)
        whole = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), each)
        of_one = _product(each, context.scale(each)) / count
        return ((1 - spread) * _product(whole, context.scale(whole)) + spread * of_one) / 2

    def field(time: Float[Array, ""], params: Params) -> Params:
        bend = context.scale(jax.grad(roughness, argnums=1)(time, params))
        return tree_add_scaled(context.descent_direction(time, params), -rate / 2, bend)

    return LimitODE(params, field)


def _product(a: Params, b: Params) -> Float[Array, ""]:
    return sum(
        (jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)),
        start=jnp.zeros(()),
    )


LIMIT = Limit(
    name="reshuffling",
    words="the reshuffling flow",
    place=90,
    families=("sgd",),
    convergence_order=2,
    equation=_reshuffling,
    clock="the learning rate eta: time is eta times steps, looked at where epochs end",
    source="Smith, Dherin, Barrett and De, ICLR 2021, arXiv:2101.12176",
    batch_orders=("shuffled", "shuffled-per-seed"),
)
"""``theta' = -P grad[L + (eta/4) E(g_b . P g_b)]``, ``g_b`` the mean gradient of a batch ``b``.

An epoch of ``n`` steps along ``F_b = -P g_b`` ends at ``theta + eta sum_b F_b + eta^2 sum_{a<b}
DF_b F_a + O(eta^3)``. Over the orders of its batches the last sum is on average half of ``(sum_b
DF_b)(sum_b F_b) - sum_b DF_b F_b``. The flow's own second order takes its first part, and
``-(eta/2) mean_b DF_b F_b`` is left, where ``DF_b F_b = P grad[g_b . P g_b / 2]``. Over all
partitions into batches of ``B``, which divides ``N``, the mean of ``g_b . P g_b`` is ``g . P g + c
mean_i (g_i - g) . P (g_i - g)`` with ``c = (N - B) / (B (N - 1))``.

The mean of the parameters follows it at the ends of epochs; within one it is off by ``O(eta^2)``
times the steps of an epoch. Single runs scatter about it by ``O(eta^(3/2))``: epoch shuffling has
no white noise at this order. It would have, were the batches unequal, so ``B`` must divide ``N``.
The gradient of every example is held at once: ``N`` times the size of the parameters. All examples
count alike; a row whose weights differ fails.
"""
