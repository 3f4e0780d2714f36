"""Flows alone, on times of their own: over decades, to rest, and why they were not solved."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import bags, hyper, jit, slow_but, splits
from jax.flatten_util import ravel_pytree
from scipy.special import lambertw

from jaxattn.core.contracts import InputError, Problem, Status
from jaxattn.core.reasons import Reason
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.flow.solver import IMPLICIT_UP_TO, Solver, choose_solver
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.saves import OwnTimes, own_times
from jaxattn.training.train import make_train

pytestmark = pytest.mark.needs_x64

BATCH = splits(bags(np.random.default_rng(0), 1))
SGD = as_optimiser("sgd")


def problem_of(loss, jumps=()):
    """A loss of the parameters, or of the time too, as a problem."""

    def whole(params, batch, hyper, time, key, state):
        del hyper, key
        value = loss(params, time) if jumps else loss(params)
        # The data count for nothing.
        return value + 0 * jnp.sum(batch.weight), state

    def measure(params, batch, hyper):
        del batch, hyper
        return {"size": jnp.linalg.norm(ravel_pytree(params)[0])}

    return Problem(
        init=lambda key, hyper: {},
        loss=whole,
        measure=measure,
        discontinuities=lambda hyper: jnp.asarray(jumps, jnp.float64),
        precision="float64",
    )


def solved(loss, start, times, asked=None, limit="flow", jumps=(), **settings):
    """The flow of a loss at these times, solved as is chosen."""
    count = sum(leaf.size for leaf in jax.tree.leaves(start))
    chosen = choose_solver(own_times(times), count, asked)
    flow = make_flow(
        problem_of(loss, jumps),
        SGD,
        own_times(times),
        True,
        limit=limit,
        **{**chosen.arguments(), **settings},
    )
    return jit(flow)(start, hyper(), BATCH, streams(0))


def least_squares(curvatures, seed=0):
    """A loss with these curvatures in directions of its own, a start, and where it is at times."""
    rng, size = np.random.default_rng(seed), len(curvatures)
    axes, _ = np.linalg.qr(rng.normal(size=(size, size)))
    matrix, best = np.sqrt(curvatures)[:, None] * axes.T, rng.normal(size=size)
    target, start = jnp.asarray(matrix @ best), rng.normal(size=size)
    # What is known of it: an eigendecomposition, not the numbers that it was made of.
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    values = np.where(values < 1e-15, 0.0, values)

    def exact(times):
        left = np.exp(-np.outer(times, values)) * (vectors.T @ (start - best))
        return best + left @ vectors.T

    def loss(params):
        return jnp.sum((jnp.asarray(matrix) @ params - target) ** 2) / 2

    return loss, jnp.asarray(start), exact


def gap(found, exact):
    """Root mean square of the error at each save, over the size of the solution and its unit."""
    error = np.sqrt(np.mean((np.asarray(found) - exact) ** 2, axis=-1))
    return error / (np.sqrt(np.mean(exact**2, axis=-1)) + 1)


TIMES = (0.0, *np.geomspace(1, 1e9, 19))
# Six decades of curvature, and directions without any.
CURVATURES = np.concatenate([np.zeros(4), np.geomspace(1e-6, 1, 12)])


def test_least_squares_over_nine_decades_is_exact_to_the_tolerance_of_implicit_steps() -> None:
    loss, start, exact = least_squares(CURVATURES)
    found = solved(loss, start, TIMES)
    assert np.max(gap(found.params, exact(TIMES))) < choose_solver(own_times(TIMES), 16).rtol
    assert found.status == Status.CONVERGED
    # The slowest direction has a factor of exp(-20) left after 20 of its times.
    assert 1e7 < found.time_reached < 1e8
    assert found.work["steps"] < 2000


def test_explicit_steps_end_where_nothing_moves_and_what_is_there_is_held() -> None:
    curvatures = np.concatenate([np.zeros(4), np.geomspace(1e-2, 1, 12)])
    loss, start, exact = least_squares(curvatures)
    found = solved(loss, start, TIMES, Solver("dopri8"))
    assert found.status == Status.CONVERGED
    # Ten digits of the slowest direction take 23 of its times; at twice that it is seen.
    assert 2000 < found.time_reached < 10_000
    # One step for every five units of the largest curvature times the time.
    assert found.work["steps"] < found.time_reached / 4
    later = np.asarray(found.time) > found.time_reached
    assert later.sum() > 10
    assert np.max(gap(found.params, exact(TIMES))) < 1e-9
    for values in (found.params, found.measures["objective"], found.measures["size"]):
        held = np.asarray(values)[later]
        assert np.all(held == held[0])
    assert np.all(np.isfinite(np.concatenate([v.ravel() for v in found.measures.values()])))
    assert found.reason == Reason.NONE
    assert np.all(np.isnan(found.step))


def test_what_is_slow_under_steps_that_hover_is_not_taken_for_rest() -> None:
    # At t = 200 the steep directions have ten digits. Over the doubling before, the flat one moved
    # by 1e-10, which is within the tolerance, and until the end it has 1e-7 to go.
    curvatures = np.concatenate([[1e-12], np.geomspace(0.2, 1, 15)])
    loss, start, exact = least_squares(curvatures)
    times = (0.0, 1e2, 1e3, 1e5)
    found = solved(loss, start, times, Solver("dopri8"))
    assert found.status == Status.DONE
    assert np.max(gap(found.params, exact(times))) < 1e-9


def test_what_begins_to_fall_off_a_saddle_is_not_taken_for_rest() -> None:
    # All else has ten digits at t = 23, which is seen by t = 92, when what escapes is still 1e-11.
    def loss(params):
        stays, escapes = params[:-1], params[-1]
        return jnp.sum(stays**2) / 2 - 0.1 * escapes**2 / 2 + escapes**4 / 4

    start = jnp.asarray([1.0, -1.0, 1.0, 1e-15])
    found = solved(loss, start, (30.0, 100.0, 1e6), Solver("dopri8"))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params[:2, -1], 1e-15 * np.exp([3.0, 10.0]), rtol=1e-3)
    np.testing.assert_allclose(found.params[2, -1], np.sqrt(0.1), rtol=1e-9)


def test_an_optimum_at_zero_is_rest_too_and_rows_of_a_batch_end_each_on_its_own() -> None:
    flow = make_flow(
        problem_of(lambda params: jnp.sum(params**2) / 2),
        SGD,
        own_times(TIMES),
        True,
        **choose_solver(own_times(TIMES), 3, Solver("dopri8")).arguments(),
    )
    starts = jnp.stack([jnp.zeros(3), jnp.ones(3), jnp.full(3, jnp.nan)])
    found = jit(jax.vmap(lambda start: flow(start, hyper(), BATCH, streams(0))))(starts)
    done, failed = int(Status.CONVERGED), int(Status.SOLVER_FAILED)
    assert found.status.tolist() == [done, done, failed]
    assert found.reason.tolist() == [Reason.NONE, Reason.NONE, Reason.NOT_FINITE]
    assert np.all(np.asarray(found.params[0]) == 0)
    np.testing.assert_allclose(found.params[1, 1], np.exp(-1), rtol=1e-9)
    assert np.max(np.abs(found.params[1, -1])) < 1e-10
    # Where it starts at rest, that is seen at the first step; else after ten digits, 23 times.
    assert found.time_reached[0] < 20 < found.time_reached[1] < 100


def separable(times):
    """A norm that grows for ever: w' = 1 / (1 + e^w) from 0, so w + e^w = 1 + t."""
    whole = 1 + np.asarray(times)
    size = np.log(whole)
    for _ in range(50):
        size = size - (size + np.exp(size) - whole) / (1 + np.exp(size))
    small = whole < 500  # w = c - W(e^c), where e^c is a number
    np.testing.assert_allclose(
        size[small], whole[small] - lambertw(np.exp(whole[small])).real, rtol=1e-9
    )
    return size


@pytest.mark.parametrize("solver", slow_but(["dopri8"], ["auto", "dopri8"]))
def test_logistic_regression_of_separable_points_never_comes_to_rest(solver) -> None:
    times = tuple(np.geomspace(1, 1e12, 13))
    points = labels = jnp.asarray([1.0, -1.0])  # one of either class

    def loss(params):
        return jnp.mean(jnp.logaddexp(0.0, -labels * points * params["w"]))

    found = solved(loss, {"w": jnp.zeros(())}, times, Solver(solver))
    np.testing.assert_allclose(found.params["w"], separable(times), rtol=1e-6)
    assert found.status == Status.DONE
    assert found.time_reached == times[-1]


@pytest.mark.parametrize("solver", slow_but(["dopri8"], ["auto", "dopri8"]))
def test_a_deep_linear_net_is_not_stopped_on_its_plateaus(solver) -> None:
    target = jnp.diag(jnp.asarray([1.0, 0.3, 0.1]))

    def loss(params):
        return jnp.sum((params["b"] @ params["a"] - target) ** 2) / 2

    # Balanced and aligned, each singular value is a logistic curve: s' = 2 s (S - s).
    small, times = 1e-12, np.asarray([1, 50.0, 150.0, 400.0, 1e5])
    start = {name: jnp.sqrt(small) * jnp.eye(3) for name in "ab"}
    full = np.diag(target)
    found = solved(loss, start, tuple(times), Solver(solver))
    product = np.asarray(found.params["b"] @ found.params["a"])
    exact = full / (1 + (full / small - 1) * np.exp(-2 * full * times[:, None]))
    # A relative error e of what escapes moves its logistic curve by e / 4 at most; over the 28
    # times in which it grows, each step errs by its tolerance: some hundred steps of 1e-6.
    np.testing.assert_allclose(np.diagonal(product, axis1=1, axis2=2), exact, atol=3e-5)
    assert found.status == Status.CONVERGED
    assert found.time_reached > 400


def test_steps_that_are_implicit_in_log_time_agree_with_explicit_ones() -> None:
    loss, start, _ = least_squares(np.geomspace(1e-2, 1, 12))

    def bent(params):
        return loss(params) + jnp.sum(params**4) / 4

    times = tuple(np.geomspace(0.1, 99, 7))
    explicit = solved(bent, start, times)
    assert choose_solver(own_times(times), 12).name == "dopri8"
    implicit = solved(bent, start, times, Solver("kvaerno5", log_time_unit=0.1))
    assert np.max(gap(implicit.params, np.asarray(explicit.params))) < 1e-6


def test_a_flow_starts_at_zero_wherever_it_is_first_looked_at() -> None:
    loss, start, exact = least_squares(np.geomspace(0.1, 1, 5))
    found = solved(loss, start, (2.0, 3.0))
    assert found.time.tolist() == [2, 3]
    assert np.max(gap(found.params, exact((2.0, 3.0)))) < 1e-9


def test_a_loss_that_changes_in_time_is_not_held() -> None:
    def loss(params, time):
        return jnp.sum((params - jnp.where(time < 1e4, 0.0, 1.0)) ** 2) / 2

    times = (1.0, 1e3, 9e3, 1.01e4)
    found = solved(loss, jnp.ones(2), times, Solver("dopri8"), jumps=(1e4,))
    assert found.status == Status.DONE
    np.testing.assert_allclose(found.params[-1], 1, atol=1e-9)
    np.testing.assert_allclose(found.params[-2], 0, atol=1e-9)


@pytest.mark.parametrize("limit", slow_but(["modified"], ["flow", "modified", "third-order"]))
def test_limits_of_gradient_descent_rest_where_gradient_flow_does(limit) -> None:
    loss, start, _ = least_squares(np.geomspace(0.1, 1, 5))
    found = solved(loss, start, (1.0, 1e6), Solver("dopri8"), limit=limit)
    assert found.status == Status.CONVERGED
    assert np.all(np.isfinite(found.params))
    assert found.measures["objective"][-1] < 1e-18


def test_why_a_flow_was_not_solved_is_told() -> None:
    def reason(loss, start, times=(1.0, 2.0), **settings):
        found = solved(loss, start, times, **settings)
        assert found.status == Status.SOLVER_FAILED
        return Reason(int(found.reason)), float(found.time_reached)

    stiff = np.asarray([1e-4, 1.0])
    curved, start, _ = least_squares(stiff)
    used_up = reason(curved, start, (1.0, 1e5), asked=Solver("dopri8", max_steps=50))
    assert used_up[0] is Reason.STEPS_USED_UP
    assert 10 < used_up[1] < 1e3
    # y' = -1 / (2 y) from 1 is at 0, where it is infinite, at t = 1.
    singular = reason(lambda params: jnp.sum(jnp.log(jnp.abs(params))) / 2, jnp.ones(1))
    assert singular[0] is Reason.STEP_SIZE_UNDERFLOW
    np.testing.assert_allclose(singular[1], 1, rtol=1e-6)
    # y' = -1 / sqrt(y) / 2 reaches 0 at t = 4 / 3, beyond which there is no number.
    lost = reason(lambda params: jnp.sum(jnp.sqrt(params)), jnp.ones(1))
    assert lost[0] is Reason.NOT_FINITE
    np.testing.assert_allclose(lost[1], 4 / 3, rtol=1e-6)
    assert reason(lambda params: jnp.sum(params), jnp.full(1, jnp.nan))[0] is Reason.NOT_FINITE


def test_training_refuses_times_that_no_steps_come_to() -> None:
    with pytest.raises(InputError, match="times of a flow alone"):
        make_train(problem_of(lambda params: 0.0), SGD, own_times((1.0, 2.0)), Order("fixed"))


@pytest.mark.parametrize(
    ("times", "match"),
    [
        ((), "got none"),
        (("late",), "expected numbers"),
        (3.0, "expected numbers"),
        ((1.0, -1.0), "got -1"),
        ((1.0, np.inf), "got inf"),
        ((np.nan,), "got nan"),
        ((2.0, 1.0), "got 1 after 2"),
        ((1.0, 1.0), "got 1 after 1"),
    ],
)
def test_times_that_are_none_are_refused(times, match) -> None:
    with pytest.raises(InputError, match=match):
        own_times(times)


def test_times_are_plain_numbers() -> None:
    assert own_times(np.geomspace(1, 100, 3)) == OwnTimes((1.0, 10.0, 100.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "euler"},
        {"rtol": 0},
        {"rtol": 1e-17},
        {"rtol": "tight"},
        {"atol": -1.0},
        {"atol": np.nan},
        {"max_steps": 0},
        {"max_steps": 1.5},
        {"max_steps": True},
        {"log_time_unit": 0.0},
    ],
)
def test_a_solver_that_is_none_is_refused(wrong) -> None:
    with pytest.raises(InputError, match=r"solve|rtol is below") as error:
        Solver(**wrong)
    assert "\n" not in str(error.value)


def test_how_a_flow_is_solved_follows_from_its_times_and_its_size() -> None:
    few, many = IMPLICIT_UP_TO, IMPLICIT_UP_TO + 1
    short, long = own_times((0, 0.5, 500)), own_times((0, 0.5, 501))
    assert choose_solver(short, few) == Solver("dopri8", 1e-10, 1e-12, 100_000, None)
    assert choose_solver(long, few) == Solver("kvaerno5", 1e-6, 1e-6, 100_000, 0.5)
    assert choose_solver(long, many) == Solver("dopri8", 1e-10, 1e-12, 100_000, 0.5)
    assert choose_solver(long, few, smooth=False) == Solver(
        "bosh3", 1e-5, 1e-2 * 1e-5, 100_000, 0.5
    )
    assert choose_solver(long, few, stochastic=True).log_time_unit is None
    asked = Solver("tsit5", max_steps=7, log_time_unit=None)
    assert choose_solver(long, few, asked) == Solver("tsit5", 1e-10, 1e-12, 7, None)
    assert choose_solver(long, few, Solver(rtol=1e-8, atol=1e-9)).atol == 1e-9
    assert choose_solver(own_times((0,)), few).log_time_unit is None


def test_units_of_a_start_are_where_rest_is_counted() -> None:
    # A start of a millionth goes on as long as any: ten digits of it take 46 of its times.
    start, rates = 1e-6 * jnp.asarray([1.0, 2.0]), jnp.asarray([1.0, 0.5])
    found = solved(lambda p: jnp.sum(rates * p**2) / 2, start, (1.0, 1e6), Solver("dopri8"))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.params[0], start * jnp.exp(-rates))
    assert 40 < found.time_reached < 400
