"""Discrete training with optax: one run as a pure function, on the clock of its flow.

The optimiser is a function of traced hyperparameters, built inside the function that is vmapped,
so a learning rate is swept without compiling again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.batches import Order, make_batches
from jaxattn.contracts import Hyper, HyperSpec, Keys, Params, Problem, Splits, Trajectory
from jaxattn.data import everything, size
from jaxattn.names import resolve
from jaxattn.probe import Keep, make_probe, row_status

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "Course",
    "Given",
    "Optimiser",
    "State",
    "Watch",
    "as_optimiser",
    "clocks",
    "make_course",
    "make_train",
    "work_of",
]

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

    def rates(self, hyper: Hyper, steps: int) -> Float[Array, " step"]:
        """The learning rate of each step of a run of `steps` steps."""
        # The widest integers: optax divides the count, which makes float32 of an int32.
        rates = jax.vmap(self.schedule(hyper, steps))(jnp.arange(steps))
        return jnp.broadcast_to(rates, (steps,)).astype(hyper["learning_rate"].dtype)

    def make(self, hyper: Hyper, rate: optax.Schedule) -> optax.GradientTransformation:
        """The transformation at these hyperparameters and this learning rate by step."""
        chain = [self.transform(hyper, rate)]
        if "clip_norm" in hyper:
            chain.insert(0, optax.clip_by_global_norm(hyper["clip_norm"]))
        if "focus_rate" in hyper:
            # Scaling the update is scaling the rate, for every optimiser here.
            parts = {"focus": optax.scale(hyper["focus_rate"]), "other": optax.identity()}
            chain.append(optax.partition(parts, _is_focus))
        return optax.chain(*chain)

    def clock(self, hyper: Hyper, steps: int) -> Float[Array, " steps_plus_1"]:
        """Time before step 0, 1, ..., `steps`: the running sum of what each step advances."""
        rates = self.rates(hyper, steps)
        return jnp.concatenate([jnp.zeros_like(rates, shape=(1,)), jnp.cumsum(rates)]) * self.pace(
            hyper
        )


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


def _is_focus(params: Params) -> PyTree:
    return {
        part: jax.tree.map(lambda _, part=part: "focus" if part == "focus" else "other", leaves)
        for part, leaves in params.items()
    }


def _heavy_ball_pace(hyper: Hyper) -> Float[Array, ""]:
    return 1 / (1 - hyper["momentum"])


_MOMENTS = (
    HyperSpec("beta1", 0.9, low=0.0, high=1.0, doc="decay of the first moment"),
    HyperSpec("beta2", 0.999, low=0.0, high=1.0, doc="decay of the second moment"),
    HyperSpec("epsilon", 1e-8, low=0.0, doc="added to the root of the second moment"),
)
_DECAY = HyperSpec("weight_decay", 1e-4, low=0.0, doc="decoupled weight decay")

_OPTIONAL = (_FOCUS_RATE, _CLIP)

OPTIMISERS: Mapping[str, Optimiser] = {
    "sgd": Optimiser("sgd", lambda hyper, rate: optax.sgd(rate), (_RATE, *_OPTIONAL)),
    "momentum": Optimiser(
        "momentum",
        lambda hyper, rate: optax.sgd(rate, momentum=hyper["momentum"]),
        (_RATE, HyperSpec("momentum", 0.9, low=0.0, high=1.0, doc="of heavy ball"), *_OPTIONAL),
        pace=_heavy_ball_pace,
    ),
    "adam": Optimiser(
        "adam",
        lambda hyper, rate: optax.adam(
            rate, b1=hyper["beta1"], b2=hyper["beta2"], eps=hyper["epsilon"]
        ),
        (_RATE, *_MOMENTS, *_OPTIONAL),
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


Watch: TypeAlias = Callable[..., dict[str, Array]]
State: TypeAlias = tuple[Params, PyTree, PyTree]
"""What a step hands to the next: the parameters, the optimiser's state, the paradigm's."""
Given: TypeAlias = tuple[PyTree, dict[str, Array]]
"""What stays from the start on: the optimiser's fresh state where the loss jumps (else None), and
what was watched at step 0."""


class Course(NamedTuple):
    """One run, in whatever pieces it is done."""

    clock: Float[Array, " steps_plus_1"]
    begin: Callable[[Params], tuple[State, Given]]
    to_save: Callable[..., tuple[State, tuple[dict[str, Array], Params | None]]]
    """``to_save(state, given, start, end)``: the steps from `start` to `end`, then a save."""


def make_course(
    problem: Problem,
    optimiser: Optimiser,
    total: int,
    order: Order,
    keep_params: Keep,
    watch: Watch | None,
    piece: int,
) -> Callable[..., Course]:
    """``course(hyper, data, keys, first)``: the step and the save of a run of `total` steps.

    It can make up to `piece` steps from `first` on; None: from step 0. See `make_train`, and
    `jaxattn.legs`.
    """
    probe = make_probe(problem, keep_params)

    def course(
        hyper: Hyper, data: Splits, keys: Keys, first: Int[Array, ""] | None = None
    ) -> Course:
        rates = optimiser.rates(hyper, total)
        clock = optimiser.clock(hyper, total)
        jumps = problem.discontinuities(hyper)

        def transform_at(step: Array) -> optax.GradientTransformation:
            # optax's own count would start again from 0 wherever the state does.
            return optimiser.make(hyper, lambda count: rates[step])

        batch_at = make_batches(order, data.learn, piece, keys.order, problem.precision, first)
        evaluate = {
            name: everything(split, problem.precision) for name, split in data.evaluate.items()
        }

        def advance(step: Array, fresh: PyTree, state: State) -> State:
            params, optimiser_state, own = state
            time = clock[step]
            if jumps.size:
                passed = (clock[jnp.maximum(step - 1, 0)] < jumps) & (jumps <= time) & (step > 0)
                optimiser_state = jax.tree.map(
                    lambda new, old: jnp.where(jnp.any(passed), new, old), fresh, optimiser_state
                )
            key = jax.random.fold_in(keys.sample, step)
            gradient, own = jax.grad(problem.loss, has_aux=True)(
                params, batch_at(step), hyper, time, key, own
            )
            updates, optimiser_state = transform_at(step).update(gradient, optimiser_state, params)
            return optax.apply_updates(params, updates), optimiser_state, own

        def look(params: Params, step: Array, trained: bool) -> dict[str, Array]:
            if watch is None:
                return {}
            seen = watch(params, batch_at(step), hyper, clock[step + 1] if trained else clock[0])
            return {f"minibatch/{name}": value for name, value in seen.items()}

        def look_before(params: Params) -> dict[str, Array]:
            if watch is None:
                return {}
            count = size(data.learn)
            one_pass = jnp.arange(-(-count // order.examples(count)), dtype=jnp.int32)
            seen = jax.lax.map(lambda step: look(params, step, False), one_pass)
            return jax.tree.map(lambda values: jnp.mean(values, axis=0), seen)

        def begin(params: Params) -> tuple[State, Given]:
            fresh = transform_at(jnp.asarray(0, jnp.int32)).init(params)
            kept = fresh if jumps.size else None
            return (params, fresh, problem.state(params)), (kept, look_before(params))

        def to_save(
            state: State, given: Given, start: Array, end: Array
        ) -> tuple[State, tuple[dict[str, Array], Params | None]]:
            fresh, before = given

            def advance_and_look(step: Array, carry: tuple) -> tuple:
                trained = advance(step, fresh, carry[0])
                seen = look(trained[0], step, True)
                return trained, jax.tree.map(jnp.add, carry[1], seen)

            def mean(total: Array, before: Array) -> Array:
                steps = end - start
                return jnp.where(steps > 0, total / jnp.maximum(steps, 1), before)

            none = jax.tree.map(jnp.zeros_like, before)
            state, seen = jax.lax.fori_loop(start, end, advance_and_look, (state, none))
            watched = jax.tree.map(mean, seen, before)
            found, kept = probe(state[0], hyper, evaluate, clock[end], keys.sample, state[2])
            return state, (found | watched, kept)

        return Course(clock, begin, to_save)

    return course


@lru_cache(maxsize=256)
def make_train(
    problem: Problem,
    optimiser: Optimiser,
    saves: tuple[int, ...],
    order: Order,
    keep_params: Keep = False,
    watch: Watch | None = None,
) -> Callable[[Params, Hyper, Splits, Keys], Trajectory]:
    """Training as a pure function ``train(params, hyper, data, keys) -> Trajectory``.

    Args:
        problem: what is learnt.
        optimiser: how; see `as_optimiser`.
        saves: steps at which to measure, increasing from 0; the last one ends the run.
        order: how minibatches are drawn.
        keep_params: whether the trajectory holds the parameters at every save; ``"last"``: those
            at the end alone, without an axis of saves.
        watch: ``watch(params, batch, hyper, time) -> {name: scalar}``, of the minibatch just used
            after its step. What it gives, averaged over the steps since the save before, is
            measured as ``minibatch/<name>``; at step 0 it is the average over one pass through the
            minibatches before training.

    The optimiser's state starts afresh at every discontinuity of the loss (a hybrid's switch); a
    schedule goes on, as the clock does.
    """
    total = saves[-1]
    course = make_course(problem, optimiser, total, order, keep_params, watch, total)

    def train(params: Params, hyper: Hyper, data: Splits, keys: Keys) -> Trajectory:
        run = course(hyper, data, keys)
        start, given = run.begin(params)
        ends = jnp.asarray(saves, dtype=jnp.int32)
        starts = jnp.concatenate([jnp.zeros((1,), jnp.int32), ends[:-1]])
        (params, _, _), (measures, kept) = jax.lax.scan(
            lambda state, span: run.to_save(state, given, *span), start, (starts, ends)
        )
        times = run.clock[ends]
        status, time_reached = row_status(measures["objective"], times, params)
        return Trajectory(
            step=ends.astype(times.dtype),
            time=times,
            measures=measures,
            status=status,
            time_reached=time_reached,
            work=work_of(ends[-1]),
            params=params if keep_params == "last" else kept,
        )

    return train


def work_of(steps: Int[Array, ""]) -> dict[str, Array]:
    """What so many steps cost."""
    return {"gradients": steps, "steps": steps, "rejected": jnp.zeros_like(steps)}
