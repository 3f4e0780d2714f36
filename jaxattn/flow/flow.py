"""A continuous limit solved: as a pure function, on the time axis of training, in the same form.

A flow gets its times from the optimiser's clock: `make_train` and `make_flow` take the same
arguments and give the same `Trajectory`, so that plots and tests can swap them. In a comparison
each learning rate has a horizon of its own, and rows that differ only in the rate solve the same
flow to different times: that is the cost of a rate more or less changing no other row, bit for
bit. Beside training at given times (`AtTimes`) one flow serves all rates where their clocks agree,
as the flow knows no rate.
"""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float

from jaxattn.core.contracts import (
    Hyper,
    Keys,
    Params,
    Problem,
    Splits,
    Trajectory,
)
from jaxattn.core.kept import kept
from jaxattn.flow.events import Stop
from jaxattn.flow.limits.base import Limit
from jaxattn.flow.path import WHOLE, make_flow_end, make_flow_path
from jaxattn.flow.solve import Tolerances
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, make_probe
from jaxattn.problems.check_problem import checked, checked_probe
from jaxattn.problems.data import everything
from jaxattn.problems.large_sets import filled_as_learnt
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.saves import (
    OwnTimes,
    Saves,
)

__all__ = ["make_flow"]


@kept
def make_flow(
    problem: Problem,
    optimiser: Optimiser,
    saves: Saves | OwnTimes,
    keep_params: Keep = False,
    solver: Any = "tsit5",
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = 100_000,
    *,
    limit: str | Limit = "flow",
    order: Order = WHOLE,
    probes: tuple[Probe, ...] = (),
    until: Stop | None = None,
    log_time_unit: float | None = None,
) -> Callable[..., Trajectory]:
    """A continuous limit of training as ``flow(params, hyper, data, keys, share=1)``.

    It takes the arguments of `make_train` and gives the same `Trajectory`, measured at the times
    that training reaches at its saves; the loss is that of the whole learning set. Steps end at
    the discontinuities of the loss, so a hybrid switches exactly, and a limit with a state of its
    own (a velocity, moments) starts anew there, as the optimiser does. `share` multiplies both
    tolerances and may be traced: how far a solution at a tenth is from that at the whole is about
    the error of the latter.

    Args:
        problem: what is learnt, at precision float64.
        optimiser: gives the clock (and the focus rate, which multiplies the focus part's flow).
        saves: those of the training beside it: steps, increasing from 0, or `AtTimes`. Or
            `OwnTimes`, which no training asks for: the limit starts at 0, ``step`` is NaN, and one
            that `Limit.rests_with_flow` may end early where it is at rest (`jaxattn.flow.rest`),
            unless its loss depends on time: it then has the status ``CONVERGED``, its time there in
            ``time_reached``, and its parameters are held, so that all measures are valid.
        keep_params: whether the trajectory holds the parameters at every save; ``"last"``: those
            at the end alone, without an axis of saves.
        solver: a solver of `integrate`, by name or itself.
        rtol: relative tolerance of one step.
        atol: absolute tolerance of one step, in the unit of each leaf: the power of two next to the
            root mean square of its start, so that no scale is assumed (`jaxattn.flow.units`).
        max_steps: steps after which a row counts as failed.
        limit: one of `LIMITS`, by name or itself.
        order: how the training beside it draws its minibatches; read by limits that know noise.
            In those all examples count alike: a row whose weights differ fails.
        probes: what else to measure at every save, of the training loss itself.
        until: where the flow may end before its time, such as `stationary`: it then has the status
            ``CONVERGED``, and measures are NaN from there on.
        log_time_unit: solve in log time, from a start of about this length; see `integrate`.

    A limit with noise has a path of its own for every ``keys.sample``. It takes a step for each one
    of training, whatever `solver` and tolerances: with noise of size sqrt(eta) the weak error of
    `integrate_sde` at h = eta is O(eta^3), beside the eta^2 of the limit itself.

    Raises:
        InputError: the problem is not float64, or its loss is random; the optimiser has no such
            limit, or not with minibatches in this order; an event or log time with noise; `rtol`
            is below the reach of float64. When it is traced: a loss with a state, or one that
            draws and does not say so.
    """
    how = Tolerances(solver, rtol, atol, max_steps, log_time_unit, until)
    path_of = make_flow_path(
        problem, optimiser, saves, how, limit=limit, order=order, is_scaled=True
    )
    problem = checked(problem)
    probe = make_probe(
        problem, gradient_in_pieces(problem), False, tuple(map(checked_probe, probes))
    )
    end = make_flow_end(optimiser, saves, keep_params)

    def flow(
        params: Params,
        hyper: Hyper,
        data: Splits,
        keys: Keys,
        share: float | Float[Array, ""] = 1.0,
    ) -> Trajectory:
        path = path_of(params, hyper, data.learn, keys, share)
        evaluate = {
            name: everything(split, problem.precision) for name, split in data.evaluate.items()
        }
        learnt = filled_as_learnt(evaluate["train"], data.evaluate["train"], problem.precision)

        def at_save(save: tuple) -> dict[str, Array]:
            params, time, state, scale = save
            now = (time, keys.sample, state, scale)
            return probe(params, hyper, evaluate, learnt, *now, {})[0]

        with jax.default_matmul_precision("highest"):
            measures = jax.lax.map(at_save, (path.params, path.time, path.state, path.scale))
        return end(path, hyper, measures["objective"])._replace(measures=measures)

    return flow
