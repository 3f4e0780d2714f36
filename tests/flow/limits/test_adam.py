import jax
import jax.numpy as jnp
import numpy as np
import pytest
from adam_cases import (
    RATES,
    constant_context,
    flowing,
    gaps,
    hypers,
    order,
    soft_problem,
    stacked,
    start_of,
    toy_problem,
    toy_start,
    training,
)
from helpers import all_finite, assert_same_bits, hyper

from jaxattn.core.contracts import InputError, Status
from jaxattn.flow import LIMITS, limit_for, limits_of
from jaxattn.problems.minibatches import Order
from jaxattn.training.decays import adam_decays, rmsprop_decay, time_constant
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

ADAM, LIMIT = as_optimiser("adam"), LIMITS["adam"]
TAUS = {"tau1": 0.1, "tau2": 0.5}
MOMENTS = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def varied(context, params, origin):
    """The limit as if the rate were ``assumed``, with corrections as ``late`` as told."""
    given = context.hyper | {"learning_rate": context.hyper["assumed"]}
    equation = LIMIT.equation(context._replace(hyper=given), params, origin)
    # Soft attention does not know the time: what it moves is the corrections alone.
    return equation._replace(
        field=lambda time, state: equation.field(time + context.hyper["late"], state)
    )


class Soft:
    """Adam and its limit on THEORY's test problem, each compiled once."""

    def __init__(self):
        problem = soft_problem()
        self.start = start_of(problem)
        self.train = training(problem, ADAM)
        self.flow = flowing(problem, ADAM, LIMIT._replace(equation=varied))

    def order(self, start=None, given=TAUS, **values):
        start = self.start if start is None else start
        settings = {**MOMENTS, **given, "assumed": RATES, "late": 0.0}
        trained = self.train(start, hypers(RATES, **settings))
        return order(gaps(trained, self.flow(start, hypers(RATES, **settings | values))))


@pytest.fixture(scope="module")
def soft():
    return Soft()


@pytest.mark.slow
def test_adam_follows_its_limit_to_second_order_at_fixed_time_constants(soft):
    slope, local = soft.order()
    # THEORY 6: 1.94, and 2 in theory.
    assert abs(slope - 1.94) < 0.1
    assert np.all(np.abs(local - 2) < 0.1)


def test_simpler_time_constants_and_a_start_without_the_first_step_cost_an_order(soft):
    # Where the equation takes the rate for 0, its moments start from 0 and are corrected by the
    # time alone. What is then over (1 - decay) is the time constant and half a rate.
    simpler = {name: tau + RATES / 2 for name, tau in TAUS.items()}
    for values in (
        simpler,
        {"assumed": np.full_like(RATES, 1e-9)},
        simpler | {"assumed": np.full_like(RATES, 1e-9)},
    ):
        slope, local = soft.order(**values)
        assert abs(slope - 1) < 0.1
        assert np.all(np.abs(local - 1) < 0.1)


def test_without_bias_correction_there_is_no_limit_at_all(soft):
    slope, local = soft.order(late=np.inf)
    assert abs(slope) < 0.1
    assert np.all(np.abs(local) < 0.1)


def test_from_a_focus_without_a_gradient_only_the_first_order_is_left(soft):
    # Logits that are all 0 make attention matter to nothing.
    classify = jax.tree.map(jnp.zeros_like, soft.start["classify"])
    slope, local = soft.order(soft.start | {"classify": classify})
    assert abs(slope - 1) < 0.1
    assert np.all(np.abs(local - 1) < 0.1)


def test_at_fixed_decays_adam_follows_its_limit_to_first_order(soft):
    # The time constants of decays 0 and 0.9: they go to 0 with the rate, and what one step adds to
    # a moment does not.
    slope, _ = soft.order(given={"tau1": RATES / 2, "tau2": 9.5 * RATES})
    assert abs(slope - 1) < 0.2


# A switch at half time, a whole number of steps at every rate.
SWITCH = 0.5


def hybrid_loss(focus, classify, time):
    """Smooth before and after; no gradient is 0 on the way from the starts below."""
    soft = jnp.log1p(jnp.exp(-focus * classify)) + 0.1 * (focus - 3) ** 2
    hard = jnp.log1p(jnp.exp(-2 * focus - classify)) + 0.2 * (classify + focus) ** 2
    return jnp.where(time < SWITCH, soft, hard)


FASTER, LARGEST = 2.5, 0.3
SEEDS = [toy_start(0.4, 1.2), toy_start(-0.3, 0.8)]


def toy_rows():
    """All rates of one seed, then all of the other; the focus faster, the gradient clipped."""
    starts = stacked(*(start for start in SEEDS for _ in RATES))
    settings = {**MOMENTS, **TAUS, "focus_rate": FASTER, "clip_norm": LARGEST}
    return starts, hypers(np.concatenate([RATES, RATES]), **settings)


@pytest.mark.slow
def test_the_order_outlasts_a_switch_a_faster_focus_and_a_clipped_gradient():
    problem = toy_problem(hybrid_loss, SWITCH)
    trained = training(problem, ADAM, starts=0)(*toy_rows())
    flowed = flowing(problem, ADAM, "adam", starts=0)(*toy_rows())
    for of_seed in gaps(trained, flowed).reshape(2, -1):
        slope, local = order(of_seed)
        assert abs(slope - 2) < 0.1
        assert np.all(np.abs(local - 2) < 0.2)
    # The clipping acts.
    slopes = jax.grad(hybrid_loss, argnums=(0, 1))
    assert np.hypot(*slopes(0.4, 1.2, 0.0)) > LARGEST


@pytest.mark.slow
def test_without_a_fresh_start_at_the_switch_the_order_is_lost():
    problem = toy_problem(hybrid_loss, SWITCH)
    trained = training(problem, ADAM, starts=0)(*toy_rows())
    kept = flowing(problem, ADAM, LIMIT._replace(restarts=False), starts=0)(*toy_rows())
    for of_seed in gaps(trained, kept).reshape(2, -1):
        assert abs(order(of_seed)[0]) < 0.1


@pytest.mark.slow
@pytest.mark.default_xla
def test_a_row_of_nan_fails_alone(soft):
    settings = hypers(RATES, **MOMENTS, **TAUS, assumed=RATES, late=0.0)
    spoilt = settings | {"tau1": settings["tau1"].at[1].set(jnp.nan)}
    good, bad = soft.flow(soft.start, settings), soft.flow(soft.start, spoilt)
    rest = np.arange(len(RATES)) != 1
    assert bad.status[1] == Status.SOLVER_FAILED
    for one in (good, bad):
        assert set(one.status[rest].tolist()) == {Status.DONE}
    kept = [jax.tree.map(lambda leaf: leaf[rest], one) for one in (good, bad)]
    assert all_finite(kept[0])
    assert_same_bits(*kept)


@pytest.mark.parametrize("epsilon", [0.0, 1e-8])
@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_under_a_constant_gradient_every_number_moves_at_the_speed_of_its_part_or_rests(
    name, epsilon
):
    gradient = {"classify": jnp.array([3.0, -0.2]), "focus": jnp.array([0.0, 5.0])}
    values = {"beta1": 0.9, "beta2": 0.99, "decay": 0.9, "epsilon": epsilon}
    zeros = jax.tree.map(jnp.zeros_like, gradient)
    origin = jnp.asarray(2.0)
    equation = LIMITS[name].equation(
        constant_context(gradient, focus_rate=FASTER, **values), zeros, origin
    )
    # The moments hold what they have seen by the origin: corrected, the gradient and its square.
    speed = equation.field(origin, equation.start)
    moved = equation.read(origin, speed)
    sizes = np.array([3, 0.2, 5])
    unit = sizes / (np.sqrt(sizes**2 + epsilon) if name == "rmsprop" else sizes + epsilon)
    np.testing.assert_allclose(moved["classify"], [-unit[0], unit[1]], rtol=1e-14)
    np.testing.assert_allclose(moved["focus"], [0, -FASTER * unit[2]], rtol=1e-14)
    # And they go on to: d/dt of their share of 1 is what is missing, over the time constant.
    for tree, decay, seen in (
        [(speed.square, 0.9, np.square)]
        if name == "rmsprop"
        else [(speed.first, 0.9, np.asarray), (speed.second, 0.99, np.square)]
    ):
        tau = 0.1 * (1 + decay) / (2 * (1 - decay))
        expected = seen(np.array([3, -0.2])) * np.exp(-0.05 / tau) / tau
        np.testing.assert_allclose(tree["classify"], expected, rtol=1e-13)


def test_a_given_time_constant_is_the_one_in_force_and_decays_forget_by_it():
    settings = hyper(tau1=0.3, tau2=0.7, beta1=0.9, beta2=0.99, decay=0.5, learning_rate=0.1)
    rate = settings["learning_rate"]
    taus = [time_constant(decay, rate) for decay in adam_decays(settings)]
    np.testing.assert_allclose(taus, [0.3, 0.7], rtol=1e-14)
    np.testing.assert_allclose(rmsprop_decay(settings), 0.5)
    assert rmsprop_decay(settings | {"tau": jnp.asarray(0.05)}) == 0
    # Up to the third power of rate / tau: x^3 / 12 for small x, and the next one is as large.
    ratios = 0.1 * 2.0 ** -np.arange(5)
    decays = np.array([adam_decays(settings | {"tau1": rate / x})[0] for x in ratios])
    np.testing.assert_allclose((np.exp(-ratios) - decays) / ratios**3, 1 / 12, rtol=0.1)


def test_only_adam_has_this_limit_and_only_at_a_constant_rate():
    order = Order("fixed", None)
    assert "adam" in limits_of(ADAM)
    for name in ("sgd", "momentum", "adamw", "rmsprop", "normalised"):
        with pytest.raises(InputError, match=rf"adam: got the optimiser '{name}', expected adam"):
            limit_for("adam", as_optimiser(name), order)
    with pytest.raises(InputError, match="learning rate that changes"):
        limit_for("adam", as_optimiser("adam", "cosine"), order)
