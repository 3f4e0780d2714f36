"""The modified flow of third order: what steps of gradient descent follow still more closely."""

import jax
from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext, tree_add_scaled
from jaxattn.flow.limits.modified import with_derivative

__all__ = ["LIMIT"]


def _equation(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    del origin
    rate = context.hyper["learning_rate"]

    def field(time: Float[Array, ""], params: Params) -> Params:
        def along(params: Params) -> tuple[Params, Params]:
            return with_derivative(context, time, params)

        first = context.descent_direction(time, params)
        # The derivative of DF[F] along F is D2F[F, F] + DF[DF[F]].
        (_, second), (_, along_first) = jax.jvp(along, (params,), (first,))
        _, again = jax.jvp(
            lambda params: context.descent_direction(time, params), (params,), (second,)
        )
        bend = tree_add_scaled(along_first, 3.0, again)
        return tree_add_scaled(tree_add_scaled(first, -rate / 2, second), rate**2 / 12, bend)

    return LimitODE(params, field)


LIMIT = Limit(
    name="third-order",
    words="the modified flow of third order",
    place=30,
    families=("sgd",),
    convergence_order=3,
    rests_with_flow=True,
    equation=_equation,
    clock="the learning rate eta: time is eta times steps",
    source="Hairer, Lubich and Wanner, Geometric Numerical Integration, IX.1",
)
"""``theta' = F - (eta/2) DF[F] + eta^2 (DF[DF[F]] / 3 + D2F[F, F] / 12)`` with ``F = -g``."""
