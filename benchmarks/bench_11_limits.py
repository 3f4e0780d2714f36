"""Training at five learning rates and the one gradient flow that they share, against PyTorch.

"2,000 steps equivalent" is read so: each of 64 seeds takes 2,000 steps at each of five learning
rates, 640,000 steps of minibatches in all; and one flow for each seed goes as far as the largest of
the rates, to T = 2,000 x 0.5 = 1,000, and is read where each of the rates ends. By then all three
paradigms have learnt the task. Training is in float32, the flow in float64 on the first 512
examples, on both sides.

Training costs as much at every step, and a flow for every seed, so fewer of them are timed:
`STEPS` steps of all 320 runs, and the flows of as many seeds as fill the cores; of PyTorch one run
and one flow. `figures` puts them together. What PyTorch's cost is proportional to is checked here.
"""

import time

import numpy as np
import pytest
from bench_3_training import on_threads, peers_of
from cases import LINEAR, PARADIGMS
from limits_cases import FLOWS, LEARNT, RATES, SAVES, SEEDS, STEPS, flow_start, flows, trainings
from limits_peer import Flow, flat
from limits_ratios import PROCESSES, figures

from jaxattn.core.contracts import Status
from jaxattn.run.stopwatch import Stopwatch

CASE, ROUNDS = LINEAR, 3
TOLERANCES = {"rtol": 1e-6, "atol": 1e-8}  # torchdiffeq's; ours, in limits_cases, end closer
EXACT = {"method": "dopri8", "rtol": 1e-9, "atol": 1e-11}
PROVEN = (0, 1)  # seeds whose flows are held against an exact one
TIMES = max(RATES) * np.asarray(SAVES, float)


def first_call(work):
    """What it gives, and the seconds of its compilation and of its first call."""
    watch, began = Stopwatch(), time.perf_counter()
    with watch.compiling("first"):
        given = work()
    return given, {
        "compile_s": watch.seconds["first"]["compile"],
        "first_call_s": time.perf_counter() - began,
    }


def proof(paradigm, ours):
    """Errors and evaluations of the flows of a few seeds; ours must be no less accurate."""
    apart = {"jaxattn": [], "torchdiffeq": []}
    evaluations = []
    for seed in PROVEN:
        params = flow_start(CASE, paradigm, seed)
        peer = Flow(LEARNT, paradigm, params)
        path = peer.solve(params, TIMES, "dopri5", **TOLERANCES)
        evaluations.append(peer.evaluations)
        exact = peer.solve(params, TIMES, **EXACT)
        apart["torchdiffeq"].append(path - exact)
        apart["jaxattn"].append(flat(ours.params)[seed] - exact)
    errors = {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in apart.items()}
    assert errors["jaxattn"] <= errors["torchdiffeq"], errors
    # Both end where they should; parameters are of order 1 to 10.
    assert all(np.abs(each).max() < 1e-3 for each in apart.values())
    return {"errors": errors, "evaluations": evaluations}


def proportions(loops):
    """Time of PyTorch's training done twice and four times, over 2 and 4 times that of it once."""

    def seconds(times, run):
        began = time.perf_counter()
        for _ in range(times):
            run()
        return time.perf_counter() - began

    def ratio(times, run):
        return float(np.median([seconds(times, run) / seconds(1, run) for _ in range(5)]))

    return {
        name: {times: ratio(times, run) / times for times in (2, 4)}
        for name, (run, _) in loops.items()
    }


def peers_of_flow(paradigm, threads, evaluations):
    """One flow of torchdiffeq on each number of threads; the unit is a flow of average length."""
    params = flow_start(CASE, paradigm, PROVEN[0])
    peer = Flow(LEARNT, paradigm, params)

    def solve():
        peer.solve(params, TIMES, "dopri5", **TOLERANCES)

    units = float(evaluations[0] / np.mean(evaluations))
    return {
        f"torchdiffeq dopri5, threads: {count}": (on_threads(count, solve), units)
        for count in threads
    }


@pytest.mark.parametrize("paradigm", PARADIGMS)
@pytest.mark.usefixtures("in_64_bits")
def test_limits(in_turn, benchmark, paradigm):
    train, solve = trainings(CASE, paradigm), flows(CASE, paradigm)
    trained, spent_on_training = first_call(train)
    solved, spent_on_flow = first_call(solve)
    assert (trained.status == Status.DONE).all()
    assert (solved.status == Status.DONE).all()
    loops, losses = peers_of(CASE, paradigm)
    threads = [int(name.rsplit(" ", 1)[-1]) for name in loops]
    proven = {}
    on_threads(1, lambda: proven.update(proof(paradigm, solved)))()
    in_turn(
        train,
        {
            "flow": (solve, FLOWS),
            **loops,
            **peers_of_flow(paradigm, threads, proven["evaluations"]),
        },
        units=SEEDS * len(RATES) * STEPS,
        rounds=ROUNDS,
        question="limits",
        case=CASE.name,
        paradigm=paradigm,
        steps=SAVES[-1],
        rates=RATES,
        gradients=float(np.mean(solved.work["gradients"])),
        flow=proven,
        first_losses=losses,
        proportions=proportions(loops),
        spent={"training": spent_on_training, "flow": spent_on_flow},
    )
    found = figures(benchmark.stats.stats.data, benchmark.extra_info)
    benchmark.extra_info["times_as_fast"] = {name: found[name] for name in PROCESSES}
    print(paradigm, found)
