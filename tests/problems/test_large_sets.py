import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, FEATURES, PRECISION, SEGMENTS, bags, distance, hyper, jit, task_of

from jaxattn.core.contracts import Data, Splits
from jaxattn.core.pixels import Pixels
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems import large_sets
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import everything
from jaxattn.problems.large_sets import filled, piece_rows
from jaxattn.problems.microbatch import gradient_in_pieces
from jaxattn.problems.minibatches import Order
from jaxattn.problems.own_measures import read_measures, with_measures
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

COUNT, ROWS = 11, 7
BYTES = SEGMENTS * FEATURES * np.dtype(PRECISION).itemsize
"""Of one example."""
BATCH = bags(np.random.default_rng(6), COUNT)
MODEL = linear(CLASSES, bias=True, start="uniform")


@pytest.fixture
def data():
    """Eleven bags of seven images; the first does not count, the last has no foreground."""
    rng = np.random.default_rng(7)
    foreground = np.array(BATCH.foreground)
    foreground[-1] = False
    examples = BATCH._replace(
        segments=rng.integers(0, ROWS, (COUNT, SEGMENTS)).astype(np.int32),
        weight=np.arange(COUNT).astype(PRECISION),
        foreground=foreground,
    )
    return Data(examples, Pixels(rng.integers(0, 256, (ROWS, FEATURES)).astype(np.uint8)))


@pytest.fixture
def large(monkeypatch):
    """Any set with a pool is too large, and a piece is four examples."""
    monkeypatch.setattr(large_sets, "MOST", 4 * BYTES)
    monkeypatch.setattr(large_sets, "AT_ONCE", 4 * BYTES)


def problem_of(paradigm="soft"):
    # One of its own for each test: what is traced of it has read the sizes above.
    return attention_problem(task_of(BATCH), MODEL, paradigm, precision=PRECISION)


def test_a_set_is_filled_in_where_it_is_small_or_holds_its_values(data, monkeypatch):
    whole = everything(data, PRECISION)
    for most, is_whole in ((COUNT * BYTES, True), (COUNT * BYTES - 1, False)):
        monkeypatch.setattr(large_sets, "MOST", most)
        assert (filled(data, PRECISION) is data) != is_whole
    values = Data(whole, None)
    assert distance(filled(values, PRECISION).segments, whole.segments) == 0


@pytest.mark.parametrize(("usual", "piece"), [(None, 4), (3, 3), (40, 4), (1, 1)])
def test_a_piece_is_what_a_model_takes_or_what_fits(data, large, usual, piece):
    assert piece_rows(data, PRECISION, usual) == piece


def test_one_example_is_taken_however_large_it_is(data, monkeypatch):
    monkeypatch.setattr(large_sets, "AT_ONCE", 1)
    assert piece_rows(data, PRECISION, None) == 1


def test_a_large_set_measures_as_it_would_filled_in_and_never_is(data, large):
    problem = problem_of()
    params = problem.init(streams(1).init, hyper())

    def measured(params, data, read):
        return problem.measure(params, read(data, PRECISION), hyper())

    expected = jit(measured, static_argnums=2)(params, data, everything)
    found = jit(measured, static_argnums=2)(params, data, filled)
    assert found.keys() == expected.keys()
    for name, one in found.items():
        # Percentages at most, each a few hundred operations.
        np.testing.assert_allclose(one, expected[name], rtol=1e3 * EPS, atol=1e3 * EPS)
    whole = f"[{COUNT},{SEGMENTS},{FEATURES}]"
    for read, is_there in ((everything, True), (filled, False)):
        traced = jax.make_jaxpr(measured, static_argnums=2)(params, data, read)
        assert (whole in str(traced)) == is_there


@pytest.mark.parametrize("name", ["soft", "lvml"])
def test_the_gradient_of_a_large_set_is_that_of_it_filled_in(data, large, name):
    problem = problem_of(name)
    params = problem.init(streams(1).init, hyper())

    def slope(params, data, read):
        batch = read(data, PRECISION)
        return gradient_in_pieces(problem)(params, batch, hyper(), jnp.zeros(()), None, ())[:2]

    found, expected = (
        jit(slope, static_argnums=2)(params, data, read) for read in (filled, everything)
    )
    # Sums of eleven terms of order one in another order.
    assert distance(found, expected) <= 100 * EPS


def test_a_loss_that_draws_takes_a_large_set_whole(data, large):
    problem = problem_of()._replace(stochastic=True)
    params = problem.init(streams(1).init, hyper())
    given = (hyper(), jnp.zeros(()), streams(1).sample, ())
    slope = gradient_in_pieces(problem)
    found, expected = (
        slope(params, read(data, PRECISION), *given)[:2] for read in (filled, everything)
    )
    assert distance(found, expected) == 0


def test_training_measures_a_large_set_as_it_would_filled_in(data, monkeypatch):
    small = Data(jax.tree.map(lambda leaf: leaf[:3], data.examples), data.pool)
    splits = Splits(data, {"train": data, "test": small})

    def trained(problem):
        # Eight turns at most of so small a minibatch: what is measured is judged apart.
        order = Order("fixed", 1)
        train = make_train(problem, as_optimiser("sgd"), (0, 5), order)
        return jit(train)(
            problem.init(streams(1).init, hyper()), hyper(learning_rate=0.1), splits, streams(1)
        ).measures

    own = read_measures({"total": lambda params, batch, hyper: jnp.sum(batch.segments)})
    problem = with_measures(problem_of(), own)
    expected = trained(problem)
    for name in ("MOST", "AT_ONCE"):
        monkeypatch.setattr(large_sets, name, 4 * BYTES)
    found = trained(with_measures(problem_of("soft")._replace(name="again"), own))
    assert "total" in found
    for name, one in found.items():
        np.testing.assert_allclose(one, expected[name], rtol=1e4 * EPS, atol=1e4 * EPS)
