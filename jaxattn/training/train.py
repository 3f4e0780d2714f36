"""Discrete training with optax: one run as a pure function, on the clock of its flow."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxattn.core.contracts import Hyper, Keys, Params, Problem, Splits, Trajectory
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
from jaxattn.training.train_loop import BatchMetrics, make_train_loop

__all__ = ["make_train", "work_of"]


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

    The optimiser's state starts afresh at every discontinuity of the loss (a hybrid's switch); a
    schedule goes on, as the clock does.

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
        starts = jnp.concatenate([jnp.zeros((1,), jnp.int32), ends[:-1]])
        (params, _, _), saved = jax.lax.scan(
            lambda state, span: run.to_save(state, constants, *span), start, (starts, ends)
        )
        times = run.clock[ends]
        status, time_reached = row_status(saved.measures["objective"], times, params)
        status = until_last_save(status, saves, optimiser, hyper)
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


def work_of(steps: Int[Array, ""]) -> dict[str, Array]:
    """What so many steps cost."""
    return {"gradients": steps, "steps": steps, "rejected": jnp.zeros_like(steps)}
