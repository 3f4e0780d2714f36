"""The step and the save of a training run, which a whole run and a run in legs both repeat.

The optimiser is a function of traced hyperparameters, built inside the function that is vmapped,
so a learning rate is swept without compiling again.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.contracts import (
    Batch,
    Data,
    Example,
    Hyper,
    InputError,
    Keys,
    Params,
    Problem,
    Splits,
)
from jaxattn.core.part_rates import Part
from jaxattn.core.protocols import InitState
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, make_probe, of_slope
from jaxattn.problems.check_problem import checked, checked_probe
from jaxattn.problems.data import as_learnt, everything, size
from jaxattn.problems.large_sets import filled, filled_as_learnt
from jaxattn.problems.microbatch import Mean, gradient_in_pieces
from jaxattn.problems.minibatches import Order, make_batches
from jaxattn.training.judge import judge_of
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import Saves, clock_of, last_step, length_of
from jaxattn.training.schedules import SCHEDULES

__all__ = ["BatchMetrics", "Constants", "Saved", "State", "TrainLoop", "make_train_loop"]

BatchMetrics: TypeAlias = Callable[[Params, Any, Hyper, Array], dict[str, Array]]
"""``batch_metrics(params, batch, hyper, time) -> {name: scalar}``, see `make_train`: what published
curves show. Without it the program is what it was."""
State: TypeAlias = tuple[Params, PyTree, PyTree]
"""What a step hands to the next: the parameters, the optimiser's state, the paradigm's."""
Found: TypeAlias = tuple[Float[Array, ""], Params, PyTree]
"""The loss of a batch, its gradient, and the loss's own state after it."""
Constants: TypeAlias = tuple[PyTree, dict[str, Array]]
"""What stays from the start on: the optimiser's fresh state where the loss jumps (else None), and
batch metrics at step 0."""


class Saved(NamedTuple):
    """What one save gives to a `Trajectory`; see there."""

    measures: dict[str, Array]
    batch_metrics: dict[str, Array]
    params: Params | None


class _Carry(NamedTuple):
    """What one turn of the loop hands to the next."""

    state: State
    seen: dict[str, Array]
    """Batch metrics, summed over steps."""
    judged: Mean | None


class TrainLoop(NamedTuple):
    """One run, in whatever pieces it is done."""

    clock: Float[Array, " steps_plus_1"]
    begin: Callable[[Params], tuple[State, Constants]]
    advance: Callable[..., tuple[State, dict[str, Array], dict[str, Array]]]
    """``advance(state, constants, start, end)``: the steps from `start` to `end`, batch metrics on
    the way, and the objective and gradient norms at `end`, where `judge_of` finds them; else {}."""
    scale: Callable[[State], Params]
    """What a step multiplies the gradient by, over the learning rate; see `Probe`."""
    to_save: Callable[..., tuple[State, Saved]]
    """``to_save(state, constants, start, end)``: the same steps, then a save."""


def make_train_loop(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves,
    order: Order,
    keep_params: Keep,
    batch_metrics: BatchMetrics | None,
    piece: int,
    probes: tuple[Probe, ...] = (),
) -> Callable[..., TrainLoop]:
    """``loop(hyper, data, keys, first, rows)``: the step and the save of a run to its last save.

    It can make up to `piece` steps from `first` on; None: from step 0. `rows` are those of its
    minibatches, where they are known (`epoch_rows`). See `make_train`, and `jaxattn.training.legs`.
    """
    problem = checked(problem)
    probe = make_probe(
        problem, gradient_in_pieces(problem), keep_params, tuple(map(checked_probe, probes))
    )

    def loop(
        hyper: Hyper,
        data: Splits,
        keys: Keys,
        first: Int[Array, ""] | None = None,
        rows: Int[Array, "step batch"] | None = None,
    ) -> TrainLoop:
        rates = optimiser.rates(hyper, last_step(saves), length_of(saves, optimiser, hyper))
        clock = clock_of(saves, optimiser, hyper)
        jumps = problem.discontinuities(hyper)
        transform_at = _transforms(optimiser, hyper, rates, problem.rated)
        batch_at = make_batches(
            order, data.learn, piece, keys.order, problem.precision, first, rows
        )
        evaluate = _all_examples(data, problem.precision, bool(probes))
        slope_at = _slope(problem, order, hyper, keys, clock)
        step_by = _step(clock, jumps, transform_at, problem.state)
        # Probes find the objective themselves; a whole set is not copied, as a choice would; and
        # batch metrics are of steps alone.
        alone = probes or order.batch_size is None or batch_metrics is not None
        train = data.evaluate.get("train")
        measured = None if alone or train is None else as_learnt(train)
        look = _look(batch_metrics, hyper, clock, batch_at)
        advance = _advance(problem, batch_at, slope_at, step_by, look, measured)
        before = _look_before(look, size(data.learn), order, batch_metrics is not None)

        def begin(params: Params) -> tuple[State, Constants]:
            fresh = transform_at(jnp.asarray(0, jnp.int32)).init(params)
            kept = fresh if jumps.size else None
            return (params, fresh, problem.state(params)), (kept, before(params))

        def scale(state: State) -> Params:
            return optimiser.scale(state[0], hyper, state[1], problem.rated)

        def to_save(
            state: State, constants: Constants, start: Array, end: Array
        ) -> tuple[State, Saved]:
            state, means, of_loss = advance(state, constants, start, end)
            learnt = filled_as_learnt(evaluate["train"], data.evaluate["train"], problem.precision)
            now = (clock[end], keys.sample, state[2], scale(state))
            measures, kept = probe(state[0], hyper, evaluate, learnt, *now, of_loss)
            return state, Saved(measures, means, kept)

        return TrainLoop(clock, begin, advance, scale, to_save)

    return loop


def _transforms(
    optimiser: Optimiser, hyper: Hyper, rates: Float[Array, " step"], parts: tuple[Part, ...]
) -> Callable[[Array], optax.GradientTransformation]:
    """``transform_at(step)``: what a step does with a gradient, at the rate of that step.

    Raises:
        InputError: when a step is traced: it is on a schedule, and asks for no rate.
    """

    def transform_at(step: Array) -> optax.GradientTransformation:
        asked_for: list[Array] = []

        def rate(count: Array) -> Array:
            # optax's own count would start again from 0 wherever the state does.
            asked_for.append(count)
            return rates[step]

        transformation = optimiser.make(hyper, rate, parts)

        def update(updates: Params, state: PyTree, params: Params) -> tuple[Params, PyTree]:
            updates, state = transformation.update(updates, state, params)
            if optimiser.schedule is not SCHEDULES["constant"] and not asked_for:
                raise InputError(
                    f"optimiser {optimiser.name!r}: got a schedule, and a transform (hyper, rate) "
                    "that never asks for the rate of a step, expected one that follows it: hand "
                    "`rate` on to optax as the learning rate, or leave the schedule out."
                )
            return updates, state

        # Optax types parameters as arrays of its own kinds, and as optional: hence the exception.
        return optax.GradientTransformation(transformation.init, update)  # type: ignore[arg-type]

    return transform_at


def _advance(
    problem: Problem,
    batch_at: Callable[[Array], Example | Batch],
    slope_at: Callable[[Array, State, Example | Batch], Found],
    step_by: Callable[[Array, PyTree, State, Found], State],
    look: Callable[[Params, Array, bool], dict[str, Array]],
    measured: Data | None,
) -> Callable[..., tuple[State, dict[str, Array], dict[str, Array]]]:
    """`TrainLoop.advance`, of what one turn of the loop does.

    Args:
        problem: what is learnt.
        batch_at: the minibatch of a step.
        slope_at: see `_slope`.
        step_by: see `_step`.
        look: see `_look`.
        measured: the set whose objective is found on the way; None: none is.
    """
    shapes = jax.eval_shape(batch_at, jax.ShapeDtypeStruct((), jnp.int32))

    def advance(
        state: State, constants: Constants, start: Array, end: Array
    ) -> tuple[State, dict[str, Array], dict[str, Array]]:
        fresh, before = constants
        steps = end - start
        judge = judge_of(problem, shapes, measured, state[2])

        def turn(number: Array, carry: _Carry) -> _Carry:
            step, trains = start + number, number < steps
            if judge is None:
                drawn = batch_at(step)
            else:
                whose = (lambda: batch_at(step), lambda: judge.batch_at(number - steps))
                drawn = jax.lax.cond(trains, *whose)
            found = slope_at(jnp.minimum(step, end), carry.state, drawn)
            trained = step_by(step, fresh, carry.state, found)
            seen = jax.tree.map(jnp.add, carry.seen, look(trained[0], step, True))
            if carry.judged is None:
                return _Carry(trained, seen, None)
            judged = carry.judged.plus(found[:2], drawn)
            # Not a branch: what it hands on would be copied at every step.
            return jax.tree.map(
                partial(jnp.where, trains),
                _Carry(trained, seen, carry.judged),
                _Carry(carry.state, carry.seen, judged),
            )

        def mean(total: Array, before: Array) -> Array:
            return jnp.where(steps > 0, total / jnp.maximum(steps, 1), before)

        none = jax.tree.map(jnp.zeros_like, before)
        first = _Carry(state, none, None if judge is None else Mean.nothing(state[0]))
        turns = steps if judge is None else steps + judge.turns
        last = jax.lax.fori_loop(0, turns, turn, first)
        found = {} if judge is None else of_slope(problem, *last.judged.value())
        return last.state, jax.tree.map(mean, last.seen, before), found

    return advance


def _slope(
    problem: Problem, order: Order, hyper: Hyper, keys: Keys, clock: Float[Array, " steps_plus_1"]
) -> Callable[[Array, State, Example | Batch], Found]:
    """``slope(step, state, batch)``: loss, gradient, and the loss's own state after it."""
    if order.batch_size is not None:
        # Minibatches are of unlike lengths where they are not drawn by them.
        problem = problem._replace(lengths=())
    gradient_of = gradient_in_pieces(problem, order.buckets)

    def slope(step: Array, state: State, batch: Example | Batch) -> Found:
        key = jax.random.fold_in(keys.sample, step)
        return gradient_of(state[0], batch, hyper, clock[step], key, state[2])

    return slope


def _step(
    clock: Float[Array, " steps_plus_1"],
    jumps: Float[Array, " jump"],
    transform_at: Callable[[Array], optax.GradientTransformation],
    own_state: InitState,
) -> Callable[[Array, PyTree, State, Found], State]:
    """``step(number, fresh, state, found)``, from a fresh optimiser where the loss jumps.

    What was `found` of a batch is the gradient it goes along. The loss's own state that a step
    hands on is for the time after it, and starts anew where the loss jumps between the two.
    """

    def passed(number: Array) -> Array:
        before, time = clock[jnp.maximum(number - 1, 0)], clock[number]
        return jnp.any((before < jumps) & (jumps <= time) & (number > 0))

    def anew(where: Array, fresh: PyTree, state: PyTree) -> PyTree:
        return jax.tree.map(lambda new, old: jnp.where(where, new, old), fresh, state)

    def step(number: Array, fresh: PyTree, state: State, found: Found) -> State:
        params, optimiser_state, _ = state
        _, gradient, own = found
        if jumps.size:
            optimiser_state = anew(passed(number), fresh, optimiser_state)
        updates, optimiser_state = transform_at(number).update(gradient, optimiser_state, params)
        params = optax.apply_updates(params, updates)
        if jumps.size and jax.tree.leaves(own):
            own = anew(passed(number + 1), own_state(params), own)
        return params, optimiser_state, own

    return step


def _look(
    batch_metrics: BatchMetrics | None,
    hyper: Hyper,
    clock: Float[Array, " steps_plus_1"],
    batch_at: Callable[[Array], Example | Batch],
) -> Callable[[Params, Array, bool], dict[str, Array]]:
    """``look(params, step, trained)``: metrics of a step's minibatch; {} where none are asked."""

    def look(params: Params, step: Array, trained: bool) -> dict[str, Array]:
        if batch_metrics is None:
            return {}
        time = clock[step + 1] if trained else clock[0]
        return batch_metrics(params, batch_at(step), hyper, time)

    return look


def _look_before(
    look: Callable[[Params, Array, bool], dict[str, Array]], count: int, order: Order, asked: bool
) -> Callable[[Params], dict[str, Array]]:
    """Metrics over one pass through the minibatches before training; {} where none are asked."""

    def look_before(params: Params) -> dict[str, Array]:
        if not asked:
            return {}
        one_pass = jnp.arange(-(-count // order.examples(count)), dtype=jnp.int32)
        seen = jax.lax.map(lambda step: look(params, step, False), one_pass)
        return jax.tree.map(lambda values: jnp.mean(values, axis=0), seen)

    return look_before


def _all_examples(data: Splits, precision: str, probed: bool) -> dict[str, Example | Batch | Data]:
    """What is measured, by name of the split; probes see the whole learning set."""
    return {
        name: (everything if probed and name == "train" else filled)(split, precision)
        for name, split in data.evaluate.items()
    }
