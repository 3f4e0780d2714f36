"""Optimisers: optax transformations as functions of traced hyperparameters, and their clocks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree, Shaped

from jaxattn.core.contracts import Hyper, HyperSpec, InputError, Params
from jaxattn.core.kept import kept
from jaxattn.core.lookup import refuse_borrowed_name, resolve
from jaxattn.core.part_rates import FOCUS, Part, rate_scale, scaled_by_part
from jaxattn.problems.tracing import described, in_one_line
from jaxattn.training.decays import adam_decays, momentum_of, rmsprop_decay
from jaxattn.training.schedules import SCHEDULES, Schedule

__all__ = ["OPTIMISERS", "Optimiser", "as_optimiser", "unit"]

_RATE = HyperSpec("learning_rate", 0.05, low=0.0, open_low=True, unit="time/step", doc="step size")
_FOCUS_RATE = FOCUS.rate
_CLIP = HyperSpec("clip_norm", None, low=0.0, open_low=True, doc="largest global gradient norm")


@dataclass(frozen=True)
class Optimiser:
    """A family of optax transformations indexed by `Hyper`, and its clock.

    One step advances time by the scheduled learning rate times ``pace(hyper)``: 1 for gradient
    descent, Adam and its kin; 1 / (1 - momentum) for heavy ball, whose flow runs that much faster
    (THEORY section 6). Hypers with default None are off unless the `Hyper` has them.
    """

    name: str
    transform: Callable[[Hyper, optax.Schedule], optax.GradientTransformation]
    hypers: tuple[HyperSpec, ...] = (_RATE,)
    pace: Callable[[Hyper], Float[Array, ""]] = lambda hyper: jnp.ones_like(hyper["learning_rate"])
    schedule: Schedule = SCHEDULES["constant"]
    decays: Callable[[Hyper], tuple[Array, ...]] = lambda hyper: ()
    """Of its moving averages, as they are in force: each at least 0 and below 1."""
    denominator: Callable[[Hyper, PyTree], Params] | None = None
    """What its state makes a step divide by, where it does; see `scale`."""

    @property
    def family(self) -> str:
        """Which of `OPTIMISERS` it is on some schedule, by what it computes; "" for one's own.

        Continuous limits and edges of stability are of these.
        """
        whole = ("transform", "pace", "decays", "denominator")
        return next(
            (
                name
                for name, known in OPTIMISERS.items()
                if all(getattr(known, part) is getattr(self, part) for part in whole)
            ),
            "",
        )

    def rates(
        self, hyper: Hyper, steps: int, share_of: Shaped[Array, ""] | int | None = None
    ) -> Float[Array, " step"]:
        """The learning rate of each of `steps` steps.

        Args:
            hyper: of the run.
            steps: how many to tell.
            share_of: how many the run has, where that is another number; it may be traced.

        Raises:
            InputError: a schedule of one's own raises.
        """
        hint = "a function of hyper and the number of steps that gives one from step to rate."
        with in_one_line("schedule", hint):
            # The widest integers: optax divides the count, which makes float32 of an int32.
            schedule: Callable = self.schedule
            rate = schedule(hyper, steps if share_of is None else share_of)
            rates = jax.vmap(rate)(jnp.arange(steps))
        return jnp.broadcast_to(rates, (steps,)).astype(hyper["learning_rate"].dtype)

    def make(
        self, hyper: Hyper, rate: optax.Schedule, parts: tuple[Part, ...] = (FOCUS,)
    ) -> optax.GradientTransformation:
        """The transformation at these hyperparameters and this learning rate by step.

        Args:
            hyper: of the run.
            rate: of each step.
            parts: of the parameters, which may have learning rates of their own.

        Raises:
            InputError: one's own raises, or gives no transformation.
        """
        owner = f"optimiser {self.name!r}"
        hint = "an optax transformation; what it reads of hyper an Optimiser declares as hypers."
        with in_one_line(owner, hint):
            transformation = self.transform(hyper, rate)
        if not (hasattr(transformation, "init") and hasattr(transformation, "update")):
            raise InputError(f"{owner}: got {described(transformation)}, expected {hint}")
        chain = [_clip(hyper), transformation]
        # Scaling the update is scaling the rate, for every optimiser here.
        chain.append(optax.stateless(lambda updates, params: scaled_by_part(updates, hyper, parts)))
        return optax.chain(*chain)

    def clock(
        self, hyper: Hyper, steps: int, share_of: Shaped[Array, ""] | int | None = None
    ) -> Float[Array, " steps_plus_1"]:
        """Time before step 0, 1, ..., `steps`: the running sum of what each step advances.

        Arguments are those of `rates`.
        """
        rates = self.rates(hyper, steps, share_of)
        # What is summed is how far a rate is from the first one: nothing, where it is constant.
        # A switch after a quarter of the run is then after a quarter of its steps, to the bit.
        even = rates[0] * jnp.arange(steps + 1, dtype=rates.dtype)
        rest = jnp.concatenate([jnp.zeros_like(rates, shape=(1,)), jnp.cumsum(rates - rates[0])])
        return (even + rest) * self.pace(hyper)

    def scale(
        self, params: Params, hyper: Hyper, state: PyTree, parts: tuple[Part, ...] = (FOCUS,)
    ) -> Params:
        """What a step multiplies the gradient by, over the learning rate, if averages stood still.

        `rate_scale`, and for Adam that over the root of its second moment; NaN before it has one.
        """
        rates = rate_scale(params, hyper, parts)
        if self.denominator is None:
            return rates
        return jax.tree.map(jnp.divide, rates, self.denominator(hyper, state))

    def clipped(self, gradient: Params, hyper: Hyper) -> Params:
        """The gradient as the transformation sees it: cut down to ``clip_norm`` where it is on."""
        clip = _clip(hyper)
        return clip.update(gradient, clip.init(gradient))[0]


def _clip(hyper: Hyper) -> optax.GradientTransformation:
    if "clip_norm" not in hyper:
        return optax.identity()
    return optax.clip_by_global_norm(hyper["clip_norm"])


def unit(tree: PyTree) -> PyTree:
    """A tree over its 2-norm; 0 where it is exactly 0.

    Over its largest entry first: squares of a gradient that is small at saturation are 0.
    """
    top = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf), initial=0) for leaf in jax.tree.leaves(tree)]))
    top = jnp.where(top == 0, jnp.ones_like(top), top)
    scaled = jax.tree.map(lambda leaf: leaf / top, tree)
    norm = optax.tree.norm(scaled)
    # The largest entry is 1 by now and the norm 1 or more, unless all are 0.
    return jax.tree.map(lambda leaf: leaf / jnp.maximum(norm, 1), scaled)


def _normalised(hyper: Hyper, rate: optax.Schedule) -> optax.GradientTransformation:
    del hyper
    # optax.normalize_by_update_norm adds 1e-6 to the norm, which stops a run at saturation.
    return optax.chain(
        optax.stateless(lambda gradient, params: unit(gradient)),
        optax.scale_by_learning_rate(rate),
    )


def _adam(hyper: Hyper, rate: optax.Schedule) -> optax.GradientTransformation:
    first, second = adam_decays(hyper)
    return optax.adam(rate, b1=first, b2=second, eps=hyper["epsilon"])


def _adam_denominator(hyper: Hyper, state: PyTree) -> Params:
    def is_adam(node: Any) -> bool:
        return isinstance(node, optax.ScaleByAdamState)

    (moments,) = filter(is_adam, jax.tree.leaves(state, is_leaf=is_adam))
    _, second = adam_decays(hyper)
    weight = 1 - second**moments.count
    return jax.tree.map(lambda v: jnp.sqrt(v / weight) + hyper["epsilon"], moments.nu)


def _rmsprop(hyper: Hyper, rate: optax.Schedule) -> optax.GradientTransformation:
    # Corrected, which is not the default of optax: from a mean square of 0 the first steps are too
    # long by a factor that keeps the run at order 1/2 in the rate from its limit.
    decay, epsilon = rmsprop_decay(hyper), hyper["epsilon"]
    return optax.rmsprop(rate, decay=decay, eps=epsilon, bias_correction=True)


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
_WEIGHT_DECAY = HyperSpec("weight_decay", 1e-4, low=0.0, doc="decoupled weight decay")
_MEAN_SQUARE = (
    HyperSpec("decay", 0.9, low=0.0, high=1.0, doc="decay of the mean square gradient"),
    HyperSpec("epsilon", 1e-8, low=0.0, doc="added to the mean square, under the root"),
)


def _held(name: str, instead_of: str) -> HyperSpec:
    return HyperSpec(
        name,
        None,
        low=0.0,
        open_low=True,
        unit="time",
        doc=f"time constant at every learning rate, instead of {instead_of}; above half the rate",
    )


_OPTIONAL = (_FOCUS_RATE, _CLIP)

OPTIMISERS: Mapping[str, Optimiser] = {
    "sgd": Optimiser("sgd", lambda hyper, rate: optax.sgd(rate), (_RATE, *_OPTIONAL)),
    "momentum": Optimiser(
        "momentum",
        lambda hyper, rate: optax.sgd(rate, momentum=momentum_of(hyper)),
        (_RATE, *_MOMENTUM, *_OPTIONAL),
        pace=lambda hyper: 1 / (1 - momentum_of(hyper)),
        decays=lambda hyper: (momentum_of(hyper),),
    ),
    "adam": Optimiser(
        "adam",
        _adam,
        (_RATE, *_MOMENTS, _held("tau1", "beta1"), _held("tau2", "beta2"), *_OPTIONAL),
        decays=adam_decays,
        denominator=_adam_denominator,
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
        (_RATE, *_MOMENTS, _WEIGHT_DECAY, *_OPTIONAL),
        decays=lambda hyper: (hyper["beta1"], hyper["beta2"]),
        denominator=_adam_denominator,
    ),
    "rmsprop": Optimiser(
        "rmsprop",
        _rmsprop,
        (_RATE, *_MEAN_SQUARE, _held("tau", "decay"), *_OPTIONAL),
        decays=lambda hyper: (rmsprop_decay(hyper),),
    ),
    "normalised": Optimiser("normalised", _normalised, (_RATE, *_OPTIONAL)),
}


def as_optimiser(optimiser: Any, schedule: Any = None) -> Optimiser:
    """An `Optimiser` from a name, or from any function ``Hyper -> optax transformation``.

    A function is on the clock of its ``learning_rate``: one step advances time by it. It knows of
    no schedule; an `Optimiser` is given the scheduled rate.

    Args:
        optimiser: a name, an `Optimiser`, or a function.
        schedule: a name, or a function of `Hyper` and the number of steps; None keeps the
            optimiser's own, which is constant unless it says otherwise.

    Equal arguments give the same object, so what is compiled for it once stays compiled.

    Raises:
        InputError: an unknown name, what is no function, an optimiser of one's own under the name
            of a built-in, or a function beside a schedule that it would not follow.
    """
    chosen = resolve("optimiser", OPTIMISERS, optimiser)
    _refuse_no_function("optimiser", chosen, "an Optimiser, or a function of hyper")
    if schedule is not None:
        rule = resolve("schedule", SCHEDULES, schedule)
        _refuse_no_function("schedule", rule, "a function of hyper and the number of steps")
    # By their names: what a built-in held of one's own would not be let go with it.
    return _as_optimiser(optimiser, schedule)


def _refuse_no_function(kind: str, given: Any, expected: str) -> None:
    if not (callable(given) or isinstance(given, Optimiser)):
        raise InputError(f"{kind}: got {described(given)}, expected a name, or {expected}.")
    try:
        hash(given)
    except TypeError as error:
        raise InputError(
            f"{kind}: got one with a part that is {error}, expected parts that never change, as "
            "what is compiled is kept; write hypers as a tuple."
        ) from error


@kept
def _as_optimiser(optimiser: Any, schedule: Any) -> Optimiser:
    if schedule is not None:
        schedule = resolve("schedule", SCHEDULES, schedule)
    chosen = resolve("optimiser", OPTIMISERS, optimiser)
    if not isinstance(chosen, Optimiser):
        function = chosen
        name = getattr(function, "__name__", "custom")
        if schedule not in (None, SCHEDULES["constant"]):
            raise InputError(
                f"optimiser {name!r}: got a schedule of its learning rate, which a function of "
                "hyper alone cannot follow, expected none; make it an Optimiser, whose transform "
                "is given the scheduled rate: (hyper, rate) -> optax transformation."
            )
        chosen = Optimiser(name, lambda hyper, rate: function(hyper), (_RATE, *_OPTIONAL))
    if chosen.name in OPTIMISERS and chosen.name != chosen.family:
        refuse_borrowed_name("optimiser", OPTIMISERS, chosen.name, chosen)
    if schedule is None:
        return chosen
    return replace(chosen, schedule=schedule)
