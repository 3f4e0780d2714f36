"""What does a seed-step of the published CNNs cost, and one convolution in a loop?"""

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.contracts import Example, Task
from jaxattn.core.streams import streams
from jaxattn.models import MODELS
from jaxattn.models.convolution import Conv
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.microbatch import gradient_in_pieces

SEEDS, RATE, SEGMENTS = 4, 0.05, 5
CLASSES = {"cifar10": 3, "cifar100": 50}


def mosaics(count, classes):
    """Mosaics of noise of CIFAR's size: what it costs does not depend on what is seen."""
    draw = np.random.default_rng(0)
    lead = () if count is None else (count,)
    return Example(
        segments=draw.normal(size=(*lead, SEGMENTS, 32, 32, 3)).astype("float32"),
        mask=np.ones((*lead, SEGMENTS), bool),
        label=draw.integers(0, classes, lead, dtype="int32"),
        foreground=np.broadcast_to(np.arange(SEGMENTS) == 0, (*lead, SEGMENTS)),
        weight=np.ones(lead, "float32"),
    )


@cache
def problem_of(network, paradigm):
    classes = CLASSES[network]
    task = Task("images", SEGMENTS, classes, lambda seed: {}, mosaics(None, classes))
    return attention_problem(task, MODELS[f"cnn-{network}"](classes), paradigm)


def ours(network, paradigm, batch, steps):
    """All seeds, a row a call, a call a lane, as `jaxattn.run.tiles` has them on a CPU."""
    problem = problem_of(network, paradigm)
    slope, value = gradient_in_pieces(problem), problem.loss
    hyper = {"temperature": jnp.ones(()), "learning_rate": jnp.full((), RATE)}
    images, rest = jnp.asarray(batch.segments), batch._replace(segments=None)

    def row(params, images):
        given = (rest._replace(segments=images), hyper, jnp.zeros(()), None, ())

        def step(_, params):
            _, gradient, _ = slope(params, *given)
            return jax.tree.map(lambda leaf, change: leaf - RATE * change, params, gradient)

        return jax.lax.fori_loop(0, steps, step, params)

    rows = jax.jit(jax.vmap(row, in_axes=(0, None)))
    starts = [problem.init(streams(seed).init, hyper) for seed in range(SEEDS)]
    tiles = [jax.tree.map(lambda leaf: leaf[None], start) for start in starts]
    lanes = ThreadPoolExecutor(os.cpu_count())

    def run():
        return list(lanes.map(lambda tile: jax.block_until_ready(rows(tile, images)), tiles))

    def loss(params):
        given = (rest._replace(segments=images), hyper, jnp.zeros(()), None, ())
        return float(jax.jit(value)(params, *given)[0])

    return run, loss, starts


@pytest.mark.parametrize(("bags", "steps"), [(64, 3), (256, 1)])
@pytest.mark.parametrize("paradigm", ["soft", "hard"])
@pytest.mark.parametrize("network", CLASSES)
def test_seed_step(in_turn, network, paradigm, bags, steps):
    """PyTorch on one thread and on all, and judged by the faster; memory is that of both so far."""
    peer = pytest.importorskip("images_peer")
    batch = mosaics(bags, CLASSES[network])
    sweep, loss, starts = ours(network, paradigm, batch, steps)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after = jax.tree.map(lambda leaf: leaf[0], sweep()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loops = {n: peer.Loop(batch, starts[0], paradigm, network, RATE) for n in {1, os.cpu_count()}}
    theirs = {threads: loop.running(steps, threads) for threads, loop in loops.items()}
    for threads, run in theirs.items():
        # The same start, the same loss, the same steps: else two things are compared.
        said = [*run(), float(loops[threads].loss().detach())]
        np.testing.assert_allclose([said[0], said[-1]], [loss(starts[0]), loss(after)], rtol=1e-4)
    in_turn(
        sweep,
        {f"PyTorch, {n} threads": (run, steps) for n, run in theirs.items()},
        units=SEEDS * steps,
        rounds=5,
        question="images",
        case=network,
        paradigm=paradigm,
        bags=bags,
        peak_gb=(peak / 1e6, (peak - before) / 1e6),
    )


@pytest.mark.parametrize("where", ["in a loop", "alone"])
def test_one_convolution(in_turn, where):
    """The gradient of 32 features of 3 x 3 on 320 pictures, ours and of Flax."""
    pictures = jax.random.normal(jax.random.key(0), (320, 32, 32, 3))
    count = 3 if where == "in a loop" else 1

    def loop(module):
        params = module.init(jax.random.key(1), pictures)

        def step(_, params):
            slope = jax.grad(lambda p: jnp.sum(module.apply(p, pictures) ** 2) / 1e6)(params)
            return jax.tree.map(lambda leaf, change: leaf - 1e-4 * change, params, slope)

        made = (lambda p: jax.lax.fori_loop(0, count, step, p)) if count > 1 else partial(step, 0)
        compiled = jax.jit(made)
        return lambda: jax.block_until_ready(compiled(params))

    mine, theirs = loop(Conv(32, (3, 3))), loop(nn.Conv(32, (3, 3)))
    mine(), theirs()
    in_turn(
        mine,
        {"flax.linen.Conv": (theirs, count)},
        units=count,
        rounds=3,
        question="convolution",
        case=where,
    )
