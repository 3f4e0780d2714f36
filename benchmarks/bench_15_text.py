"""What does a seed-step on posts cost, by minibatches of like lengths, against PyTorch?

And what a whole set of posts costs, in pieces of like lengths, against all at their full length.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.buckets import buckets_of
from jaxattn.core.contracts import Data, Example, Task
from jaxattn.core.streams import streams
from jaxattn.core.vocabulary import Vocabulary
from jaxattn.models import text
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order, epoch_rows, make_batches

SEEDS, RATE, MOMENTUM, BATCH, STEPS = 4, 0.1, 0.9, 256, 12
MEASURED = 512
"""Posts of a set that are measured by default."""
POSTS, WORDS, LONGEST, CLASSES = 2984, 9000, 96, 3
"""Sizes of the Toxic Spans posts: an epoch is twelve minibatches."""


@cache
def posts():
    """As many invented posts, 26 words in the median; frequent words are as frequent as Zipf's."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(np.log(26), 0.6, POSTS), 1, LONGEST).astype(int)
    lengths[0] = LONGEST
    mask = np.arange(LONGEST) < lengths[:, None]
    ids = np.minimum(draw.zipf(1.3, mask.shape) + 1, WORDS - 1)
    examples = Example(
        segments=np.where(mask, ids, 0).astype("int32"),
        mask=mask,
        label=draw.integers(0, CLASSES, POSTS, dtype="int32"),
        foreground=np.zeros_like(mask),
        weight=np.ones(POSTS, "float32"),
    )
    return examples, buckets_of(mask)


@cache
def problem_of(paradigm, buckets=None):
    examples, _ = posts()
    one = jax.tree.map(lambda leaf: leaf[0], examples)
    vocabulary = Vocabulary(tuple(map(str, range(WORDS))))
    known = {"vocabulary": vocabulary, "buckets": buckets}
    task = Task("posts", LONGEST, CLASSES, lambda seed: {}, one, **known)
    return attention_problem(task, text(CLASSES, vocabulary), paradigm)


def ours(paradigm):
    """All seeds for an epoch, a row a call, a call a lane, as `jaxattn.run.tiles` has them."""
    problem, (examples, buckets) = problem_of(paradigm), posts()
    order = Order("by-length", BATCH, buckets=buckets)
    slope = gradient_in_pieces(problem, buckets)
    hyper = {"temperature": jnp.ones(()), "learning_rate": jnp.full((), RATE)}
    key = streams(0).order
    rows = epoch_rows(order, POSTS, STEPS, key)

    def row(params, data):
        batch_at = make_batches(order, data, STEPS, key, "float32", rows=rows)

        def step(number, carry):
            params, speed, losses = carry
            loss, gradient, _ = slope(params, batch_at(number), hyper, jnp.zeros(()), None, ())
            speed = jax.tree.map(lambda at, change: MOMENTUM * at + change, speed, gradient)
            moved = jax.tree.map(lambda at, change: at - RATE * change, params, speed)
            return moved, speed, losses.at[number].set(loss)

        still = jax.tree.map(jnp.zeros_like, params)
        return jax.lax.fori_loop(0, STEPS, step, (params, still, jnp.zeros(STEPS)))[2]

    tile = jax.jit(jax.vmap(row, in_axes=(0, None)))
    starts = [problem.init(streams(seed).init, hyper) for seed in range(SEEDS)]
    tiles = [jax.tree.map(lambda leaf: leaf[None], start) for start in starts]
    data = Data(jax.tree.map(jnp.asarray, examples))
    lanes = ThreadPoolExecutor(os.cpu_count())

    def run():
        return list(lanes.map(lambda start: jax.block_until_ready(tile(start, data)), tiles))

    return run, starts, np.asarray(rows)


@pytest.mark.parametrize("paradigm", ["soft", "hard", "lvml"])
def test_seed_step(in_turn, paradigm):
    """PyTorch takes the same minibatches, and shuffled ones, each as long as its longest post.

    The same are ours, of posts of like lengths; shuffled ones are what a loop without them has.
    """
    peer = pytest.importorskip("text_peer")
    run, starts, same = ours(paradigm)
    examples, _ = posts()
    losses = np.asarray(run()[0][0])
    shuffled = epoch_rows(Order("shuffled", BATCH), POSTS, STEPS, streams(0).order)
    loops = {
        f"PyTorch, {kind}, {n} threads": peer.Loop(
            examples, np.asarray(rows), starts[0], paradigm, (RATE, MOMENTUM), n
        )
        for kind, rows in (("same", same), ("shuffled", shuffled))
        for n in {1, os.cpu_count()}
    }
    for name, loop in loops.items():
        found = loop()
        # The same start, the same losses along an epoch: else two things are compared.
        if "same" in name:
            np.testing.assert_allclose(found, losses, rtol=1e-3)
    in_turn(
        run,
        {name: (loop, STEPS) for name, loop in loops.items()},
        units=SEEDS * STEPS,
        rounds=5,
        question="text",
        case="posts",
        paradigm=paradigm,
    )


def of_a_set(what, paradigm, buckets, count):
    """The gradient, or the measures, of the first posts: a compiled function of nothing."""
    problem = problem_of(paradigm, buckets)
    hyper = {"temperature": jnp.ones(()), "learning_rate": jnp.full((), RATE)}
    params = problem.init(streams(0).init, hyper)
    batch = jax.tree.map(lambda leaf: jnp.asarray(leaf[:count]), posts()[0])
    slope = gradient_in_pieces(problem)

    def gradient(params, batch):
        return slope(params, batch, hyper, jnp.zeros(()), None, ())[:2]

    def measures(params, batch):
        return problem.measure(params, batch, hyper)

    work = {"gradient": gradient, "measures": measures}[what]
    program = jax.jit(work).lower(params, batch).compile()
    return lambda: jax.block_until_ready(program(params, batch))


@pytest.mark.parametrize(
    ("what", "paradigm"), [("gradient", "soft"), ("gradient", "hard"), ("measures", "soft")]
)
def test_whole_set(in_turn, what, paradigm):
    """Of as many posts as are measured by default; measures are those of every paradigm."""
    cut, whole = (of_a_set(what, paradigm, buckets, MEASURED) for buckets in (posts()[1], None))
    for one, other in zip(*map(jax.tree.leaves, (cut(), whole())), strict=True):
        # Means of thousands of terms of order one, in per cent, in float32.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-2)
    in_turn(
        cut,
        {"filled up": (whole, 1)},
        units=1,
        rounds=9,
        question="whole set of posts",
        case=what,
        count=MEASURED,
        paradigm=paradigm,
    )
