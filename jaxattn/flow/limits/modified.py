"""The modified flow of gradient descent and of heavy ball: what steps follow to second order."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext, tree_add_scaled
from jaxattn.training.decays import momentum_of

__all__ = ["LIMIT", "with_derivative"]


def _modified(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    hyper = context.hyper
    heavy = context.family == "momentum"
    momentum = momentum_of(hyper) if heavy else jnp.zeros_like(hyper["learning_rate"])
    step = hyper["learning_rate"] / (1 - momentum)
    lag = step * momentum / (1 - momentum)
    bend = step / 2 * (1 + momentum) / (1 - momentum)
    at_start = context.descent_direction(origin, params)

    def field(time: Float[Array, ""], params: Params) -> Params:
        first, second = with_derivative(context, time, params)
        return tree_add_scaled(first, -bend, second)

    def read(time: Float[Array, ""], params: Params) -> Params:
        return tree_add_scaled(params, lag * momentum ** ((time - origin) / step), at_start)

    return LimitODE(tree_add_scaled(params, -lag, at_start), field, read)


def with_derivative(
    context: RunContext, time: Float[Array, ""], params: Params
) -> tuple[Params, Params]:
    """The field ``F`` of gradient flow and its derivative along itself, ``DF[F]``."""
    first = context.descent_direction(time, params)
    _, second = jax.jvp(lambda params: context.descent_direction(time, params), (params,), (first,))
    return first, second


LIMIT = Limit(
    name="modified",
    words="the modified flow",
    place=20,
    families=("sgd", "momentum"),
    convergence_order=2,
    rests_with_flow=True,
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
