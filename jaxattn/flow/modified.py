"""The modified flows of gradient descent: what its steps really follow, to a higher order."""

import jax
from jaxtyping import Array, Float

from jaxattn.contracts import Params
from jaxattn.flow.limit import Equation, Ground, Limit, of_params, plus

__all__ = ["MODIFIED", "THIRD_ORDER"]


def _modified(ground: Ground, params: Params, origin: Float[Array, ""]) -> Equation:
    del origin
    rate = ground.hyper["learning_rate"]

    def field(time: Float[Array, ""], params: Params) -> Params:
        first, second = _with_derivative(ground, time, params)
        return plus(first, -rate / 2, second)

    return Equation(params, field, of_params)


def _third_order(ground: Ground, params: Params, origin: Float[Array, ""]) -> Equation:
    del origin
    rate = ground.hyper["learning_rate"]

    def field(time: Float[Array, ""], params: Params) -> Params:
        def along(params: Params) -> tuple[Params, Params]:
            return _with_derivative(ground, time, params)

        first = ground.downhill(time, params)
        # The derivative of DF[F] along F is D2F[F, F] + DF[DF[F]].
        (_, second), (_, along_first) = jax.jvp(along, (params,), (first,))
        _, again = jax.jvp(lambda params: ground.downhill(time, params), (params,), (second,))
        bend = plus(along_first, 3.0, again)
        return plus(plus(first, -rate / 2, second), rate**2 / 12, bend)

    return Equation(params, field, of_params)


def _with_derivative(
    ground: Ground, time: Float[Array, ""], params: Params
) -> tuple[Params, Params]:
    """The field ``F`` of gradient flow and its derivative along itself, ``DF[F]``."""
    first = ground.downhill(time, params)
    _, second = jax.jvp(lambda params: ground.downhill(time, params), (params,), (first,))
    return first, second


_CLOCK = "the learning rate eta: time is eta times steps"

MODIFIED = Limit(
    name="modified",
    families=("sgd",),
    order=2,
    equation=_modified,
    clock=_CLOCK,
    source="Barrett and Dherin, ICLR 2021, arXiv:2009.11162; Hairer, Lubich and Wanner, Geometric "
    "Numerical Integration, IX.1",
)
"""``theta' = F - (eta/2) DF[F]`` with ``F = -g``: ``-g - (eta/2) H g``, by one Hessian-vector
product. It is gradient flow of ``L + (eta/4) |g|^2``."""

THIRD_ORDER = Limit(
    name="third-order",
    families=("sgd",),
    order=3,
    equation=_third_order,
    clock=_CLOCK,
    source="Hairer, Lubich and Wanner, Geometric Numerical Integration, IX.1",
)
"""``theta' = F - (eta/2) DF[F] + eta^2 (DF[DF[F]] / 3 + D2F[F, F] / 12)`` with ``F = -g``."""
