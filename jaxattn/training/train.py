"""Discrete training with optax: one run as a pure function, on the clock of its flow."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxattn.core.contracts import Data, Hyper, Keys, Params, Path, Problem, Splits, Trajectory
from jaxattn.core.kept import kept
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, row_status
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import (
    OwnTimes,
    Saves,
    at_steps,
    last_step,
    refuse_schedule,
    steps_of,
    until_last_save,
)
from jaxattn.training.train_loop import BatchMetrics, State, make_train_loop

__all__ = ["make_train", "make_train_end", "make_train_path", "work_of"]


@kept
def make_train(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    order: Order,
    keep_params: Keep = False,
    batch_metrics: BatchMetrics | None = None,
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
        batch_metrics: ``batch_metrics(params, batch, hyper, time) -> {name: scalar}``, of the
            minibatch just used after its step. At a save the trajectory holds the average over the
            steps since the save before; at step 0 that over one pass through the minibatches
            before training.
        probes: what else to measure at every save, of the training loss itself.

    The optimiser's state starts afresh at every discontinuity of the loss (a hybrid's switch), and
    so does the loss's own; a schedule goes on, as the clock does.

    Raises:
        InputError: times of a limit alone, or a schedule that these saves do not allow.
    """
    saves = at_steps(saves)
    refuse_schedule(saves, optimiser)
    loop = make_train_loop(
        problem, optimiser, saves, order, keep_params, batch_metrics, last_step(saves), probes
    )

    def train(params: Params, hyper: Hyper, data: Splits, keys: Keys) -> Trajectory:
        run = loop(hyper, data, keys)
        start, constants = run.begin(params)
        ends = steps_of(saves, optimiser, hyper)
        (params, _, _), saved = jax.lax.scan(
            lambda state, span: run.to_save(state, constants, *span), start, _spans(ends)
        )
        times = run.clock[ends]
        objective = saved.measures["objective"]
        status, time_reached = _ended(saves, optimiser, hyper, objective, times, params)
        return Trajectory(
            step=ends.astype(times.dtype),
            time=times,
            measures=saved.measures,
            status=status,
            time_reached=time_reached,
            work=work_of(ends[-1]),
            params=params if keep_params == "last" else saved.params,
            batch_metrics=saved.batch_metrics or None,
        )

    return train


@kept
def make_train_path(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    order: Order,
    is_scaled: bool = False,
) -> Callable[..., Path]:
    """The steps of `make_train` alone: ``path(params, hyper, learn, measured, keys, rows)``.

    Args:
        problem: what is learnt.
        optimiser: as in `make_train`.
        saves: as in `make_train`.
        order: as in `make_train`; `rows` are what `epoch_rows` gives for it.
        is_scaled: whether the path holds what a step multiplies the gradient by, for probes, which
            find the objective themselves.

    Raises:
        InputError: as `make_train`.
    """
    saves = at_steps(saves)
    refuse_schedule(saves, optimiser)
    loop = make_train_loop(problem, optimiser, saves, order, False, None, last_step(saves))

    def path(
        params: Params, hyper: Hyper, learn: Data, measured: Data, keys: Keys, rows: Any
    ) -> Path:
        evaluate = {} if is_scaled else {"train": measured}
        run = loop(hyper, Splits(learn, evaluate), keys, rows=rows)
        start, constants = run.begin(params)
        ends = steps_of(saves, optimiser, hyper)

        def to_save(state: State, span: tuple[Array, Array]) -> tuple[State, tuple]:
            state, _, of_loss = run.advance(state, constants, *span)
            scale = run.scale(state) if is_scaled else None
            return state, (state[0], state[2], scale, of_loss)

        _, (at_saves, states, scales, of_loss) = jax.lax.scan(to_save, start, _spans(ends))
        times = run.clock[ends]
        step = ends.astype(times.dtype)
        work = work_of(ends[-1])
        return Path(step, times, at_saves, states, scales, work, of_loss=of_loss)

    return path


@kept
def make_train_end(
    optimiser: Optimiser, saves: Saves | OwnTimes, keep_params: Keep
) -> Callable[[Path, Hyper, Array], Trajectory]:
    """``end(path, hyper, objective) -> Trajectory`` without measures: how training ended."""
    saves = at_steps(saves)

    def end(path: Path, hyper: Hyper, objective: Array) -> Trajectory:
        last = jax.tree.map(lambda leaf: leaf[-1], path.params)
        status, reached = _ended(saves, optimiser, hyper, objective, path.time, last)
        params = {"last": last, True: path.params, False: None}[keep_params]
        return Trajectory(path.step, path.time, {}, status, reached, path.work, params)

    return end


def _spans(ends: Int[Array, " save"]) -> tuple[Array, Array]:
    """The steps between which saves lie: before and at each."""
    return jnp.concatenate([jnp.zeros((1,), jnp.int32), ends[:-1]]), ends


def _ended(
    saves: Saves,
    optimiser: Optimiser,
    hyper: Hyper,
    objective: Float[Array, " save"],
    times: Float[Array, " save"],
    params: Params,
) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """The status, and the time of the last good save."""
    status, time_reached = row_status(objective, times, params)
    return until_last_save(status, saves, optimiser, hyper), time_reached


def work_of(steps: Int[Array, ""]) -> dict[str, Array]:
    """What so many steps cost."""
    return {"gradients": steps, "steps": steps, "rejected": jnp.zeros_like(steps)}
