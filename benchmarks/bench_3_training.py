"""What does a step of one seed cost, by the number of seeds, and against an eager PyTorch loop?"""

import time

import counting
import numpy as np
import pytest
import torch
from cases import CASES, FIXED_FOCUS, LINEAR, MLP, PARADIGMS, RATE, batch_rows, start_of, training
from peer import Loop

from jaxattn.run.stopwatch import Stopwatch

SEEDS = (1, 4, 16, 64, 256, 1024)
BASE = 64  # what the cost of more seeds is held against, in the same rounds
STEPS = {"linear": 60, "mlp": 20, "fixed-focus": 60}
PROOF_RATE = {"linear": 20.0, "mlp": 1.0, "fixed-focus": 20.0}
PEER_STEPS, PROOF_SAVES, EVALUATED = 60, (0, 1, 2, 3), 64
TILES = (1, 2, 4, 8, 16, 32)


def first_losses(case, paradigm, alpha, batches):
    """The proof that the peer does what jaxattn does: both losses of the first examples by step.

    From equal parameters, on equal minibatches, they must agree before the first step and after
    each of the next three, taken at a rate at which they do change.
    """
    rate = PROOF_RATE[case.name]
    loop = Loop(case.data(), start_of(case, paradigm), paradigm, rate, alpha)
    losses = []
    for rows in batches[: len(PROOF_SAVES)]:
        with torch.no_grad():
            losses.append(float(loop.loss(torch.arange(EVALUATED))))
        loop.step(rows)
    ours = training(
        case, paradigm, seeds=1, tile=1, saves=PROOF_SAVES, rate=rate, evaluated=EVALUATED
    )()
    objective = np.concatenate([np.ravel(part.measures["objective"]) for part in ours])
    row = 0 if alpha is None else case.alphas.index(alpha)
    mine = objective.reshape(-1, len(PROOF_SAVES))[row]
    # Sums of some thousand terms in float32, in another order: 1e-5 is a hundred roundings.
    np.testing.assert_allclose(mine, losses, rtol=1e-5)
    assert abs(losses[-1] / losses[0] - 1) > 1e-3, losses
    return {"PyTorch": losses, "jaxattn": mine.tolist()}


def on_threads(count, work):
    def run():
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        work()
        torch.set_num_threads(before)

    return run


def peers_of(case, paradigm, alpha=None):
    """The loop on PyTorch's default number of threads and on one, warmed up, and its proof."""
    rows = batch_rows(case, PEER_STEPS)
    batches = [torch.tensor(each, dtype=torch.long) for each in rows]
    proof = first_losses(case, paradigm, alpha, batches)
    run = Loop(case.data(), start_of(case, paradigm), paradigm, RATE, alpha).running(batches)
    threads = {1, torch.get_num_threads()}
    loops = {f"PyTorch eager, threads: {count}": on_threads(count, run) for count in threads}
    for loop in loops.values():
        loop()
    return {name: (loop, PEER_STEPS) for name, loop in loops.items()}, proof


@pytest.fixture(scope="module")
def peers():
    made = {}

    def get(case, paradigm, alpha=None):
        key = case.name, paradigm, alpha
        if key not in made:
            made[key] = peers_of(case, paradigm, alpha)
        return made[key]

    return get


@pytest.fixture(scope="module")
def sweeps():
    """Sweeps by what they are, each with the seconds of its compilation and of its first call."""
    made = {}

    def get(case, paradigm, seeds, tile, steps):
        key = case.name, paradigm, seeds, tile, steps
        if key not in made:
            watch = Stopwatch()
            sweep = training(case, paradigm, seeds=seeds, tile=tile, saves=(0, steps))
            began = time.perf_counter()
            with watch.compiling("first"):
                sweep()
            first = time.perf_counter() - began
            made[key] = (
                sweep,
                {
                    "compile_s": watch.seconds["first"]["compile"],
                    "first_call_s": first,
                },
            )
        return made[key]

    return get


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("paradigm", PARADIGMS)
@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_seeds(in_turn, peers, sweeps, name, paradigm, seeds):
    case, steps = CASES[name], STEPS[name]
    tile = min(seeds, case.model.tile)
    sweep, spent = sweeps(case, paradigm, seeds, tile, steps)
    loops, losses = peers(case, paradigm)
    others = dict(loops)
    if seeds > BASE:
        base, _ = sweeps(case, paradigm, BASE, case.model.tile, steps)
        others[f"{BASE} seeds"] = (base, BASE * steps)
    work = counting.step(paradigm, **case.shapes())
    in_turn(
        sweep,
        others,
        units=seeds * steps,
        rounds=7 if seeds <= BASE else 3,
        question="seeds",
        case=name,
        paradigm=paradigm,
        seeds=seeds,
        tile=tile,
        operations=work.operations,
        bytes=work.bytes,
        first_losses=losses,
        **spent,
    )


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("case", [LINEAR, MLP], ids=lambda case: case.name)
def test_tile(in_turn, sweeps, case, tile):
    rows, steps = max(TILES), STEPS[case.name]
    sweep, spent = sweeps(case, "hard", rows, tile, steps)
    in_turn(
        sweep,
        {},
        units=rows * steps,
        rounds=7,
        question="tile",
        case=case.name,
        paradigm="hard",
        seeds=rows,
        tile=tile,
        **spent,
    )


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_fixed_focus(in_turn, peers, sweeps, paradigm):
    """PAPER 3.1: five alphas of every seed in one sweep; a seed is 5 x 100 epochs x 20 steps."""
    case, seeds, steps = FIXED_FOCUS, 16, STEPS[FIXED_FOCUS.name]
    alphas = len(case.alphas)
    sweep, spent = sweeps(case, paradigm, seeds, case.model.tile, steps)
    loops, losses = peers(case, paradigm, case.alphas[0])
    work = counting.step(paradigm, **case.shapes())
    in_turn(
        sweep,
        loops,
        units=alphas * seeds * steps,
        rounds=7,
        question="fixed focus",
        case=case.name,
        paradigm=paradigm,
        seeds=seeds,
        tile=case.model.tile,
        steps_of_a_seed=alphas * 100 * 20,
        operations=work.operations,
        bytes=work.bytes,
        first_losses=losses,
        **spent,
    )
