import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import (
    CLASSES,
    EPS,
    PRECISION,
    PRECISIONS,
    all_finite,
    assert_same_bits,
    bags,
    distance,
    hyper,
    jit,
    splits,
    task_of,
)

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.problems.paradigms import hybrid
from jaxattn.run.tiles import make_row
from jaxattn.training.optimisers import OPTIMISERS, Optimiser, as_optimiser
from jaxattn.training.train import make_train, make_train_path

BAGS, BATCH, STEPS, RATE = 10, 4, 20, 0.1
SAVES = (0, 1, 7, 8, STEPS)
FIXED = Order("fixed", BATCH)
LINEAR_MODEL = linear(CLASSES, start="normal")

# Twenty steps of numbers of order one, each a few dozen roundings; Adam divides by the root of
# small second moments, which multiplies relative errors of small gradients.
TOLERANCE = 1e5 * EPS


@pytest.fixture(scope="module")
def batch():
    return bags(np.random.default_rng(2), BAGS)


@pytest.fixture(scope="module")
def task(batch):
    return task_of(batch)


def nothing(params, batch, hyper):
    return {}


@pytest.fixture(scope="module")
def problems(task):
    model = LINEAR_MODEL
    return {
        # Measures take most of the time to compile; one test looks at them.
        name: attention_problem(task, model, name, precision=PRECISION)._replace(measure=nothing)
        for name in ("soft", "hard", "hybrid")
    }


@pytest.fixture(scope="module")
def start(problems):
    return jit(problems["soft"].init)(streams(3).init, hyper())


@pytest.fixture(scope="module")
def slopes(problems):
    """The gradient of the loss, compiled, by paradigm."""

    def slope(problem):
        def loss(params, batch):
            return problem.loss(params, batch, hyper(), jnp.zeros((), PRECISION), None, ())[0]

        return jit(jax.grad(loss))

    return {name: slope(problems[name]) for name in ("soft", "hard")}


def short_batches(batch):
    """The minibatches of `FIXED` as a person would cut them: the last of an epoch is short."""
    cuts = [slice(at, at + BATCH) for at in range(0, BAGS, BATCH)]
    return [jax.tree.map(lambda leaf, cut=cut: leaf[cut], batch) for cut in cuts]


def by_hand(slope, transform, params, batches, first=0, last=STEPS):
    """The plain optax loop; parameters before step `first`, ..., `last`."""
    path, state = [params], transform.init(params)
    update = jit(transform.update)
    for step in range(first, last):
        updates, state = update(slope(params, batches[step % len(batches)]), state, params)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path


def trained(problem, optimiser, start, batch, order=FIXED, saves=SAVES, **hypers):
    train = make_train(problem, optimiser, saves, order, keep_params=True)
    return jit(train)(start, hyper(**hypers), splits(batch), streams(0))


def row_of(tree, at):
    return jax.tree.map(lambda leaf: leaf[at], tree)


def labels(params):
    return {part: "focus" if part == "focus" else "other" for part in params}


# By step, in double precision: optax's own schedules work in float32 on its 32-bit count.
LINEAR = RATE * (1 - np.arange(STEPS) / STEPS)
COSINE = RATE * (1 + np.cos(np.pi * np.arange(STEPS) / STEPS)) / 2
EXPONENTIAL = RATE * 0.01 ** (np.arange(STEPS) / STEPS)


def by_step(rates, first=0):
    return lambda count: jnp.asarray(rates, PRECISION)[count + first]


CASES = {
    "sgd": (as_optimiser("sgd"), {}, optax.sgd(RATE)),
    "heavy ball, rate falling linearly": (
        as_optimiser("momentum", "linear"),
        {"momentum": 0.8},
        optax.sgd(by_step(LINEAR), momentum=0.8),
    ),
    "adam, rate falling exponentially": (
        as_optimiser("adam", "exponential"),
        {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
        optax.adam(by_step(EXPONENTIAL), b1=0.8, b2=0.95, eps=1e-3),
    ),
    "adamw, rate falling as a cosine, clipped": (
        as_optimiser("adamw", "cosine"),
        {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-4, "weight_decay": 0.1, "clip_norm": 0.3},
        optax.chain(
            optax.clip_by_global_norm(0.3),
            optax.adamw(by_step(COSINE), b1=0.9, b2=0.99, eps=1e-4, weight_decay=0.1),
        ),
    ),
    "heavy ball with a rate of its own for the focus, clipped": (
        as_optimiser("momentum"),
        {"momentum": 0.5, "focus_rate": 3.0, "clip_norm": 0.5},
        optax.chain(
            optax.clip_by_global_norm(0.5),
            optax.partition(
                {
                    "focus": optax.sgd(3 * RATE, momentum=0.5),
                    "other": optax.sgd(RATE, momentum=0.5),
                },
                labels,
            ),
        ),
    ),
    "adamw with a rate of its own for the focus": (
        as_optimiser("adamw"),
        {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-4, "weight_decay": 0.1, "focus_rate": 0.2},
        optax.partition(
            {
                "focus": optax.adamw(0.2 * RATE, b1=0.9, b2=0.99, eps=1e-4, weight_decay=0.1),
                "other": optax.adamw(RATE, b1=0.9, b2=0.99, eps=1e-4, weight_decay=0.1),
            },
            labels,
        ),
    ),
    "adam with time constants, which leave beta1 and beta2 unread": (
        as_optimiser("adam"),
        # Three and nine halves of the rate: decays 2/4 and 8/10.
        {
            "tau1": 1.5 * RATE,
            "tau2": 4.5 * RATE,
            "beta1": np.nan,
            "beta2": np.nan,
            "epsilon": 1e-3,
        },
        optax.adam(RATE, b1=0.5, b2=0.8, eps=1e-3),
    ),
    "rmsprop, corrected, rate falling linearly": (
        as_optimiser("rmsprop", "linear"),
        {"decay": 0.8, "epsilon": 1e-4},
        optax.rmsprop(by_step(LINEAR), decay=0.8, eps=1e-4, bias_correction=True),
    ),
    "rmsprop with a time constant, which leaves its decay unread": (
        as_optimiser("rmsprop"),
        {"tau": 1.5 * RATE, "decay": np.nan, "epsilon": 1e-4},
        optax.rmsprop(RATE, decay=0.5, eps=1e-4, bias_correction=True),
    ),
    "normalised, with a rate of its own for the focus, clipped in vain": (
        as_optimiser("normalised", "cosine"),
        {"focus_rate": 0.5, "clip_norm": 0.1},
        optax.chain(
            optax.normalize_by_update_norm(eps=0.0),
            optax.partition(
                {"focus": optax.sgd(by_step(COSINE / 2)), "other": optax.sgd(by_step(COSINE))},
                labels,
            ),
        ),
    ),
    "a function of one's own": (
        as_optimiser(lambda hyper: optax.rmsprop(hyper["learning_rate"], eps=1e-3)),
        {},
        optax.rmsprop(RATE, eps=1e-3),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_training_is_the_plain_optax_loop_over_the_short_batches(
    problems, slopes, start, batch, case
):
    optimiser, hypers, transform = case
    path = by_hand(slopes["soft"], transform, start, short_batches(batch))
    found = trained(problems["soft"], optimiser, start, batch, **hypers)
    for at, save in enumerate(SAVES):
        kept = row_of(found.params, at)
        assert distance(kept, path[save]) <= TOLERANCE
    assert distance(path[0], path[-1]) > 0.05
    assert found.status == Status.DONE


def test_every_optimiser_by_name_is_held_against_optax():
    assert {case[0].name for case in CASES.values()} >= OPTIMISERS.keys()


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", np.full(STEPS, RATE)),
        ("linear", LINEAR),
        ("cosine", COSINE),
        ("exponential", EXPONENTIAL),
    ],
)
def test_time_is_the_running_sum_of_the_learning_rates(schedule, rates):
    times = np.concatenate([[0], np.cumsum(rates)])
    # A running sum of twenty numbers below RATE.
    tolerance = {"rtol": 0, "atol": STEPS**2 * RATE * EPS}
    for name in OPTIMISERS.keys() - {"momentum"}:
        clock = as_optimiser(name, schedule).clock(hyper(), STEPS)
        np.testing.assert_allclose(clock, times, **tolerance)
    # Heavy ball runs 1 / (1 - momentum) as fast (THEORY 6).
    clock = as_optimiser("momentum", schedule).clock(hyper(momentum=0.75), STEPS)
    np.testing.assert_allclose(clock, 4 * times, rtol=0, atol=16 * tolerance["atol"])


def test_a_trajectory_says_when_and_what_was_measured(task, start, batch):
    problem = attention_problem(task, LINEAR_MODEL, "soft", precision=PRECISION)
    found = trained(problem, as_optimiser("sgd"), start, batch)
    np.testing.assert_array_equal(found.step, SAVES)
    np.testing.assert_allclose(found.time, RATE * np.array(SAVES), rtol=STEPS * EPS)
    np.testing.assert_allclose(found.time_reached, RATE * STEPS, rtol=STEPS * EPS)
    assert {name: int(count) for name, count in found.work.items()} == {
        "gradients": STEPS,
        "steps": STEPS,
        "rejected": 0,
    }
    assert found.measures.keys() == {
        "objective",
        "gradient_norm",
        *(spec.name for spec in problem.measures),
    }
    measure = jit(problem.measure)
    slope = jit(jax.value_and_grad(problem.loss, has_aux=True))
    for at in range(len(SAVES)):
        params = row_of(found.params, at)
        (loss, _), gradient = slope(params, batch, hyper(), jnp.zeros((), PRECISION), None, ())
        np.testing.assert_allclose(found.measures["objective"][at], loss, rtol=100 * EPS)
        norms = [
            np.sqrt(sum(np.sum(leaf**2) for leaf in jax.tree.leaves(gradient[part])))
            for part in ("classify", "focus")
        ]
        np.testing.assert_allclose(
            found.measures["gradient_norm"][at], norms, rtol=0, atol=1000 * EPS
        )
        for name, value in measure(params, batch, hyper()).items():
            np.testing.assert_allclose(
                found.measures[name][at, 0], value, rtol=0, atol=1e4 * EPS, err_msg=name
            )


def test_parameters_are_kept_only_when_asked_and_saves_change_nothing(problems, start, batch):
    dense = trained(problems["soft"], as_optimiser("sgd"), start, batch)
    train = make_train(problems["soft"], as_optimiser("sgd"), (0, STEPS), FIXED)
    sparse = jit(train)(start, hyper(), splits(batch), streams(0))
    assert sparse.params is None
    for name, values in sparse.measures.items():
        # The same steps in another compiled program.
        np.testing.assert_allclose(values[-1], dense.measures[name][-1], rtol=0, atol=TOLERANCE)


# The loss jumps at time 0.75: steps 0 to 7 begin before it, step 8 at 0.8 is the first hard one.
SWITCH_TIME, SWITCH_STEP = 0.75, 8


def test_the_switch_of_a_hybrid_resets_the_optimiser_state(problems, slopes, start, batch):
    batches = short_batches(batch)
    heavy = optax.sgd(RATE, momentum=0.9)
    before = by_hand(slopes["soft"], heavy, start, batches, 0, SWITCH_STEP)
    after = by_hand(slopes["hard"], heavy, before[-1], batches, SWITCH_STEP)
    found = trained(
        problems["hybrid"],
        as_optimiser("momentum"),
        start,
        batch,
        momentum=0.9,
        # Heavy ball's clock runs ten times as fast.
        switch_time=10 * SWITCH_TIME,
    )
    assert SAVES[1] < SWITCH_STEP - 1 == SAVES[2]
    for at, params in enumerate([before[0], before[1], before[-2], before[-1], after[-1]]):
        assert distance(row_of(found.params, at), params) < TOLERANCE
    # With the momentum kept across the switch the end would be elsewhere.
    state, params, update = heavy.init(start), start, jit(heavy.update)
    for step in range(STEPS):
        slope = slopes["soft" if step < SWITCH_STEP else "hard"]
        updates, state = update(slope(params, batches[step % len(batches)]), state)
        params = optax.apply_updates(params, updates)
    assert distance(params, after[-1]) > 0.01


def test_the_switch_starts_the_state_of_a_loss_anew(task, start, batch):
    counting = hybrid._replace(
        name="counting",
        init=lambda params: jnp.zeros((), PRECISION),
        update=lambda state, aux, weight: state + jnp.sum(weight > 0),
    )
    problem = attention_problem(task, LINEAR_MODEL, counting, precision=PRECISION)
    path = jit(make_train_path(problem, as_optimiser("sgd"), tuple(range(STEPS + 1)), FIXED))
    learn = splits(batch).learn
    found = path(start, hyper(switch_time=SWITCH_TIME), learn, learn, streams(0), None)
    seen = np.cumsum([0, *([BATCH, BATCH, BAGS % BATCH] * STEPS)])
    # Of the examples since the switch, without those that fill up the last batch of an epoch.
    since = np.where(np.arange(STEPS + 1) < SWITCH_STEP, 0, seen[SWITCH_STEP])
    np.testing.assert_array_equal(found.state, seen[: STEPS + 1] - since)


def test_a_schedule_goes_on_across_the_switch_as_the_clock_says(problems, slopes, start, batch):
    batches = short_batches(batch)
    clock = np.asarray(as_optimiser("adam", "linear").clock(hyper(), STEPS))
    switch = int(np.argmax(clock >= SWITCH_TIME))
    assert 0 < switch < STEPS

    def adam(first):
        return optax.adam(by_step(LINEAR, first), b1=0.9, b2=0.99, eps=1e-3)

    before = by_hand(slopes["soft"], adam(0), start, batches, 0, switch)
    after = by_hand(slopes["hard"], adam(switch), before[-1], batches, switch)
    settings = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-3, "switch_time": SWITCH_TIME}
    optimiser = as_optimiser("adam", "linear")
    found = trained(problems["hybrid"], optimiser, start, batch, **settings)
    assert distance(row_of(found.params, -1), after[-1]) < TOLERANCE


@pytest.mark.parametrize(("switch", "paradigm"), [(0.0, "hard"), (1e9, "soft")])
def test_a_hybrid_that_switches_at_once_is_hard_and_one_that_never_does_is_soft(
    problems, slopes, start, batch, switch, paradigm
):
    optimiser = as_optimiser("momentum")
    found = trained(problems["hybrid"], optimiser, start, batch, momentum=0.9, switch_time=switch)
    path = by_hand(slopes[paradigm], optax.sgd(RATE, momentum=0.9), start, short_batches(batch))
    assert distance(row_of(found.params, -1), path[-1]) < TOLERANCE


class Tile:
    """Rows of a hybrid in heavy-ball training: seeds x rates, together and one by one."""

    def __init__(self, task, batch, precision):
        problem = attention_problem(task, LINEAR_MODEL, "hybrid", precision=precision)
        problem = problem._replace(measure=nothing)
        optimiser = as_optimiser("momentum")
        order = Order("shuffled-per-seed", BATCH)
        train = make_train(problem, optimiser, SAVES, order, keep_params=True)
        self.precision, self.data = precision, splits(batch)
        self.together = jit(jax.vmap(train, in_axes=(0, 0, None, 0)))
        self.alone = jit(train)
        self.seeds = jnp.array([0, 1, 0, 1], jnp.uint32)
        self.rates = [0.05, 0.05, 0.1, 0.1]
        self.keys = jax.vmap(streams)(self.seeds)
        self.starts = jit(jax.vmap(problem.init, in_axes=(0, None)))(
            self.keys.init, hyper(precision)
        )

    def hypers(self, rates):
        rows = [
            hyper(self.precision, learning_rate=rate, momentum=0.5, switch_time=0.7)
            for rate in rates
        ]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


@pytest.fixture(scope="module", params=PRECISIONS)
def tile(request, task, batch):
    return Tile(task, batch, request.param)


def test_a_vmap_over_seeds_and_rates_is_a_python_loop(tile):
    hypers = tile.hypers(tile.rates)
    together = tile.together(tile.starts, hypers, tile.data, tile.keys)
    bound = {"float64": 1e-10, "float32": 1e-5}[tile.precision]
    for at in range(len(tile.rates)):
        alone = tile.alone(
            row_of(tile.starts, at), row_of(hypers, at), tile.data, row_of(tile.keys, at)
        )
        row = row_of(together, at)
        assert distance(row.params, alone.params) <= bound
        np.testing.assert_allclose(
            row.measures["objective"], alone.measures["objective"], rtol=0, atol=bound
        )
        np.testing.assert_allclose(row.time, alone.time, rtol=bound)
        assert row.status == alone.status == Status.DONE
    assert {leaf.dtype.name for leaf in jax.tree.leaves(together.params)} == {tile.precision}


@pytest.mark.default_xla
def test_rows_with_nan_or_a_wild_rate_are_marked_and_the_others_keep_every_bit(tile):
    good = tile.together(tile.starts, tile.hypers(tile.rates), tile.data, tile.keys)
    starts = jax.tree.map(lambda leaf: leaf.at[2].set(jnp.nan), tile.starts)
    hypers = tile.hypers([tile.rates[0], 1e6, *tile.rates[2:]])
    bad = tile.together(starts, hypers, tile.data, tile.keys)
    assert bad.status.tolist() == [Status.DONE, Status.DIVERGED, Status.DIVERGED, Status.DONE]
    for at in (0, 3):
        assert all_finite(row_of(bad, at))
        assert_same_bits(row_of(bad, at), row_of(good, at))
    assert bad.time_reached[2] == 0
    assert bad.time_reached[1] < 1e6 * STEPS
    # A NaN among the hyperparameters is a NaN of its row, too.
    bad = tile.together(tile.starts, tile.hypers([np.nan, *tile.rates[1:]]), tile.data, tile.keys)
    assert bad.status.tolist() == [Status.DIVERGED, Status.DONE, Status.DONE, Status.DONE]
    assert_same_bits(row_of(bad, slice(1, 4)), row_of(good, slice(1, 4)))


@pytest.mark.parametrize("kind", ["shuffled", "shuffled-per-seed"])
def test_seeds_share_minibatches_exactly_when_the_order_is_shared(problems, batch, kind):
    order = Order(kind, BATCH)
    train = make_train(problems["soft"], as_optimiser("sgd"), (0, 3), order, keep_params=True)
    row = jit(make_row(problems["soft"], train, order.shared, False))
    seeds = (jnp.asarray(seed, jnp.uint32) for seed in (0, 1))
    a, b = (row(seed, hyper(), splits(batch)).params for seed in seeds)
    assert (distance(a, b) == 0) == order.shared


def test_equal_arguments_give_the_same_function(problems):
    def make(name):
        return make_train(problems["soft"], as_optimiser(name), (0, 3), Order("fixed", 4))

    assert make("sgd") is make("sgd")
    assert make("sgd") is not make("adam")


def test_an_unknown_optimiser_or_schedule_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"unknown optimiser: got 'adamm'.*did you mean 'adam"):
        as_optimiser("adamm")
    with pytest.raises(InputError, match=r"unknown schedule: got 'cosin'.*did you mean 'cosine'"):
        as_optimiser("sgd", "cosin")


def test_an_optimiser_of_ones_own_keeps_its_schedule_and_clock():
    half = Optimiser(
        "half",
        lambda hyper, rate: optax.sgd(rate),
        pace=lambda hyper: 0.5 * jnp.ones_like(hyper["learning_rate"]),
        schedule=lambda hyper, steps: optax.constant_schedule(2 * hyper["learning_rate"]),
    )
    clock = as_optimiser(half).clock(hyper(), STEPS)
    np.testing.assert_allclose(clock, RATE * np.arange(STEPS + 1), rtol=STEPS * EPS)
