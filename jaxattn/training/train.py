"""Discrete training with optax: one run as a pure function, on the clock of its flow.

The optimiser is a function of traced hyperparameters, built inside the function that is vmapped,
so a learning rate is swept without compiling again.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.contracts import Hyper, Keys, Params, Problem, Splits, Trajectory
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, make_probe, row_status
from jaxattn.problems.check_problem import checked
from jaxattn.problems.data import everything, size
from jaxattn.problems.minibatches import Order, make_batches
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import Saves, last_step, steps_of

__all__ = ["Course", "Given", "State", "Watch", "make_course", "make_train", "work_of"]

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
    probes: tuple[Probe, ...] = (),
) -> Callable[..., Course]:
    """``course(hyper, data, keys, first)``: the step and the save of a run of `total` steps.

    It can make up to `piece` steps from `first` on; None: from step 0. See `make_train`, and
    `jaxattn.training.legs`.
    """
    problem = checked(problem)
    probe = make_probe(problem, keep_params, probes)

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
            scale = optimiser.scale(state[0], hyper, state[1])
            found, kept = probe(state[0], hyper, evaluate, clock[end], keys.sample, state[2], scale)
            return state, (found | watched, kept)

        return Course(clock, begin, to_save)

    return course


@lru_cache(maxsize=256)
def make_train(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves,
    order: Order,
    keep_params: Keep = False,
    watch: Watch | None = None,
    probes: tuple[Probe, ...] = (),
) -> Callable[[Params, Hyper, Splits, Keys], Trajectory]:
    """Training as a pure function ``train(params, hyper, data, keys) -> Trajectory``.

    Args:
        problem: what is learnt.
        optimiser: how; see `as_optimiser`.
        saves: steps at which to measure, increasing from 0; the last one ends the run. Or
            `AtTimes`.
        order: how minibatches are drawn.
        keep_params: whether the trajectory holds the parameters at every save; ``"last"``: those
            at the end alone, without an axis of saves.
        watch: ``watch(params, batch, hyper, time) -> {name: scalar}``, of the minibatch just used
            after its step. What it gives, averaged over the steps since the save before, is
            measured as ``minibatch/<name>``; at step 0 it is the average over one pass through the
            minibatches before training.
        probes: what else to measure at every save, of the training loss itself.

    The optimiser's state starts afresh at every discontinuity of the loss (a hybrid's switch); a
    schedule goes on, as the clock does.
    """
    total = last_step(saves)
    course = make_course(problem, optimiser, total, order, keep_params, watch, total, probes)

    def train(params: Params, hyper: Hyper, data: Splits, keys: Keys) -> Trajectory:
        run = course(hyper, data, keys)
        start, given = run.begin(params)
        ends = steps_of(saves, optimiser, hyper)
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
