"""What a person hands in as an optimiser, checked before it is compiled: by tracing one step."""

from typing import Any

import jax
from jaxtyping import Array

from jaxattn.core.contracts import Hyper, InputError, Params, Problem
from jaxattn.core.kept import kept
from jaxattn.core.part_rates import FOCUS, Part
from jaxattn.core.programs import depends_on_first
from jaxattn.problems.tracing import shapes_of
from jaxattn.problems.undeclared import key_shape
from jaxattn.training.optimisers import Optimiser

__all__ = ["check_optimiser", "first_step"]


@kept
def check_optimiser(problem: Problem, optimiser: Optimiser, hypers: tuple[str, ...]) -> None:
    """Refuse an optimiser of one's own that cannot make a step, or whose clock is not its own.

    Args:
        problem: whose parameters it moves.
        optimiser: those of `OPTIMISERS` are known.
        hypers: names of all that have a value.

    Raises:
        InputError: what it raises, such as for a hyperparameter that nobody declares; it is not
            pure; no step depends on the learning rate, of which the time axis is made.
    """
    if optimiser.family:
        return
    owner = f"optimiser {optimiser.name!r}"
    scalar = jax.ShapeDtypeStruct((), jax.dtypes.canonicalize_dtype(problem.precision))
    hyper: dict[str, Any] = dict.fromkeys(hypers, scalar)
    params = jax.eval_shape(problem.init, key_shape(), hyper)

    def step(rate: Array, hyper: Hyper, params: Params) -> Params:
        return first_step(optimiser, {**hyper, "learning_rate": rate}, params, problem.rated)

    shapes_of(owner, "one that can be given a gradient; try a step.", step, scalar, hyper, params)
    if not depends_on_first(step, scalar, hyper, params):
        raise InputError(
            f"{owner}: got steps that do not depend on hyper['learning_rate'], of which the time "
            "axis is made, expected steps that do; give optax the rate from there and set it by "
            "hypers={'learning_rate': ...}."
        )


def first_step(
    optimiser: Optimiser, hyper: Hyper, params: Params, parts: tuple[Part, ...] = (FOCUS,)
) -> Params:
    """The first step from `params`, for a gradient that is like them."""
    transformation = optimiser.make(hyper, lambda count: hyper["learning_rate"], parts)
    return transformation.update(params, transformation.init(params), params)[0]
