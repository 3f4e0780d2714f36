"""Optimisers: optax transformations as functions of traced hyperparameters, and their clocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxattn.contracts import Hyper, HyperSpec, Params
from jaxattn.names import resolve

__all__ = ["OPTIMISERS", "SCHEDULES", "Optimiser", "as_optimiser", "clocks", "momentum_of"]

_RATE = HyperSpec("learning_rate", 0.05, low=0.0, open_low=True, unit="time/step", doc="step size")
_FOCUS_RATE = HyperSpec(
    "focus_rate", None, low=0.0, doc="multiplies the learning rate of the focus model"
)
_CLIP = HyperSpec("clip_norm", None, low=0.0, open_low=True, doc="largest global gradient norm")

_TIMES = 1 << 22
"""Times on clocks that are held at once."""

Schedule = Callable[[Hyper, int], optax.Schedule]

SCHEDULES: Mapping[str, Schedule] = {
    "constant": lambda hyper, steps: optax.constant_schedule(hyper["learning_rate"]),
    "cosine": lambda hyper, steps: optax.cosine_decay_schedule(hyper["learning_rate"], steps),
    "linear": lambda hyper, steps: optax.linear_schedule(hyper["learning_rate"], 0.0, steps),
    "exponential": lambda hyper, steps: optax.exponential_decay(
        hyper["learning_rate"], steps, 0.01
    ),
}
"""Learning rate by step, from `Hyper` and the number of steps of the run."""


@dataclass(frozen=True)
class Optimiser:
    """A family of optax transformations indexed by `Hyper`, and its clock.

    One step advances time by the scheduled learning rate times ``pace(hyper)``: 1 for gradient
    descent, Adam and AdamW; 1 / (1 - momentum) for heavy ball, whose flow runs that much faster
    (THEORY section 6). Hypers with default None are off unless the `Hyper` has them.
    """

    name: str
    transform: Callable[[Hyper, optax.Schedule], optax.GradientTransformation]
    hypers: tuple[HyperSpec, ...] = (_RATE,)
    pace: Callable[[Hyper], Float[Array, ""]] = lambda hyper: jnp.ones_like(hyper["learning_rate"])
    schedule: Schedule = SCHEDULES["constant"]
    family: str = ""
    """Which of the known optimisers it is, for its continuous limits and its edge of stability."""

    def rates(self, hyper: Hyper, steps: int) -> Float[Array, " step"]:
        """The learning rate of each step of a run of `steps` steps."""
        # The widest integers: optax divides the count, which makes float32 of an int32.
        rates = jax.vmap(self.schedule(hyper, steps))(jnp.arange(steps))
        return jnp.broadcast_to(rates, (steps,)).astype(hyper["learning_rate"].dtype)

    def make(self, hyper: Hyper, rate: optax.Schedule) -> optax.GradientTransformation:
        """The transformation at these hyperparameters and this learning rate by step."""
        chain = [_clip(hyper), self.transform(hyper, rate)]
        if "focus_rate" in hyper:
            # Scaling the update is scaling the rate, for every optimiser here.
            parts = {"focus": optax.scale(hyper["focus_rate"]), "other": optax.identity()}
            chain.append(optax.partition(parts, _is_focus))
        return optax.chain(*chain)

    def clock(self, hyper: Hyper, steps: int) -> Float[Array, " steps_plus_1"]:
        """Time before step 0, 1, ..., `steps`: the running sum of what each step advances."""
        rates = self.rates(hyper, steps)
        # What is summed is how far a rate is from the first one: nothing, where it is constant.
        # A switch after a quarter of the run is then after a quarter of its steps, to the bit.
        even = rates[0] * jnp.arange(steps + 1, dtype=rates.dtype)
        rest = jnp.concatenate([jnp.zeros_like(rates, shape=(1,)), jnp.cumsum(rates - rates[0])])
        return (even + rest) * self.pace(hyper)

    def clipped(self, gradient: Params, hyper: Hyper) -> Params:
        """The gradient as the transformation sees it: cut down to ``clip_norm`` where it is on."""
        clip = _clip(hyper)
        return clip.update(gradient, clip.init(gradient))[0]


def clocks(
    optimiser: Optimiser, hypers: Mapping[str, Any], saves: tuple[int, ...]
) -> Float[Array, "point save"]:
    """Times at `saves` of runs to the last of them, for hyperparameters ``[point]``.

    A clock has as many times as a run has steps: a million runs are taken some at a time.
    """
    steps = jnp.asarray(saves, dtype=jnp.int32)

    def of_one(hyper: Hyper) -> Float[Array, " save"]:
        return optimiser.clock(hyper, saves[-1])[steps]

    points = {name: jnp.asarray(values) for name, values in hypers.items()}
    at_once = max(1, _TIMES // (saves[-1] + 1))
    if len(next(iter(points.values()))) <= at_once:
        return jax.vmap(of_one)(points)
    return jax.lax.map(of_one, points, batch_size=at_once)


def _clip(hyper: Hyper) -> optax.GradientTransformation:
    if "clip_norm" not in hyper:
        return optax.identity()
    return optax.clip_by_global_norm(hyper["clip_norm"])


def _is_focus(params: Params) -> PyTree:
    return {
        part: jax.tree.map(lambda _, part=part: "focus" if part == "focus" else "other", leaves)
        for part, leaves in params.items()
    }


def momentum_of(hyper: Hyper) -> Float[Array, ""]:
    """The momentum in force: ``1 - friction * sqrt(learning_rate)`` where there is a friction."""
    if "friction" in hyper:
        return 1 - hyper["friction"] * jnp.sqrt(hyper["learning_rate"])
    return hyper["momentum"]


_MOMENTUM = (
    HyperSpec("momentum", 0.9, low=0.0, high=1.0, doc="of heavy ball"),
    HyperSpec(
        "friction",
        None,
        low=0.0,
        open_low=True,
        unit="time^-1/2",
        doc="makes the momentum 1 - friction * sqrt(learning_rate), 0 or more; held fixed as the "
        "learning rate goes to 0, heavy ball stays a second-order equation",
    ),
)
_MOMENTS = (
    HyperSpec("beta1", 0.9, low=0.0, high=1.0, doc="decay of the first moment"),
    HyperSpec("beta2", 0.999, low=0.0, high=1.0, doc="decay of the second moment"),
    HyperSpec("epsilon", 1e-8, low=0.0, doc="added to the root of the second moment"),
)
_DECAY = HyperSpec("weight_decay", 1e-4, low=0.0, doc="decoupled weight decay")

_OPTIONAL = (_FOCUS_RATE, _CLIP)

OPTIMISERS: Mapping[str, Optimiser] = {
    "sgd": Optimiser("sgd", lambda hyper, rate: optax.sgd(rate), (_RATE, *_OPTIONAL), family="sgd"),
    "momentum": Optimiser(
        "momentum",
        lambda hyper, rate: optax.sgd(rate, momentum=momentum_of(hyper)),
        (_RATE, *_MOMENTUM, *_OPTIONAL),
        pace=lambda hyper: 1 / (1 - momentum_of(hyper)),
        family="momentum",
    ),
    "adam": Optimiser(
        "adam",
        lambda hyper, rate: optax.adam(
            rate, b1=hyper["beta1"], b2=hyper["beta2"], eps=hyper["epsilon"]
        ),
        (_RATE, *_MOMENTS, *_OPTIONAL),
        family="adam",
    ),
    "adamw": Optimiser(
        "adamw",
        lambda hyper, rate: optax.adamw(
            rate,
            b1=hyper["beta1"],
            b2=hyper["beta2"],
            eps=hyper["epsilon"],
            weight_decay=hyper["weight_decay"],
        ),
        (_RATE, *_MOMENTS, _DECAY, *_OPTIONAL),
        family="adamw",
    ),
}


@lru_cache(maxsize=64)
def as_optimiser(optimiser: Any, schedule: Any = None) -> Optimiser:
    """An `Optimiser` from a name, or from any function ``Hyper -> optax transformation``.

    A function is on the clock of its ``learning_rate``: one step advances time by it, as
    `schedule` says; the function itself is responsible for following that schedule.

    Args:
        optimiser: a name, an `Optimiser`, or a function.
        schedule: a name, or a function of `Hyper` and the number of steps; None keeps the
            optimiser's own, which is constant unless it says otherwise.

    Raises:
        InputError: an unknown name.
    """
    found = resolve("optimiser", OPTIMISERS, optimiser)
    if not isinstance(found, Optimiser):
        function = found
        name = getattr(function, "__name__", "custom")
        found = Optimiser(name, lambda hyper, rate: function(hyper), (_RATE, *_OPTIONAL))
    if schedule is None:
        return found
    return replace(found, schedule=resolve("schedule", SCHEDULES, schedule))
