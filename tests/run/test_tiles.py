import collections
import json
import os
import subprocess
import sys
import textwrap
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, PRECISION, bags, compiled_quickly, splits, task_of

from jaxattn.core.contracts import Data, Splits, Trajectory
from jaxattn.core.streams import streams
from jaxattn.models import mlp
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.run.data_source import stack_data
from jaxattn.run.stage import Running
from jaxattn.run.tiles import fetch, make_row, make_runner, make_tile
from jaxattn.study.plan import make_plan
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

SEEDS, RATES = (0, 1, 5), (0.05, 0.3)
CONSTANTS = {"temperature": 1.0, "switch_time": 1.5}
PLAN = make_plan({"learning_rate": RATES}, SEEDS, CONSTANTS, tile=4)
ONE_DEVICE = tuple(jax.devices()[:1])


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    with compiled_quickly():
        yield


@pytest.fixture(scope="module")
def data():
    return splits(bags(np.random.default_rng(1)))


@pytest.fixture(scope="module")
def row(data):
    """Twenty steps of the hybrid, which switches on its way at the larger rate only."""
    task = task_of(data.learn.examples)
    problem = attention_problem(task, mlp(CLASSES, width=6), "hybrid", precision=PRECISION)
    order = Order("shuffled-per-seed", 4)
    train = make_train(problem, as_optimiser("sgd"), (0, 4, 20), order)
    return make_row(problem, train, order.shared, True)


@pytest.fixture(scope="module")
def alone(row):
    return jax.jit(row)


def runner_of(row, vary_data):
    return make_runner(make_tile(row, vary_data), vary_data, ONE_DEVICE)


def in_precision(hypers):
    return {name: values.astype(PRECISION) for name, values in hypers.items()}


def by_tiles(run, given, plan=PLAN):
    """All rows of the plan, run tile by tile, in order; `given` maps seeds to data."""
    done = []
    for chunk in plan.chunks():
        seeds, hypers = plan.seed_of(chunk.rows), in_precision(plan.hypers_of(chunk.rows))
        out = fetch(run(seeds, hypers, given(seeds)))
        done.append(jax.tree.map(lambda leaf, at=chunk.rows >= 0: np.asarray(leaf)[at], out))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *done)


def in_a_loop(alone, given, plan=PLAN):
    """The same rows one at a time, each a call of its own."""
    rows = np.arange(plan.size)
    hypers = in_precision(plan.hypers_of(rows))
    done = []
    for number, seed in enumerate(plan.seed_of(rows)):
        hyper = {name: jnp.asarray(values[number]) for name, values in hypers.items()}
        done.append(jax.device_get(alone(seed, hyper, given(seed))))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *done)


def assert_close(a, b):
    """Equal but for rounding: of order 1, and 20 steps at a stable rate do not amplify."""
    tolerance = 1e-10 if PRECISION == "float64" else 1e-5
    chex.assert_trees_all_close(a, b, rtol=tolerance, atol=tolerance)


def test_rows_vmapped_over_seeds_and_rates_are_the_rows_of_a_python_loop(row, alone, data):
    run = runner_of(chex.assert_max_traces(row, n=1), False)
    together = by_tiles(run, lambda seeds: data)
    assert together.status.shape == (PLAN.size,)
    assert_close(together, in_a_loop(alone, lambda seed: data))
    # The rows are not all one row: every seed and every rate ends elsewhere.
    assert len(np.unique(together.measures["objective"][:, -1])) == PLAN.size
    # Other seeds and rates, and more of them, run what is compiled: a second trace would raise.
    other = make_plan({"learning_rate": (0.01, 0.02, 0.3)}, range(5, 9), CONSTANTS, tile=4)
    assert by_tiles(run, lambda seeds: data, other).status.shape == (12,)


def test_rows_with_data_of_their_own_are_the_rows_of_a_python_loop(row, alone):
    def of(seed):
        return splits(bags(np.random.default_rng(int(seed))))

    def stacked(seeds):
        return stack_data((of(seed) for seed in seeds.flat), seeds.shape)

    run = runner_of(chex.assert_max_traces(row, n=1), True)
    together = by_tiles(run, stacked)
    assert_close(together, in_a_loop(alone, of))
    first = together.measures["attention_foreground"][:3, 0, 0]
    assert len(np.unique(first)) == 3


def test_the_same_row_on_the_same_devices_is_one_runner(row):
    assert runner_of(row, False) is runner_of(row, False)
    assert runner_of(row, True) is not runner_of(row, False)


def what_is_given(data, shared_order, vary_init, seed):
    """Start and keys of a row whose dynamics does nothing but hand them over."""
    problem = attention_problem(
        task_of(data.learn.examples), mlp(CLASSES, width=6), "soft", precision=PRECISION
    )

    given = []

    def dynamics(params, hyper, data, keys):
        given.append((params, keys))
        save, one = jnp.zeros((1,)), jnp.asarray(1)
        return Trajectory(save, save, {}, one, save[0], {})

    make_row(problem, dynamics, shared_order, vary_init)(jnp.asarray(seed, jnp.uint32), {}, data)
    return given[0]


def same(a, b):
    return all(
        jax.tree.leaves(jax.tree.map(lambda x, y: bool(jnp.array_equal(bits(x), bits(y))), a, b))
    )


def bits(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


@pytest.mark.parametrize("shared_order", [True, False])
@pytest.mark.parametrize("vary_init", [True, False])
def test_a_seed_varies_what_it_is_asked_to_vary_and_nothing_else(data, shared_order, vary_init):
    zero, third = (what_is_given(data, shared_order, vary_init, seed) for seed in (0, 3))
    (start, keys), (other_start, other_keys) = zero, third
    assert same(start, other_start) is not vary_init
    assert same(keys.order, other_keys.order) is shared_order
    assert same(keys, streams(0))
    for stream in ("data", "init", "sample"):
        assert not same(getattr(keys, stream), getattr(other_keys, stream))


def test_the_streams_of_a_seed_differ_from_each_other_and_from_those_of_other_seeds():
    found = {
        tuple(np.asarray(jax.random.key_data(key)).tolist())
        for seed in (0, 1, 2, 2**32 - 1)
        for key in streams(jnp.asarray(seed, jnp.uint32))
    }
    assert len(found) == 16


def test_stacked_data_keeps_one_pool_and_stacks_examples_in_front():
    examples = bags(np.random.default_rng(0))
    pool = np.arange(3.0)
    one = Splits(Data(examples, pool), {"train": Data(examples, pool), "test": Data(examples)})
    two = stack_data([one, one], (2,))
    assert two.learn.pool is pool
    assert two.evaluate["train"].pool is pool
    assert two.evaluate["test"].pool is None
    assert two.learn.examples.label.shape == (2, *examples.label.shape)


HASHES = """
    import hashlib, json, sys
    import jax, numpy as np
    from jaxattn.run.job import plan_jobs
    from jaxattn.run.data_source import Sources
    from jaxattn.models import linear, mlp
    from jaxattn.study.settings import Settings
    from jaxattn.study.study import resolve_settings
    from jaxattn.run.tiles import fetch
    from jaxattn.tasks import digits

    jax.config.update("jax_enable_x64", True)
    tiles, cases = json.loads(sys.argv[1])
    answers = {"devices": len(jax.devices())}
    for dynamics, model, vary in cases:
        asked = dict(
            task=digits(train=64, test=32),
            model={"mlp": mlp(3), "linear": linear(3, start="normal")}[model],
            paradigms=("soft",),
            hypers={"learning_rate": 0.5},
            steps=8,
            saves=3,
            batch_size=16,
            vary=tuple(vary),
            flow_seeds=int(dynamics == "flow"),
        )
        # The seeds of the tiles asked for, but for one row of padding.
        tile = plan_jobs(resolve_settings(Settings(**asked)))[-1].plan.tile
        rows = tile * tiles - 1
        asked.update(seeds=tuple(range(rows)), flow_seeds=rows * asked["flow_seeds"])
        study = resolve_settings(Settings(**asked))
        job = plan_jobs(study)[-1]
        sources, done = Sources(study), []
        for chunk in job.plan.chunks():
            seeds, hypers = job.plan.seed_of(chunk.rows), job.hypers_of(chunk.rows)
            out = fetch(job.run(seeds, hypers, sources.of(job, chunk.rows)))
            done.append(jax.tree.map(lambda leaf: np.asarray(leaf)[chunk.rows >= 0], out))
        whole = jax.tree.map(lambda *leaves: np.concatenate(leaves), *done)
        assert (whole.status == 1).all() and len(whole.status) == rows
        digest = hashlib.sha256()
        for path, leaf in jax.tree.leaves_with_path(whole):
            digest.update(f"{jax.tree_util.keystr(path)} {leaf.dtype} {leaf.shape}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        answers[" ".join([dynamics, model, *vary])] = digest.hexdigest()
    print(json.dumps(answers))
"""


def hashes(devices, tiles, cases):
    """Hashes of whole trajectories, from a process that has so many devices."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        # XLA splits a long sum by the size of its thread pool, the larger of cores and devices.
        "NPROC": "8",
    }
    script = textwrap.dedent(HASHES)
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps([tiles, cases])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers.pop("devices") == devices
    return answers


class Watched:
    """A tile that remembers which thread worked on it."""

    def __init__(self, tile):
        self.tile, self.threads = tile, []

    def common(self, call, data):
        return self.tile.common(call, data)

    def __call__(self, call, *given):
        if isinstance(call, Running):
            self.threads.append(threading.current_thread().name)
        return self.tile(call, *given)


def test_chunks_of_one_tile_each_take_lanes_in_turn(row, data):
    watched = Watched(make_tile(row, False))
    run = make_runner(watched, False, ONE_DEVICE, at_once=2)
    rows = PLAN.chunk(0).rows[:1]
    given = PLAN.seed_of(rows), in_precision(PLAN.hypers_of(rows)), data
    begun = [run(*given) for _ in range(4)]
    for chunk in begun:
        fetch(chunk)
    assert set(collections.Counter(watched.threads).values()) == {2}


@pytest.mark.default_xla
@pytest.mark.slow
def test_any_number_of_devices_gives_the_same_bits_of_training_and_flow():
    cases = [
        ("train", "mlp", ["data", "init"]),
        ("train", "linear", ["data"]),
        ("flow", "mlp", ["init"]),
    ]
    # Three tiles: two devices share them unevenly, and of eight three have one each.
    found = [hashes(devices, 3, cases) for devices in (1, 2, 8)]
    assert found.count(found[0]) == 3
    assert len(set(found[0].values())) == len(cases)
