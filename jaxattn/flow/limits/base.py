"""What a continuous limit of training is: an equation on the clock of the training beside it."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Hyper, Params
from jaxattn.problems.minibatches import Order

__all__ = ["Limit", "LimitODE", "RunContext", "tree_add_scaled"]

State: TypeAlias = PyTree
"""What an equation moves: the parameters, or more (velocities, moments)."""


class RunContext(NamedTuple):
    """One run, as far as its continuous limits depend on it; `family` is its optimiser's.

    - ``descent_direction(time, params) -> Params``: minus the gradient of the training loss in
      force, as the optimiser sees it (clipped where the run clips), each part times its own rate.
      One step of gradient descent moves by the learning rate times it.
    - ``gradient(time, params) -> Params``: the gradient itself, clipped where the run clips.
    - ``per_example_losses(time, params) -> [example]``: of every example of the learning set.
    - ``per_example_gradients(time, params) -> Params [example ...]``: its gradient, not clipped.
    - ``measure(params) -> {name: array}``: what the problem measures on the learning set.
    - ``scale(tree) -> tree``: each part of a tree like the parameters times its own rate: 1, or
      ``focus_rate`` for the focus model.
    """

    descent_direction: Callable[[Float[Array, ""], Params], Params]
    gradient: Callable[[Float[Array, ""], Params], Params]
    per_example_losses: Callable[[Float[Array, ""], Params], Float[Array, " example"]]
    per_example_gradients: Callable[[Float[Array, ""], Params], Params]
    measure: Callable[[Params], dict[str, Array]]
    scale: Callable[[PyTree], PyTree]
    family: str
    hyper: Hyper
    order: Order
    examples: int


def _state_itself(time: Float[Array, ""], state: Any) -> Params:
    """Reads an equation that moves the parameters themselves."""
    del time
    return state


class LimitODE(NamedTuple):
    """An initial value problem in time on the optimiser's clock.

    - `start`: the state where the run starts, or starts anew; the parameters first, where it holds
      more than them;
    - ``field(time, state) -> state'``: the drift, where there is noise;
    - ``read(time, state) -> Params``: what stands beside the parameters of training; by default
      the state itself;
    - ``noise(time, state, dw [draws]) -> State``: linear in the increments `dw` of as many
      independent Brownian motions (Ito); None: there is none.
    """

    start: State
    field: Callable[[Float[Array, ""], State], State]
    read: Callable[[Float[Array, ""], State], Params] = _state_itself
    noise: Callable[[Float[Array, ""], State, Float[Array, " draw"]], State] | None = None
    draws: int = 0


class Limit(NamedTuple):
    """A continuous limit of some optimisers' training.

    ``equation(context, params, origin)`` is the limit of a run whose parameters and fresh optimiser
    state are there at time `origin`.
    """

    name: str
    words: str
    """What it is called in a sentence: "the gradient flow"."""
    families: tuple[str, ...]
    """Families of optimisers (`Optimiser.family`) that it is a limit of; empty: of every clock."""
    convergence_order: float
    """Power of the learning rate in the distance from training, for fixed other settings."""
    equation: Callable[[RunContext, Params, Float[Array, ""]], LimitODE]
    clock: str
    """In words, what a step advances time by, and what is held fixed as the rate goes to 0."""
    source: str
    held_fixed: tuple[str, ...] = ()
    """What has to be held fixed as the rate goes to 0 for the order to hold, by the names of
    hyperparameters: where a run does not set them, that order is not expected of it."""
    restarts: bool = False
    """Whether its state starts anew where the loss jumps, as the optimiser's does."""
    batch_orders: tuple[str, ...] | None = None
    """Kinds of minibatch order that it describes; empty: full batches alone; None: any, by their
    mean."""
    stochastic: bool = False
    rests_with_flow: bool = False
    """Whether it is at rest where gradient flow is: at every point without a gradient, and as near
    to it as the gradient flow from there goes. Solved alone, it may then end early."""
    place: int = 1000
    """Where it stands in lists, small numbers first."""


def tree_add_scaled(tree: PyTree, factor: Any, other: PyTree) -> PyTree:
    """``tree + factor * other``, leaf by leaf."""
    return jax.tree.map(lambda a, b: a + factor * b, tree, other)
