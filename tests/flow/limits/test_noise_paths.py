"""Paths of the stochastic equation beside those of training, solved by `make_flow`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, all_finite, assert_same_bits, hyper, jit
from noise_cases import SLOPES, logistic

from jaxattn.core.contracts import Data, Splits, Status
from jaxattn.core.streams import streams
from jaxattn.flow import LIMITS, make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.tasks import orthogonal
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

pytestmark = pytest.mark.needs_x64

SGD = as_optimiser("sgd")
PROBLEM, DATA = logistic()
COUNT = len(SLOPES)
SAVES = (0, 2, 5, 10)
# Between two steps of training, and between two saves.
RATE, SWITCH_TIME = 0.1, 0.33
START = jnp.asarray(0.5)
WEIGHTS = jnp.ones((4, COUNT))
GIVEN = jnp.full((4,), START), jnp.asarray([RATE, RATE, RATE, RATE / 2]), WEIGHTS


def row_of(tree, row):
    return jax.tree.map(lambda leaf: leaf[row], tree)


@pytest.fixture(scope="module")
def rows():
    """Rows in one program: of their starts, rates, weights and seeds."""
    order = Order("with-replacement", 2)
    flow = make_flow(PROBLEM, SGD, SAVES, keep_params=True, limit="sde", order=order)

    def one(start, rate, weight, seed):
        data = Data(DATA.learn.examples._replace(weight=weight))
        return flow(start, {"learning_rate": rate}, Splits(data, {"train": data}), streams(seed))

    compiled = jit(jax.vmap(one))
    return lambda *given: compiled(*given, jnp.asarray([0, 1, 0, 2]))


@pytest.fixture(scope="module")
def found(rows):
    return rows(*GIVEN)


def test_the_path_is_that_of_the_seed(found):
    assert found.status.tolist() == [Status.DONE] * 4
    assert all_finite(found)
    # All start from the same place, whatever the seed.
    np.testing.assert_array_equal(found.params[:, 0], START)
    first, second, again, _ = np.asarray(found.params[:, 1:])
    assert np.all(np.abs(first - second) > 0.01)
    np.testing.assert_array_equal(first, again)
    times = np.array(SAVES) * np.array([[RATE], [RATE], [RATE], [RATE / 2]])
    np.testing.assert_allclose(found.time, times, rtol=4 * EPS)
    np.testing.assert_allclose(found.time_reached, times[:, -1], rtol=4 * EPS)
    # A step for each one of training, of four drifts and two noises.
    assert found.work["steps"].tolist() == [SAVES[-1]] * 4
    np.testing.assert_array_equal(found.work["gradients"], 6 * found.work["steps"])


@pytest.mark.slow
@pytest.mark.default_xla
def test_a_bad_row_fails_alone_and_the_others_keep_every_bit(rows, found):
    starts, rates, weights = GIVEN
    spoilt = (
        (starts.at[1].set(jnp.nan), rates, weights),
        (starts, rates.at[1].set(jnp.nan), weights),
        # No equation of this kind is the limit of batches whose examples count differently.
        (starts, rates, weights.at[1, 0].set(2.0)),
    )
    for bad in spoilt:
        other = rows(*bad)
        expected = [Status.DONE, Status.SOLVER_FAILED, Status.DONE, Status.DONE]
        assert other.status.tolist() == expected
        for row in (0, 2, 3):
            assert_same_bits(row_of(other, row), row_of(found, row))


@pytest.mark.slow
def test_without_noise_it_is_the_modified_flow_through_a_switch():
    def run(limit, order, **options):
        flow = make_flow(PROBLEM, SGD, SAVES, keep_params=True, limit=limit, order=order, **options)
        settings = {"learning_rate": jnp.asarray(RATE), "switch_time": jnp.asarray(SWITCH_TIME)}
        return jit(flow)(START, settings, DATA, streams(0))

    # A batch of the whole set, without replacement, has the factor c = 0.
    still = run("sde", Order("without-replacement", COUNT))
    tight = {"order": Order("fixed", None), "rtol": 1e-11, "atol": 1e-13}
    modified = run("modified", **tight)
    # Fourth order: a fifth derivative of order one, over 120, at steps of the rate.
    np.testing.assert_allclose(still.params, modified.params, rtol=0, atol=RATE**4 / 10)
    # A limit that starts anew at the switch goes there in pieces, and never looks beyond it.
    anew = run(LIMITS["modified"]._replace(restarts=True), **tight)
    np.testing.assert_allclose(anew.params, modified.params, rtol=0, atol=1e-10)
    assert anew.work["rejected"] <= modified.work["rejected"] + 1


PATHS = 4096


@pytest.mark.slow
def test_the_mean_attention_of_many_paths_is_that_of_training():
    """On the orthogonal task of five segments and three classes, one example a step."""
    task = orthogonal(classes=3, segments=5, train=6, test=1, validation=0)
    data = task.make(0)["train"]
    own = Splits(data, {"train": data})
    full = attention_problem(task, linear(3, start="normal"), "soft", precision="float64")
    problem = full._replace(
        measure=lambda *given: {"alpha": full.measure(*given)["attention_foreground"]}
    )
    settings = hyper(learning_rate=0.1)
    # Far from zero, and with a focus along the weights of classes (they are the same numbers),
    # attention bends strongly: noise then moves its mean.
    start = jax.tree.map(
        lambda leaf: jnp.asarray(4 * np.random.default_rng(0).normal(size=leaf.shape)),
        problem.init(streams(0).init, settings),
    )
    saves, order = (0, 16, 32), Order("with-replacement", 1)

    def alpha(run, seeds):

        def one(seed):
            return run(start, settings, own, streams(seed))

        found = jax.jit(jax.vmap(one))(seeds)
        assert np.all(found.status == Status.DONE)
        return np.asarray(found.measures["alpha"])[:, 1:, 0]

    seeds = jnp.arange(PATHS)
    trained = alpha(make_train(problem, SGD, saves, order), seeds)
    noisy = alpha(make_flow(problem, SGD, saves, limit="sde", order=order), seeds)
    (still,) = alpha(make_flow(problem, SGD, saves, limit="modified"), seeds[:1])
    # Two saves, each by chance beyond 4 standard errors once in 16,000 draws.
    scatter = trained.var(axis=0) / PATHS
    both = np.sqrt(scatter + noisy.var(axis=0) / PATHS)
    assert np.all(np.abs(trained.mean(axis=0) - noisy.mean(axis=0)) < 4 * both)
    # The scatter too: the relative standard error of each is sqrt(2 / PATHS) for a normal law,
    # below 3 % together; the equation's own error is of the order of the rate.
    np.testing.assert_allclose(noisy.std(axis=0), trained.std(axis=0), rtol=0.1)
    # Without the noise the mean is another one.
    assert abs(trained.mean(axis=0) - still)[-1] > 8 * np.sqrt(scatter[-1])
