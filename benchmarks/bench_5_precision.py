"""How much work for how many digits? Every solver of `jaxattn.integrate`, beside scipy's.

The published setting (m = 100, C = 1000, t = 4e5) at 100 log-spaced times, each solver at many
tolerances; the error is the largest of mu and nu at any of the times, against the closed form.
"""

import time
from functools import partial
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reduced_cases import PARADIGMS, TILE, TIMES, error, solved
from reduced_peer import METHODS, path

from jaxattn import theory
from jaxattn.core.contracts import Status
from jaxattn.integrate import SOLVERS

SIZE = (100.0, 1000.0)
LADDER = 10.0 ** -np.arange(4.0, 13.1, 1.0)
REPEATS, BUDGET = 5, 0.3  # calls of each, and the seconds after which one is enough


def timed(work):
    """Medians on the wall and of the processor, in seconds."""
    walls, spent = [], []
    while len(walls) < REPEATS and sum(walls) < BUDGET:
        began, before = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - began)
        spent.append(time.process_time() - before)
    return median(walls), median(spent)


def of_scipy(method, paradigm, truth):
    for rtol in LADDER:
        found, evaluations = path(method, paradigm, *SIZE, TIMES, rtol)
        run = partial(path, method, paradigm, *SIZE, TIMES, rtol)
        wall, processor = timed(run)
        yield {
            "solver": f"scipy {method}",
            "rtol": float(rtol),
            "error": error(found, truth)["largest"],
            "evaluations": evaluations,
            "seconds": wall,
            "processor": processor,
        }


def of_jaxattn(solver, paradigm, truth):
    row = solved(paradigm, solver)
    one = jax.jit(row)
    many = jax.jit(jax.vmap(row, in_axes=(None, None, 0, 0)))
    rows = [jnp.full(TILE, size) for size in SIZE]
    for rtol in LADDER:
        ends = jax.block_until_ready(one(TIMES, rtol, *SIZE))
        if ends.status != int(Status.DONE):  # out of steps
            continue
        jax.block_until_ready(many(TIMES, rtol, *rows))
        wall, processor = timed(lambda rtol=rtol: jax.block_until_ready(one(TIMES, rtol, *SIZE)))
        batch = timed(lambda rtol=rtol: jax.block_until_ready(many(TIMES, rtol, *rows)))
        yield {
            "solver": solver,
            "rtol": float(rtol),
            "error": error(np.stack(ends.values, -1), truth)["largest"],
            "evaluations": int(ends.work["gradients"]),
            "seconds": wall,
            "processor": processor,
            "seconds_in_batch": batch[0] / TILE,
            "processor_in_batch": batch[1] / TILE,
        }


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_work_and_precision(in_64_bits, benchmark, paradigm):
    def closed():
        m, c = SIZE
        return jax.block_until_ready(theory.trajectory(paradigm, TIMES, segments=m, classes=c))

    truth = np.stack(closed(), -1)
    points = [
        *(point for solver in SOLVERS for point in of_jaxattn(solver, paradigm, truth)),
        *(point for method in METHODS for point in of_scipy(method, paradigm, truth)),
    ]
    wall, processor = timed(closed)
    benchmark.extra_info |= {
        "question": "work and precision",
        "paradigm": paradigm,
        "units": 1,
        "batch": TILE,
        "closed_form": {"seconds": wall, "processor": processor},
        "points": points,
    }
    benchmark.pedantic(closed, rounds=9)
