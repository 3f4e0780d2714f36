"""When a row may end, as a rule of numbers, and rows that end so in a sweep."""

import os
import subprocess
import sys
import textwrap

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import (
    CLASSES,
    EPS,
    PRECISION,
    assert_same_bits,
    bags,
    compiled_quickly,
    splits,
    task_of,
)

from jaxattn.core.contracts import InputError, MeasureSpec, Problem, Status
from jaxattn.core.streams import streams
from jaxattn.models import mlp
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.measures import MEASURES
from jaxattn.problems.minibatches import Order
from jaxattn.run import early_stopping as edges
from jaxattn.run.data_source import stack_data
from jaxattn.run.early_stopping import make_leg_row, run_with_stops
from jaxattn.run.tiles import fetch, make_row, make_runner, make_tile
from jaxattn.study.stop_rule import Stop
from jaxattn.training.legs import make_legs
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

NAN, INF = float("nan"), float("inf")
ON, CONVERGED, DIVERGED = int(Status.RUNNING), int(Status.CONVERGED), int(Status.DIVERGED)
DEVICE = tuple(jax.devices()[:1])


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    with compiled_quickly():
        yield


# The rule.


def described(**fields):
    """A problem of which only the labels are read."""

    def never(*_):
        raise AssertionError

    return Problem(never, never, never, never, measures=MEASURES, **fields)


def said(stop, measures, diverged):
    rule = stop.rule(described(), ("train", "test"))
    measures = {name: np.asarray(values) for name, values in measures.items()}
    return rule(measures, np.asarray(diverged)).tolist()


def test_a_row_has_converged_whose_last_save_is_at_the_level_or_beyond():
    objective = {"objective": [[0.0, 0.3], [9.0, 0.2], [9.0, 0.1], [0.0, NAN], [0.1, INF]]}
    fine = [False] * 5
    assert said(Stop(measure="objective", below=0.2), objective, fine) == [
        *(ON, CONVERGED, CONVERGED, ON, ON)
    ]
    assert said(Stop(measure="objective", above=0.2), objective, fine) == [
        *(CONVERGED, CONVERGED, ON, ON, CONVERGED)
    ]


def test_divergence_goes_before_convergence_and_a_row_that_diverged_never_converges():
    objective = {"objective": [[1.0, 0.1], [NAN, 0.1], [1.0, 1.0]]}
    diverged = [False, True, True]
    level = {"measure": "objective", "below": 0.2}
    assert said(Stop(**level), objective, diverged) == [CONVERGED, DIVERGED, DIVERGED]
    assert said(Stop(**level, diverged=False), objective, diverged) == [CONVERGED, ON, ON]
    assert said(Stop(), objective, diverged) == [ON, DIVERGED, DIVERGED]


def test_the_measure_is_of_its_split_and_under_the_rule_of_the_paradigm():
    by_rule = np.zeros((3, 2, 3))  # [row, save, inference]
    by_rule[:, -1] = [[50, 50, 90], [90, 90, 50], [50, 50, 95]]
    measures = {
        "accuracy": np.stack([by_rule, by_rule[::-1]], axis=2),
        "nu": np.stack([np.zeros((3, 2)), [[9.0, 1.0], [1.0, 9.0], [NAN, NAN]]], axis=2),
        "gradient_norm": [[[9, 9], [0.3, 0.4]], [[0, 0], [0.4, 0.4]], [[0, 0], [0, 0.5]]],
    }
    fine = [False] * 3
    rules = MEASURES[1].coords[0]
    (third,) = (name for name in rules if rules.index(name) == 2)

    def accurate(split, rule):
        stop = Stop(measure="accuracy", split=split, above=90)
        made = stop.rule(described(natural_inference=rule), ("train", "test"))
        return made({name: np.asarray(v) for name, v in measures.items()}, np.asarray(fine))

    np.testing.assert_array_equal(accurate("train", third), [CONVERGED, ON, CONVERGED])
    np.testing.assert_array_equal(accurate("train", rules[0]), [ON, CONVERGED, ON])
    assert said(Stop(measure="accuracy", split="test", above=95), measures, fine)[2] == ON
    assert said(Stop(measure="nu", split="test", above=2), measures, fine) == [ON, CONVERGED, ON]
    # Of all parts together: 0.5, 0.57, 0.5.
    norm = Stop(measure="gradient_norm", below=0.5)
    assert said(norm, measures, fine) == [CONVERGED, ON, CONVERGED]


def test_what_is_asked_in_a_file_is_what_is_asked_in_python():
    assert Stop.from_plain({}) == Stop() == Stop(every=1, diverged=True)
    table = {"every": 2, "converged": {"measure": "objective", "below": 1e-3}, "diverged": False}
    assert Stop.from_plain(table) == Stop(2, "objective", below=1e-3, diverged=False)
    level = {"measure": "accuracy", "split": "test", "above": 99}
    assert Stop.from_plain({"converged": level}) == Stop(**level)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"evry": 2}, r"unknown key of stop: got 'evry', .*did you mean 'every'"),
        ({"every": True}, r"got every = True, expected an integer"),
        ({"converged": {"mesure": "nu"}}, r"expected a table such as \{measure"),
        ({"converged": {"measure": "nu", "bellow": 1}}, r"got 'bellow', .*did you mean 'below'"),
        ({"converged": {}}, r"got converged = \{\}, expected a table"),
        ({"converged": "objective"}, r"got converged = 'objective', expected a table"),
        ({"converged": {"measure": "nu"}}, r"neither below nor above for nu, expected one"),
        ({"converged": {"measure": "nu", "above": 1, "below": 2}}, r"got both below and above"),
        ({"converged": {"measure": "nu", "above": NAN}}, r"got above = nan, expected a finite"),
        ({"converged": {"measure": "nu", "above": "1"}}, r"got above = '1', expected a number"),
        ({"every": 0}, r"got every = 0, expected at least 1"),
        ({"every": 1.5}, r"got every = 1.5, expected an integer"),
        ({"diverged": 1}, r"got diverged = 1, expected true or false"),
        ({"diverged": False}, r"got nothing to stop by, expected `converged`"),
    ],
)
def test_what_cannot_stop_anything_is_refused(table, words):
    with pytest.raises(InputError, match=words):
        Stop.from_plain(table)


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ({"measure": "acuracy"}, r"unknown measure to stop by: got 'acuracy', .*mean 'accuracy'"),
        ({"measure": "error_cell"}, r"got the measure 'error_cell', which has the axis cell, "),
        ({"measure": "nu", "split": "tets"}, r"unknown split to stop by: .*mean 'test'"),
    ],
)
def test_a_measure_that_a_problem_lacks_is_refused_and_the_nearest_named(stop, words):
    with pytest.raises(InputError, match=words):
        Stop(**stop, above=1).rule(described(), ("train", "test"))


def test_a_flow_is_not_stopped():
    with pytest.raises(InputError, match=r"got the dynamics 'flow', .*`stop` is for training"):
        Stop().rule(described(), ("train",), "flow")


# Rows that are stopped.


def bowl():
    """Three numbers that descend a bowl: at rate r a step multiplies them by 1 - r."""

    def init(key, hyper):
        return {"shared": {}, "focus": {}, "classify": jax.random.normal(key, (3,), PRECISION)}

    def loss(params, batch, hyper, time, key, state):
        return 0.5 * jnp.sum(params["classify"] ** 2), state

    return Problem(
        init,
        loss,
        lambda params, batch, hyper: {"sign": jnp.sign(params["classify"]).astype(jnp.int32)},
        lambda hyper: jnp.zeros((0,), PRECISION),
        measures=(MeasureSpec("sign", ("number",), ((0, 1, 2),)),),
        precision=PRECISION,
    )


SAVES = tuple(range(0, 15, 2))
DATA = splits(bags(np.random.default_rng(1)))
SGD = as_optimiser("sgd")
# Slow ones, fast ones and two that leave the bowl: their loss grows fourfold and ninefold a step.
RATES = (0.01, 0.5, 0.1, 3.0, 0.3, 0.02, 0.9, 0.2, 0.05, 4.0)
LEVEL = 0.05


def hypers_of(rates, **constants):
    values = {"learning_rate": rates} | {
        name: np.full(len(rates), v) for name, v in constants.items()
    }
    return {name: np.asarray(column, PRECISION) for name, column in values.items()}


def ended(objective, every):
    """Save at which each row stops, how, and its last good save, by a loop over its edges."""
    found = []
    for path in objective:
        for save in range(every, len(SAVES) - 1, every):
            large = path[: save + 1] > 100 * path[0]
            if np.any(large[1:] & large[:-1]):
                found.append((save, DIVERGED, np.argmax(large[1:] & large[:-1])))
                break
            if path[save] <= LEVEL:
                found.append((save, CONVERGED, save))
                break
        else:
            found.append((len(SAVES) - 1, int(Status.DONE), len(SAVES) - 1))
    return np.array(found).T


def test_rows_end_at_the_edge_after_they_converge_or_diverge_and_the_tiles_get_fewer(monkeypatch):
    problem, stop = bowl(), Stop(2, "objective", below=LEVEL)
    legs = make_legs(problem, SGD, SAVES, Order("fixed", None), stop.every, "last")
    row = make_leg_row(problem, legs, True, True)
    started = []
    plainly = edges.start
    monkeypatch.setattr(edges, "start", lambda *args: started.append(args[1]) or plainly(*args))
    seeds = np.arange(10, 20, dtype=np.uint32)
    found = run_with_stops(
        row,
        stop.rule(problem, ("train",)),
        seeds,
        hypers_of(RATES),
        DATA,
        tile=4,
        devices=DEVICE,
    )
    given = {"learning_rate": jnp.asarray(0.1, PRECISION)}
    init = jax.vmap(lambda seed: problem.init(streams(seed).init, given))
    start = np.asarray(init(jnp.asarray(seeds))["classify"])
    factor = (1 - np.array(RATES)[:, None]) ** np.array(SAVES)
    objective = 0.5 * np.sum(start**2, axis=1)[:, None] * factor**2
    last, status, good = ended(objective, stop.every)
    # All ways to end, and more than one edge at which rows stop.
    assert set(status) == {CONVERGED, DIVERGED, Status.DONE}
    assert len(set(last)) >= 3
    np.testing.assert_array_equal(found.status, status)
    steps = np.array(SAVES)[last]
    np.testing.assert_array_equal(found.work["steps"], steps)
    np.testing.assert_array_equal(found.work["gradients"], steps)
    came_to = np.arange(len(SAVES)) <= last[:, None]
    # A step rounds a few times; a row of 14 that grows fourfold loses no digits by that.
    close = {"rtol": 100 * EPS}
    np.testing.assert_allclose(
        found.measures["objective"], np.where(came_to, objective, NAN), **close
    )
    assert all(np.isnan(values[~came_to]).all() for values in found.measures.values())
    assert all(np.isfinite(values[came_to]).all() for values in found.measures.values())
    ends = start * factor[np.arange(10), last][:, None]
    np.testing.assert_allclose(found.params["classify"], ends, **close)
    # The clock is that of the whole run, and what was reached is where the row stopped or was good.
    time = np.array(RATES)[:, None] * np.array(SAVES)
    np.testing.assert_allclose(found.time, time, **close)
    np.testing.assert_array_equal(found.step, np.broadcast_to(SAVES, (10, len(SAVES))))
    np.testing.assert_allclose(found.time_reached, time[np.arange(10), good], **close)
    # Three tiles begin; then as many in every leg as hold the rows that are left.
    left = [np.sum(last > edge) for edge in (0, 2, 4, 6)]
    tiles = [-(-count // 4) for count in (10, *left)]
    assert started == [number for count in tiles for number in range(count)]
    assert tiles[0] > tiles[-1] >= 1


def test_where_all_rows_have_stopped_nothing_more_is_run():
    problem, stop = bowl(), Stop(1, "objective", below=LEVEL)
    legs = make_legs(problem, SGD, SAVES, Order("fixed", None), stop.every, True)
    row = make_leg_row(problem, legs, True, True)
    found = run_with_stops(
        row,
        stop.rule(problem, ("train",)),
        np.zeros(3, np.uint32),
        hypers_of((0.9, 0.99, 1.0)),
        DATA,
        tile=4,
        devices=DEVICE,
    )
    assert (found.status == CONVERGED).all()
    assert (found.work["steps"] == SAVES[1]).all()
    # Parameters kept at every save end with it, too.
    kept = np.isfinite(found.params["classify"]).all(-1)
    np.testing.assert_array_equal(kept, np.broadcast_to(np.arange(len(SAVES)) <= 1, kept.shape))


def test_a_state_that_holds_random_keys_is_packed_anew_too():
    problem = bowl()
    noisy = as_optimiser(
        lambda hyper: optax.chain(
            optax.add_noise(1e-4, 0.5, jax.random.key(3)), optax.sgd(hyper["learning_rate"])
        )
    )
    legs = make_legs(problem, noisy, SAVES, Order("fixed", None), 2)
    row = make_leg_row(problem, legs, True, True)

    def run(rule):
        seeds, hypers = np.arange(10, dtype=np.uint32), hypers_of(np.full(10, 0.1))
        return run_with_stops(row, rule, seeds, hypers, DATA, tile=4, devices=DEVICE)

    free = run(lambda measures, diverged: np.full(len(diverged), ON))
    middle = np.median(free.measures["objective"][:, 2])
    stop = Stop(2, "objective", below=float(middle))
    found = run(stop.rule(problem, ("train",)))
    early = found.work["steps"] == SAVES[2]
    assert early.sum() == 5
    went_on = np.isfinite(found.measures["objective"])
    assert went_on[~early, 3].all()
    np.testing.assert_array_equal(
        found.measures["objective"][went_on], free.measures["objective"][went_on]
    )


@pytest.mark.slow
@pytest.mark.default_xla
def test_a_row_has_the_same_bits_whoever_stops_beside_it():
    """Rows with data, rates and starts of their own, some of which stop at different edges."""
    model = mlp(CLASSES, width=6)
    problem = attention_problem(
        task_of(DATA.learn.examples), model, "hybrid", precision=PRECISION
    )._replace(measure=lambda *_: {})
    order, optimiser = Order("shuffled-per-seed", 4), as_optimiser("momentum", "linear")
    seeds = np.arange(10, dtype=np.uint32)
    hypers = hypers_of(np.geomspace(0.02, 0.4, 10), temperature=1, momentum=0.5, switch_time=1.5)
    each = [splits(bags(np.random.default_rng(int(seed)))) for seed in seeds]
    legs = make_legs(problem, optimiser, SAVES, order, 2, "last")
    row = make_leg_row(problem, legs, order.shared, True)

    def run(rule):
        data = stack_data(each, (len(each),))
        options = {"tile": 4, "devices": DEVICE, "vary_data": True}
        return run_with_stops(row, rule, seeds, hypers, data, **options)

    free = run(lambda measures, diverged: np.full(len(diverged), ON))
    assert (free.status == Status.DONE).all()
    # Rows are known to the rule by their first loss: three in ten at the edge of save 2, three at
    # 4, two at 6; the others run on.
    first = np.sort(free.measures["objective"][:, 0])

    def edge_of(objective):
        return 2 + 2 * (np.searchsorted(first, objective[:, 0]) % 4)

    def rule(measures, diverged):
        objective = measures["objective"]
        return np.where(edge_of(objective) == objective.shape[1] - 1, CONVERGED, ON)

    found = run(rule)
    last = np.minimum(edge_of(free.measures["objective"]), len(SAVES) - 1)
    assert sorted(last) == [2] * 3 + [4] * 3 + [6] * 2 + [7] * 2
    np.testing.assert_array_equal(found.status == CONVERGED, last < 7)
    came_to = np.arange(len(SAVES)) <= last[:, None]
    for name, values in free.measures.items():
        there = came_to.reshape(came_to.shape + (1,) * (values.ndim - 2))
        assert_same_bits(found.measures[name], np.where(there, values, NAN))
    assert_same_bits(
        jax.tree.map(lambda leaf: leaf[last == len(SAVES) - 1], found.params),
        jax.tree.map(lambda leaf: leaf[last == len(SAVES) - 1], free.params),
    )
    # And they are the rows that training as a whole gives.
    train = make_train(problem, optimiser, SAVES, order, "last")
    whole = make_runner(make_tile(make_row(problem, train, order.shared, True), True), True, DEVICE)
    tiles = np.append(np.arange(10), [0, 0]).reshape(3, 4)
    of_tiles = stack_data((each[seed] for seed in tiles.flat), tiles.shape)
    out = fetch(whole(seeds[tiles], {name: v[tiles] for name, v in hypers.items()}, of_tiles))
    flat = jax.tree.map(lambda leaf: leaf.reshape(12, *leaf.shape[2:])[:10], out)
    tolerance = 1e-10 if PRECISION == "float64" else 1e-5
    chex.assert_trees_all_close(flat, free, rtol=tolerance, atol=tolerance)


ON_FOUR_DEVICES = """
    import jax, numpy as np
    from jaxattn.problems.minibatches import Order
    from jaxattn.core.contracts import Splits
    from jaxattn.problems.data import head
    from jaxattn.training.optimisers import as_optimiser
    from jaxattn.training.legs import make_legs
    from jaxattn.models import linear
    from jaxattn.problems.attention_problem import attention_problem
    from jaxattn.study.stop_rule import Stop
    from jaxattn.run.early_stopping import make_leg_row, run_with_stops
    from jaxattn.tasks import digits

    task = digits(train=64, test=32)
    problem = attention_problem(task, linear(task.classes, start="normal"), "soft")
    data = jax.tree.map(
        lambda leaf: leaf.astype("float32") if leaf.dtype.kind == "f" else leaf,
        task.make(0)["train"],
    )
    splits, order = Splits(data, {"train": head(data, 32)}), Order("shuffled", 16)
    legs = make_legs(problem, as_optimiser("sgd"), (0, 2, 4, 6, 8), order, 1, "last")
    row = make_leg_row(problem, legs, True, True)
    seeds = np.arange(15, dtype=np.uint32)
    hypers = {"learning_rate": np.linspace(0.01, 2, 15), "temperature": np.ones(15)}
    hypers = {name: values.astype("float32") for name, values in hypers.items()}

    def run(rule, devices):
        return run_with_stops(row, rule, seeds, hypers, splits, tile=2, devices=devices)

    devices = jax.devices()
    assert len(devices) == 4
    free = run(lambda measures, diverged: np.zeros(len(diverged), int), devices)
    level = float(np.quantile(free.measures["objective"][:, 3], 0.6))
    rule = Stop(1, "objective", below=level).rule(problem, ("train",))
    one, four = run(rule, devices[:1]), run(rule, devices)
    assert set(one.status.tolist()) == {1, 5}, one.status
    assert len(set(one.work["steps"].tolist())) >= 3, one.work["steps"]
    jax.tree.map(np.testing.assert_array_equal, one, four)
    goes_on = np.isfinite(one.measures["objective"])
    np.testing.assert_array_equal(
        one.measures["objective"][goes_on], free.measures["objective"][goes_on]
    )
"""


@pytest.mark.default_xla
@pytest.mark.slow
def test_four_devices_take_turns_and_give_the_bits_of_one():
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ON_FOUR_DEVICES)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
