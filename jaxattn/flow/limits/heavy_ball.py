"""The second-order equation of heavy ball: a mass that slides downhill against friction."""

import jax
from jaxtyping import Array, Float

from jaxattn.core.contracts import Params
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.training.decays import momentum_of

__all__ = ["LIMIT"]

State = tuple[Params, Params]
"""Position and velocity, on the optimiser's clock."""


def _heavy_ball(context: RunContext, params: Params, origin: Float[Array, ""]) -> LimitODE:
    momentum = momentum_of(context.hyper)
    step = context.hyper["learning_rate"] / (1 - momentum)
    mass = step / 2 * (1 + momentum) / (1 - momentum)
    slow = (1 - momentum) / (1 + momentum)
    velocity = jax.tree.map(lambda leaf: slow * leaf, context.descent_direction(origin, params))

    def field(time: Float[Array, ""], state: State) -> State:
        position, velocity = state
        force = context.descent_direction(time, position)
        return velocity, jax.tree.map(lambda f, v: (f - v) / mass, force, velocity)

    def read(time: Float[Array, ""], state: State) -> Params:
        del time
        return state[0]

    return LimitODE((params, velocity), field, read)


LIMIT = Limit(
    name="heavy-ball",
    words="the heavy-ball equation",
    place=40,
    families=("momentum",),
    convergence_order=1,
    equation=_heavy_ball,
    clock="eta / (1 - momentum) times steps; order 1 with the friction (1 - momentum) / sqrt(eta) "
    "held fixed as eta goes to 0; order 2 with the momentum held fixed, once momentum^steps is "
    "small",
    source="Shi, Du, Jordan and Su, Math. Program. 195 (2022), arXiv:1810.08907, there with the "
    "friction of a strongly convex loss",
    held_fixed=("friction",),
    restarts=True,
)
"""``((1+b)/2) theta'' + ((1-b)/s) theta' = F`` from ``theta'(0) = s F0/(1+b)``, at time ``s k``.

``F = -g`` is the field of gradient flow, b the momentum and ``s = sqrt(eta)``. On the optimiser's
clock ``t = h k``, ``h = eta/(1-b)``, the chain rule makes of it ``m theta'' + theta' = F`` from
``theta'(0) = F0 (1-b)/(1+b)``, with the mass ``m = (h/2) (1+b)/(1-b)``.

With the friction ``(1-b)/s`` held fixed the mass stays ``1/friction^2`` as eta goes to 0, and
position and velocity both count. With b held fixed the mass goes to 0 with eta: after a layer of
``|log b|^-1`` steps, ``theta' = F - m theta'' = F - m DF[F]``, and the layer has moved the position
by ``m (theta'(0) - F0) = -h b/(1-b) F0``: the modified flow of heavy ball and its start. Within the
layer it decays as ``exp(-2 k (1-b)/(1+b))``, training as ``b^k``: there the order is 1.
"""
