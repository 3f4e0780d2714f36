import jax
import jax.numpy as jnp
import numpy as np
import pytest
from adam_cases import (
    RATES,
    SAVES,
    SPLITS,
    constant_context,
    flat,
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
from helpers import hyper, jit

from jaxattn.core.contracts import Status
from jaxattn.flow import LIMITS
from jaxattn.integrate import integrate
from jaxattn.training.optimisers import as_optimiser, unit

pytestmark = pytest.mark.needs_x64

NORMALISED = as_optimiser("normalised")
PIECES, FAR, FARTHEST = 16, 6.0, 40.0
RTOL = 1e-10


def row_of(tree, at):
    return jax.tree.map(lambda leaf: leaf[at], tree)


def saturated(start):
    """Parameters so large that attention and softmax are 0 and 1 to the bit, and right."""
    focus = jax.tree.map(lambda leaf: jnp.full_like(leaf, 1e4), start["focus"])
    classify = jax.tree.map(lambda leaf: 1e4 * jnp.eye(len(leaf)), start["classify"])
    return start | {"focus": focus, "classify": classify}


@pytest.fixture(scope="module")
def problem():
    return soft_problem()


@pytest.fixture(scope="module")
def start(problem):
    return start_of(problem)


@pytest.fixture(scope="module")
def normalised(start, problem):
    """The normalised flow to some times, in sixteen equal pieces each; "rest": from saturation."""
    # A flow reads nothing of the rate but the times at its saves.
    flow = flowing(problem, NORMALISED, "normalised", saves=tuple(range(PIECES + 1)), starts=0)
    ends = np.array([SAVES.times[-1], FAR, FARTHEST, FAR])
    found = flow(stacked(start, start, start, saturated(start)), hypers(ends / PIECES))
    assert found.status.tolist() == [Status.DONE] * len(ends)
    return {name: row_of(found, at) for at, name in enumerate([*ends[:3].tolist(), "rest"])}


@pytest.fixture(scope="module")
def gradient_flow(problem, start):
    """Gradient flow at given times: flat parameters, how far it has gone, and its speed."""

    def slope(params):
        def loss(params):
            zero = jnp.zeros(())
            return problem.loss(params, SPLITS.learn.examples, hyper(), zero, None, ())[0]

        gradient = jax.grad(loss)(params)
        squares = jax.tree.map(lambda leaf: jnp.sum(leaf**2), gradient)
        return gradient, jnp.sqrt(sum(jax.tree.leaves(squares)))

    def field(time, state, args):
        gradient, norm = slope(state[0])
        return jax.tree.map(jnp.negative, gradient), norm

    def save(time, state, args):
        return *state, slope(state[0])[1]

    @jit
    def flow(times):
        # Never an absolute tolerance that the speed at saturation falls below.
        began = (start, jnp.zeros(()))
        return integrate(field, began, times, save=save, rtol=RTOL, atol=1e-12)

    def solved(times):
        found = flow(jnp.asarray(times))
        assert found.status == Status.DONE
        params, length, speed = found.values
        return flat(params), np.asarray(length), np.asarray(speed)

    return solved


def test_normalised_descent_follows_its_flow_to_first_order(problem, start, normalised):
    trained = training(problem, NORMALISED)(start, hypers(RATES))
    flowed = stacked(*[normalised[SAVES.times[-1]]] * len(RATES))
    slope, local = order(gaps(trained, flowed))
    assert abs(slope - 1) < 0.05
    assert np.all(np.abs(local - 1) < 0.05)


def test_the_normalised_flow_traces_the_curve_of_gradient_flow_at_unit_speed(
    normalised, gradient_flow
):
    lengths = np.linspace(0, FAR, PIECES + 1)
    # When gradient flow has gone so far: by interpolation, and Newton's method from there.
    times = np.concatenate([[0], np.geomspace(1e-3, 1e4, PIECES)])
    _, gone, _ = gradient_flow(times)
    assert gone[-1] > lengths[-1]
    times = np.interp(lengths, gone, times)
    for _ in range(30):
        _, gone, speed = gradient_flow(times)
        # In the logarithm of the time, along which the length is nearly straight late.
        steps = (lengths - gone)[1:] / (speed * times)[1:]
        times[1:] *= np.exp(np.clip(steps, -1, 1))
    places, gone, _ = gradient_flow(times)
    np.testing.assert_allclose(gone, lengths, rtol=0, atol=1e-9)
    # Positions of order one after some hundred steps, each with an error of RTOL.
    np.testing.assert_allclose(flat(normalised[FAR].params), places, rtol=0, atol=100 * RTOL)


def test_at_saturation_it_goes_as_far_as_gradient_flow_does_in_ages_and_in_its_direction(
    normalised, gradient_flow
):
    far = flat(normalised[FARTHEST].params)[-1]
    ages = np.array([FARTHEST, 1e4, 1e6, 1e8])
    places, _, _ = gradient_flow(np.concatenate([np.zeros(PIECES + 1 - len(ages)), ages]))
    places = places[-len(ages) :]
    norms = np.linalg.norm(places, axis=1)
    # The norm of gradient flow grows as the logarithm of the time.
    assert np.linalg.norm(far) > 10 * norms[0]
    assert np.linalg.norm(far) > norms[-1]
    away = np.linalg.norm(places / norms[:, None] - far / np.linalg.norm(far), axis=1)
    assert np.all(np.diff(away) < 0)
    assert away[-1] < 0.1 < 0.5 < away[0]


def test_a_stationary_start_stays(start, normalised):
    stays = flat(normalised["rest"].params)
    np.testing.assert_array_equal(stays, np.broadcast_to(stays[0], stays.shape))
    assert stays.max() == 1e4
    np.testing.assert_array_equal(normalised["rest"].measures["gradient_norm"], 0)


@pytest.mark.slow
def test_a_minimum_within_reach_ends_the_flow_there_and_a_faster_focus_is_there_sooner():
    problem = toy_problem(lambda focus, classify, time: focus**2 / 2 + 2 * classify**2)
    starts = stacked(toy_start(1.0, 0.0), toy_start(-3.0, 0.0))
    # Twice as fast is the step after it was normalised.
    settings = hypers(np.full(2, 0.5), focus_rate=2.0)
    trained = training(problem, NORMALISED, (0, 2), 0)(starts, settings)
    assert trained.status.tolist() == [Status.DONE] * 2
    np.testing.assert_allclose(trained.params["focus"][:, -1], [0, -1], rtol=0, atol=1e-15)
    found = flowing(problem, NORMALISED, "normalised", (0, 2), 0, max_steps=500)(starts, settings)
    # The first one is at the minimum at time 0.5, where its speed jumps from 2 to 0.
    assert found.status.tolist() == [Status.SOLVER_FAILED, Status.DONE]
    np.testing.assert_allclose(found.time_reached[0], 0.5, rtol=0.01)
    np.testing.assert_allclose(found.params["focus"][1], [-3, -1], rtol=1e-9)


def test_each_part_has_its_rate_after_the_gradient_was_normalised():
    gradient = {"focus": jnp.asarray(3.0), "classify": jnp.asarray(4.0)}
    context = constant_context(gradient, focus_rate=2.0)
    zero = jnp.zeros(())
    equation = LIMITS["normalised"].equation(context, {"focus": zero, "classify": zero}, zero)
    speed = equation.field(zero, equation.start)
    np.testing.assert_allclose([speed["focus"], speed["classify"]], [-1.2, -0.8], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_whose_square_is_0_has_a_direction_and_one_that_is_0_has_none(dtype):
    small = jnp.finfo(dtype).tiny * 1e3
    tree = {"a": jnp.asarray([3 * small, 0], dtype), "b": jnp.asarray(-4 * small, dtype)}
    assert np.all(np.asarray(tree["a"]) ** 2 == 0)
    found = unit(tree)
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(found["a"], [0.6, 0], rtol=4 * eps)
    np.testing.assert_allclose(found["b"], -0.8, rtol=4 * eps)
    none = unit(jax.tree.map(jnp.zeros_like, tree))
    np.testing.assert_array_equal(none["a"], [0, 0])
    assert np.isnan(unit({"a": jnp.asarray([jnp.nan, 1], dtype)})["a"]).all()
