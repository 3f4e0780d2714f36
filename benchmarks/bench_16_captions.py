"""What does a seed-step on captions of mosaics cost, against PyTorch?"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.contracts import Data, Example
from jaxattn.core.streams import streams
from jaxattn.models import captioner
from jaxattn.problems.caption_problem import caption_problem
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order, epoch_rows, make_batches
from jaxattn.tasks import captions

SEEDS, RATE, BATCH, STEPS, WIDTH = 4, 0.05, 128, 20, 32
"""As `jaxattn reproduce captions --scale small` has them."""
MOSAICS = 5000

CLOSE = 7 * 32 * STEPS * float(np.finfo("float32").eps)
"""Each step adds the rounding of its own to the parameters: at most that of seven words, one of
each of the 32 products that a sum has, in another order."""


@cache
def mosaics():
    """The task, and its training examples with their pixels filled in."""
    task = captions(train=MOSAICS, test=1, validation=0)
    examples, pool = task.make(0)["train"]
    pixels = np.asarray(pool)[examples.segments].astype("float32")
    return task, Example(*(pixels, *examples[1:]))._replace(weight=np.ones(MOSAICS, "float32"))


@cache
def problem_of(paradigm):
    task, _ = mosaics()
    return caption_problem(task, captioner(task.classes, WIDTH), paradigm)


def ours(paradigm):
    """All seeds, a tile of the model's rows a call, a call a lane, as `jaxattn.run.tiles` has."""
    problem, (_, examples) = problem_of(paradigm), mosaics()
    order = Order("shuffled", BATCH)
    slope = gradient_in_pieces(problem, None)
    hyper = {"temperature": jnp.ones(()), "learning_rate": jnp.full((), RATE)}
    key = streams(0).order
    rows = epoch_rows(order, MOSAICS, STEPS, key)

    def row(params, data):
        batch_at = make_batches(order, data, STEPS, key, "float32", rows=rows)

        def step(number, carry):
            params, losses = carry
            loss, gradient, _ = slope(params, batch_at(number), hyper, jnp.zeros(()), None, ())
            moved = jax.tree.map(lambda at, change: at - RATE * change, params, gradient)
            return moved, losses.at[number].set(loss)

        return jax.lax.fori_loop(0, STEPS, step, (params, jnp.zeros(STEPS)))[1]

    tile = jax.jit(jax.vmap(row, in_axes=(0, None)))
    starts = [problem.init(streams(seed).init, hyper) for seed in range(SEEDS)]
    size = max(1, min(problem.tile, SEEDS // os.cpu_count()))
    groups = [starts[first : first + size] for first in range(0, SEEDS, size)]
    tiles = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *group) for group in groups]
    data = Data(jax.tree.map(jnp.asarray, examples))
    lanes = ThreadPoolExecutor(os.cpu_count())

    def run():
        return list(lanes.map(lambda start: jax.block_until_ready(tile(start, data)), tiles))

    return run, starts, np.asarray(rows)


@pytest.mark.parametrize("paradigm", ["soft", "hard"])
def test_seed_step(in_turn, paradigm):
    """PyTorch takes the same minibatches from the same start."""
    peer = pytest.importorskip("captions_peer")
    run, starts, rows = ours(paradigm)
    _, examples = mosaics()
    losses = np.asarray(run()[0][0])
    taken = rows.reshape(-1, BATCH)[:STEPS]
    # Of one thread: beside other work those of two wait for each other, up to a hundredfold.
    loop = peer.Loop(examples, taken, starts[0], paradigm, RATE, 1)
    # The same start, the same losses along the steps: else two things are compared.
    np.testing.assert_allclose(loop(), losses, rtol=CLOSE)
    in_turn(
        run,
        {"PyTorch, 1 thread": (loop, STEPS)},
        units=SEEDS * STEPS,
        rounds=5,
        question="captions",
        case="mosaics",
        paradigm=paradigm,
    )
