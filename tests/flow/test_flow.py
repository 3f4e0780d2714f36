import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    CLASSES,
    EPS,
    all_finite,
    assert_same_bits,
    bags,
    distance,
    hyper,
    jit,
    splits,
    task_of,
)
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.precision import needs_x64
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

pytestmark = pytest.mark.needs_x64

STEPS, RATE, MOMENTUM = 40, 0.1, 0.5
SAVES = (0, 3, 20, STEPS)
# The rate falls linearly and heavy ball runs twice as fast: the run ends at 2 * 2.05.
END = 4.1
SWITCH_TIME, FOCUS_RATE = 1.7, 2.5
RTOL, ATOL = 1e-9, 1e-11


@pytest.fixture(scope="module")
def batch():
    return bags(np.random.default_rng(4))


@pytest.fixture(scope="module")
def problem(batch):
    model = linear(CLASSES, start="normal")
    return attention_problem(task_of(batch), model, "hybrid", precision="float64")


@pytest.fixture(scope="module")
def start(problem):
    return jit(problem.init)(streams(0).init, hyper())


OPTIMISER = as_optimiser("momentum", "linear")


def settings(**values):
    given = {"learning_rate": RATE, "momentum": MOMENTUM, "focus_rate": FOCUS_RATE}
    return hyper(**{"switch_time": SWITCH_TIME, **given, **values})


@pytest.fixture(scope="module")
def flow(problem):
    return make_flow(problem, OPTIMISER, SAVES, keep_params=True, rtol=RTOL, atol=ATOL)


@pytest.fixture(scope="module")
def found(flow, start, batch):
    return jit(flow)(start, settings(), splits(batch), streams(0))


def test_a_flow_reaches_the_times_of_the_training_beside_it(problem, found, start, batch):
    train = make_train(problem._replace(measure=lambda *_: {}), OPTIMISER, SAVES, Order("fixed"))
    trained = jit(train)(start, settings(), splits(batch), streams(0))
    np.testing.assert_array_equal(found.time, trained.time)
    np.testing.assert_array_equal(found.step, trained.step)
    np.testing.assert_allclose(found.time[-1], END, rtol=STEPS * EPS)
    assert found.status == Status.DONE
    np.testing.assert_allclose(found.time_reached, END, rtol=STEPS * EPS)
    # Tsit5 evaluates the field six times a step, or seven where it starts anew.
    steps = found.work["steps"] + found.work["rejected"]
    assert 6 * steps <= found.work["gradients"] <= 7 * steps + 2


def test_a_flow_is_minus_the_gradient_of_the_loss_in_force(problem, found, start, batch):
    flat, unravel = ravel_pytree(start)
    speed, _ = ravel_pytree(
        {
            part: jax.tree.map(
                lambda leaf, part=part: jnp.full_like(leaf, FOCUS_RATE if part == "focus" else 1),
                leaves,
            )
            for part, leaves in start.items()
        }
    )

    @jit
    def field(time, flat):
        def loss(params):
            return problem.loss(params, batch, settings(), time, None, ())[0]

        return -speed * ravel_pytree(jax.grad(loss)(unravel(flat)))[0]

    times = np.asarray(found.time)
    before = times < SWITCH_TIME
    accurate = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14}
    # `field` is soft before the switch and hard at it: each piece is integrated by itself.
    soft = solve_ivp(
        lambda time, flat: np.asarray(field(min(time, SWITCH_TIME - 1e-9), flat)),
        (0, SWITCH_TIME),
        np.asarray(flat),
        t_eval=[*times[before], SWITCH_TIME],
        **accurate,
    )
    hard = solve_ivp(
        lambda time, flat: np.asarray(field(time, flat)),
        (SWITCH_TIME, times[-1]),
        soft.y[:, -1],
        t_eval=times[~before],
        **accurate,
    )
    expected = np.concatenate([soft.y[:, :-1], hard.y], axis=1).T
    assert 0 < before.sum() < len(SAVES)
    for at, kept in enumerate(expected):
        params = jax.tree.map(lambda leaf, at=at: leaf[at], found.params)
        # A few dozen steps, each with an error of RTOL of parameters of order one.
        np.testing.assert_allclose(ravel_pytree(params)[0], kept, rtol=0, atol=100 * RTOL)


def test_measures_are_those_of_the_parameters_at_the_saves(problem, found, batch):
    @jit
    def at_save(params, time):
        loss = problem.loss(params, batch, settings(), time, None, ())[0]
        return loss, problem.measure(params, batch, settings())

    for at, time in enumerate(found.time):
        loss, measures = at_save(jax.tree.map(lambda leaf, at=at: leaf[at], found.params), time)
        np.testing.assert_allclose(found.measures["objective"][at], loss, rtol=100 * EPS)
        for name, value in measures.items():
            np.testing.assert_allclose(
                found.measures[name][at, 0], value, rtol=0, atol=1e4 * EPS, err_msg=name
            )


@pytest.mark.default_xla
def test_a_row_of_nan_fails_alone_and_the_others_keep_every_bit(problem, start, batch):
    quiet = problem._replace(measure=lambda *_: {})
    rows = jit(jax.vmap(make_flow(quiet, OPTIMISER, SAVES, keep_params=True), (0, 0, None, None)))
    starts = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf, 2 * leaf, leaf]), start)
    hypers = jax.tree.map(
        lambda *leaves: jnp.stack(leaves),
        *(settings(learning_rate=rate) for rate in (0.1, 0.1, 0.1, 0.05)),
    )
    good = rows(starts, hypers, splits(batch), streams(0))
    spoilt = jax.tree.map(lambda leaf: leaf.at[1].set(jnp.nan), starts)
    bad = rows(spoilt, hypers, splits(batch), streams(0))
    failed, done = Status.SOLVER_FAILED, Status.DONE
    assert good.status.tolist() == [done] * 4
    assert bad.status.tolist() == [done, failed, done, done]
    # A rate that is NaN makes all its times NaN.
    wild = hypers | {"learning_rate": hypers["learning_rate"].at[1].set(jnp.nan)}
    timeless = rows(starts, wild, splits(batch), streams(0))
    assert timeless.status.tolist() == [done, failed, done, done]
    for at in (0, 2, 3):
        expected = jax.tree.map(lambda leaf, at=at: leaf[at], good)
        assert all_finite(expected)
        for other in (bad, timeless):
            assert_same_bits(jax.tree.map(lambda leaf, at=at: leaf[at], other), expected)


def test_a_flow_that_runs_out_of_steps_says_so_and_how_far_it_came(problem, start, batch):
    quiet = problem._replace(measure=lambda *_: {})
    flow = make_flow(quiet, OPTIMISER, SAVES, rtol=RTOL, atol=ATOL, max_steps=5)
    found = jit(flow)(start, settings(), splits(batch), streams(0))
    assert found.status == Status.SOLVER_FAILED
    assert 0 < found.time_reached < END
    assert found.work["steps"] + found.work["rejected"] == 5
    assert np.isfinite(found.measures["objective"][0])
    assert np.isnan(found.measures["objective"][-1])
    assert found.params is None


def test_a_flow_steps_exactly_to_the_switch_and_does_not_grope_for_it(problem, start, batch, found):
    quiet = problem._replace(measure=lambda *_: {}, discontinuities=lambda hyper: jnp.zeros(0))
    blind = make_flow(quiet, OPTIMISER, SAVES, rtol=RTOL, atol=ATOL)
    groping = jit(blind)(start, settings(), splits(batch), streams(0))
    # A step across a jump is rejected again and again until it is tiny.
    assert groping.work["rejected"] >= found.work["rejected"] + 5


def test_a_flow_needs_float64_and_says_how_to_get_it(batch):
    single = attention_problem(task_of(batch), "linear", "soft", precision="float32")
    with pytest.raises(InputError, match="needs a float64 problem: got 'float32'"):
        make_flow(single, OPTIMISER, SAVES)
    needs_x64("theory")
    with (
        jax.enable_x64(False),
        pytest.raises(InputError, match=r"theory runs in float64.*JAX_ENABLE_X64=1"),
    ):
        needs_x64("theory")


def test_equal_arguments_give_the_same_function(problem):
    assert make_flow(problem, OPTIMISER, SAVES) is make_flow(problem, OPTIMISER, SAVES)
    assert make_flow(problem, OPTIMISER, SAVES) is not make_flow(problem, OPTIMISER, SAVES[:-1])


def test_the_kept_parameters_move(found):
    ends = [jax.tree.map(lambda leaf, at=at: leaf[at], found.params) for at in (0, -1)]
    assert distance(*ends) > 0.1
