"""The modified flows of gradient descent and of heavy ball: what steps follow to a higher order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Equation, Ground, Limit, of_params, plus
from jaxattn.training.decays import momentum_of

__all__ = ["MODIFIED", "THIRD_ORDER"]


def _modified(ground: Ground, params: Params, origin: Float[Array, ""]) -> Equation:
    hyper = ground.hyper
    heavy = ground.family == "momentum"
    momentum = momentum_of(hyper) if heavy else jnp.zeros_like(hyper["learning_rate"])
    step = hyper["learning_rate"] / (1 - momentum)
    lag = step * momentum / (1 - momentum)
    bend = step / 2 * (1 + momentum) / (1 - momentum)
    at_start = ground.downhill(origin, params)

    def field(time: Float[Array, ""], params: Params) -> Params:
        first, second = _with_derivative(ground, time, params)
        return plus(first, -bend, second)

    def read(time: Float[Array, ""], params: Params) -> Params:
        return plus(params, lag * momentum ** ((time - origin) / step), at_start)

    return Equation(plus(params, -lag, at_start), field, read)


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


MODIFIED = Limit(
    name="modified",
    families=("sgd", "momentum"),
    order=2,
    equation=_modified,
    clock="eta times steps, of heavy ball eta / (1 - momentum) times steps; the momentum is held "
    "fixed as eta goes to 0",
    source="Barrett and Dherin, ICLR 2021, arXiv:2009.11162; Hairer, Lubich and Wanner, Geometric "
    "Numerical Integration, IX.1; with momentum Kovachki and Stuart, JMLR 22 (2021), "
    "arXiv:1906.04285",
    restarts=True,
)
r"""``theta' = F - (h/2) (1+b)/(1-b) DF[F]`` from ``theta0 - h b/(1-b) F0``, at ``t = h k``.

``F = -g`` is the field of gradient flow, b the momentum and ``h = eta/(1-b)`` what a step advances
time by. Gradient descent is b = 0: ``-g - (eta/2) H g``, by one Hessian-vector product, which is
gradient flow of ``L + (eta/4) |g|^2``.

Derivation. Heavy ball from a trace of 0 moves by ``theta_k+1 - theta_k = eta v_k``, where
``v_k = F_k + b F_k-1 + ... + b^k F_0`` with ``F_k = F(theta_k)``. If theta_k is a smooth x(t), then
``F_k-j = F - j h DF[x'] + O(h^2)``, and the sums of ``b^j`` and ``j b^j`` over all j >= 0 make of
the step ``x(t+h) - x(t) = h F - h^2 b/(1-b) DF[F]`` (``x' = F`` to first order). The left side is
``h x' + (h^2/2) DF[F]``, hence the field. The trace has not seen the terms j > k, as if a smooth
path had come from the start with them: what is missing is ``eta F0 (b^(k+1) + b^(k+2) + ...)``
``= h b^(k+1) F0`` of step k, in total ``h (b + b^2 + ...) F0 = h b/(1-b) F0``. By so much the
smooth path starts behind theta0, and `read` adds what is still to be missed from step k on,
``h b/(1-b) b^k F0``, so that it stands beside training from the first step on. Where F does not
depend on theta both are exact. The state of momentum starts anew where the loss jumps, and with it
the layer; for gradient descent that changes nothing.
"""

THIRD_ORDER = Limit(
    name="third-order",
    families=("sgd",),
    order=3,
    equation=_third_order,
    clock="the learning rate eta: time is eta times steps",
    source="Hairer, Lubich and Wanner, Geometric Numerical Integration, IX.1",
)
"""``theta' = F - (eta/2) DF[F] + eta^2 (DF[DF[F]] / 3 + D2F[F, F] / 12)`` with ``F = -g``."""
