"""Training at several learning rates and the flow beside it, as jaxattn runs them."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import jax
import numpy as np
from cases import LINEAR, Case

from jaxattn.core.contracts import Params, Problem, Splits, Trajectory
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import head
from jaxattn.run.job import FLOW_TILE, tiles_at_once
from jaxattn.run.tiles import Started, fetch, make_row, make_runner, make_tile
from jaxattn.study.plan import Plan, make_plan
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

SEEDS, RATES = 64, (0.5, 0.25, 0.125, 0.0625, 0.03125)
SAVES = (0, 125, 250, 500, 1000, 2000)
"""Of the flow, in steps at the largest rate: 0, and where 2,000 steps at each rate end."""
STEPS = 60  # of the 2,000 that are timed
FLOWS = min(SEEDS, 4 * FLOW_TILE)  # of the 64 that are timed
SOLVER, RTOL = "tsit5", 2e-6  # ends closer than torchdiffeq's dopri5 does at 1e-6, see the proof
LEARNT = head(LINEAR.task.make(0)["train"], 512)  # by the flow
DEVICES = tuple(jax.local_devices()[:1])


def trainings(case: Case, paradigm: str) -> Callable[[], Trajectory]:
    """All seeds at all rates, for a part of their steps; measured as in `cases.training`."""
    problem, data = case.problem(paradigm), case.data()
    dynamics = make_train(problem, as_optimiser("sgd"), (0, STEPS), case.order())
    plan = plan_of(RATES, SEEDS, case.model.tile)
    return sweep(problem, dynamics, plan, Splits(data, {"train": head(data, 16)}))


def flows(case: Case, paradigm: str) -> Callable[[], Trajectory]:
    """The flows of some seeds, with their parameters at all saves."""
    problem = flow_problem(case, paradigm)
    dynamics = make_flow(
        problem, as_optimiser("sgd"), SAVES, True, solver=SOLVER, rtol=RTOL, atol=1e-2 * RTOL
    )
    plan = plan_of(RATES[:1], FLOWS, FLOW_TILE)
    return sweep(problem, dynamics, plan, Splits(LEARNT, {"train": head(LEARNT, 16)}))


def flow_problem(case: Case, paradigm: str) -> Problem:
    return attention_problem(case.task, case.model, paradigm, "softmax", "float64")


def flow_start(case: Case, paradigm: str, seed: int) -> Params:
    """Where the flow of a seed starts."""
    return flow_problem(case, paradigm).init(streams(seed).init, {})


def plan_of(rates: tuple[float, ...], seeds: int, tile: int) -> Plan:
    at_once = tiles_at_once(DEVICES)
    axes, constants = {"learning_rate": rates}, {"temperature": 1.0}
    return make_plan(axes, range(seeds), constants, tile=tile, at_once=at_once)


def sweep(problem: Problem, dynamics: Any, plan: Plan, splits: Splits) -> Callable[[], Trajectory]:
    """Chunk by chunk, the next begun while one works; all rows on one leading axis."""
    tile = make_tile(make_row(problem, dynamics, True, True), False)
    run = make_runner(tile, False, DEVICES, tiles_at_once(DEVICES))

    def begin(rows: np.ndarray) -> list[Future[Started]]:
        hypers = {k: v.astype(problem.precision) for k, v in plan.hypers_of(rows).items()}
        return run(plan.seed_of(rows), hypers, splits)

    def whole() -> Trajectory:
        done, waiting = [], None
        for chunk in plan.chunks():
            begun = begin(chunk.rows)
            if waiting is not None:
                done.append(fetch(waiting))
            waiting = begun
        done.append(fetch(waiting))
        rows = [jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), d) for d in done]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *rows)

    return whole
