"""One run as its continuous limits see it: gradients of its loss on the whole learning set.

Limits are written with the descent direction F and derivatives along it, ``DF[F]`` by one
Jacobian-vector product, on the optimiser's clock. A focus rate and clipping are part of F, so they
hold in every limit without a word, and no one who plots a limit has to convert its time.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Hyper, InputError, Params, Problem
from jaxattn.core.part_rates import scaled_by_part
from jaxattn.core.programs import depends_on_first
from jaxattn.flow.limits.base import Limit, RunContext
from jaxattn.flow.limits.registry import limit_for
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order
from jaxattn.problems.undeclared import draws, undeclared_key
from jaxattn.training.optimisers import Optimiser

__all__ = [
    "changes_in_time",
    "checked_limit",
    "refuse_noise",
    "refuse_state",
    "refuse_undeclared_key",
    "run_context",
]


def checked_limit(
    limit: str | Limit, problem: Problem, optimiser: Optimiser, order: Order
) -> Limit:
    """A limit that this training has, and that can be solved.

    Raises:
        InputError: the problem is not float64, or its loss is random; the optimiser has no such
            limit, or not with minibatches in this order.
    """
    known = limit_for(limit, optimiser, order)
    if problem.precision != "float64":
        raise InputError(
            f"a flow needs a float64 problem: got {problem.precision!r}; make it with "
            "precision='float64'."
        )
    if problem.stochastic:
        raise InputError(
            f"{known.name}: got {problem.name!r}, whose loss draws samples, expected a loss that "
            "parameters and data determine; take the expected loss."
        )
    return known


def refuse_noise(limit: Limit, problems: Iterable[Problem]) -> None:
    """Refuse a limit that knows the noise of batches where a loss is no mean over examples.

    Raises:
        InputError: with the problem.
    """
    for problem in problems:
        if limit.batch_orders and not problem.separable:
            raise InputError(
                f"{limit.name}: got {problem.name!r}, whose loss is no mean over examples "
                "(separable=False), expected one that is, as the noise is that of single "
                "examples; take flow, or write the loss as a mean."
            )


def refuse_state(problem: Problem, state: PyTree) -> None:
    """Refuse a flow of a loss that changes from step to step, as a baseline does.

    Raises:
        InputError: the state holds something.
    """
    if jax.tree.leaves(state):
        raise InputError(
            f"a flow: got {problem.name!r}, whose loss has a state that every step of training "
            "updates, expected a loss that parameters and data determine, as flows know no steps; "
            "train it alone."
        )


def refuse_undeclared_key(
    problem: Problem, params: Params, hyper: Hyper, batch: Any, state: PyTree
) -> None:
    """Refuse a flow of a loss that says nothing of drawing, and would, where training does.

    Raises:
        InputError: the loss depends on its key.
    """

    def loss(key: Array, params: Params, hyper: Hyper, batch: Any) -> Array:
        time = jnp.zeros((), problem.precision)
        return problem.loss(params, batch, hyper, time, key, state)[0]

    if not problem.stochastic and draws(loss, params, hyper, batch):
        raise InputError(undeclared_key(f"problem {problem.name!r}, loss"))


def changes_in_time(
    problem: Problem, params: Params, hyper: Hyper, batch: Any, state: PyTree
) -> bool:
    """Whether the loss depends on the time, as a hybrid's does."""
    if problem.discontinuities(hyper).size:
        return True

    def loss(time: Array, params: Params, hyper: Hyper, batch: Any) -> Array:
        return problem.loss(params, batch, hyper, time, None, state)[0]

    time = jax.ShapeDtypeStruct((), jnp.dtype(problem.precision))
    return depends_on_first(loss, time, params, hyper, batch)


def run_context(
    problem: Problem,
    optimiser: Optimiser,
    hyper: Hyper,
    batch: Any,
    state: PyTree,
    order: Order,
) -> RunContext:
    """What a limit reads of a run.

    Args:
        problem: what is learnt.
        optimiser: clips, and has rates of parts.
        hyper: of the run.
        batch: the whole learning set.
        state: the paradigm's, which holds nothing; see `refuse_state`.
        order: how training draws its minibatches.
    """

    def loss(time: Array, params: Params, batch: Any) -> Array:
        # A deterministic loss reads no key.
        return problem.loss(params, batch, hyper, time, None, state)[0]

    gradient_of = gradient_in_pieces(problem)

    def gradient(time: Array, params: Params) -> Params:
        _, raw, _ = gradient_of(params, batch, hyper, time, None, state)
        return optimiser.clipped(raw, hyper)

    def scale(tree: Params) -> Params:
        return scaled_by_part(tree, hyper, problem.rated)

    def descent_direction(time: Array, params: Params) -> Params:
        return scale(jax.tree.map(jnp.negative, gradient(time, params)))

    # Each example as a batch of its own.
    alone = jax.tree.map(lambda leaf: leaf[:, None], batch)

    def per_example_losses(time: Array, params: Params) -> Float[Array, " example"]:
        return jax.vmap(lambda example: loss(time, params, example))(alone)

    def per_example_gradients(time: Array, params: Params) -> Params:
        of_one = jax.grad(loss, argnums=1)
        return jax.vmap(lambda example: of_one(time, params, example))(alone)

    return RunContext(
        descent_direction=descent_direction,
        gradient=gradient,
        per_example_losses=per_example_losses,
        per_example_gradients=per_example_gradients,
        measure=lambda params: problem.measure(params, batch, hyper),
        scale=scale,
        family=optimiser.family,
        hyper=hyper,
        order=order,
        examples=batch.weight.shape[0],
    )
