"""Growth along the top eigenvector, of paths on a quadratic that are known exactly."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from example_limits import example_limits
from helpers import CLASSES, bags, hyper, jit, slow_but, splits, task_of
from jax.flatten_util import ravel_pytree

from jaxattn.analysis.edge_growth import growth_between, growths
from jaxattn.analysis.edge_of_stability import growth_in
from jaxattn.analysis.limit_gaps import departure_saves
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.probes.curvature import sharpness
from jaxattn.probes.position import position
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.results.derived import distances_of
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.stability import growth
from jaxattn.training.train import make_train

CURVED = np.asarray([1.0, 0.2])
STEPS = np.arange(0, 61, 3)


def descent(rate: float, momentum: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """How far steps on a quadratic are from its flow at the saves: in all, and along the top."""
    place, trace, far = np.ones(2), np.zeros(2), []
    for step in range(STEPS[-1] + 1):
        time = rate * step / (1 - momentum)
        far.append(place - np.exp(-CURVED * time))
        trace = momentum * trace + CURVED * place
        place = place - rate * trace
    far = np.asarray(far)[STEPS]
    return np.linalg.norm(far, axis=-1), np.abs(far[:, 0])


def between(rate, factor, first, last, momentum=0.0):
    distance, along = descent(rate, momentum)
    return of_one(along, distance, np.full(STEPS.size, factor), STEPS, first, last)


def of_one(*row):
    """The growth of a single row, with an axis of one row."""
    return growth_between(*(np.asarray(values)[None] for values in row))


@pytest.mark.parametrize(("rate", "momentum"), [(2.05, 0.0), (2.2, 0.0), (3.1, 0.5)])
def test_on_a_quadratic_beyond_the_edge_the_distance_grows_as_is_expected(rate, momentum):
    name, hyper = ("momentum", {"momentum": momentum}) if momentum else ("sgd", {})
    factor = float(growth(name, hyper, np.asarray(rate)))
    found = between(rate, factor, 5, 20, momentum)
    assert found.expected == pytest.approx(factor, rel=1e-12)
    # From step 15 on: the flow has fallen to exp(-15 rate), a memory's other root to below half a
    # step, and the other eigenvector is a fifth as curved and stays below its start.
    assert found.factor == pytest.approx(factor, rel=1e-4)
    assert 0.9 < found.share <= 1
    assert found.carries


def test_below_the_edge_nothing_grows_and_errors_of_finite_steps_are_not_taken_for_it():
    found = between(0.5, 0.5, 1, 9)
    assert found.factor < 1
    assert not found.carries


def rising(factor, share=0.9, due=1.2, saves=6):
    """Growth by a factor a step, one step a save, of which `share` is along the eigenvector."""
    along = 1e-3 * factor ** np.arange(saves)
    return of_one(along, along / share, np.full(saves, due), np.arange(saves), 0, saves - 1)


@pytest.mark.parametrize(
    ("factor", "share", "carries"),
    [
        (1.2, 0.9, True),
        (1.2**0.6, 0.9, True),
        (1.2**1.9, 0.9, True),
        (1.2**0.4, 0.9, False),  # less than half of the growth
        (1.2**2.1, 0.9, False),  # something else drives it
        (1 / 1.2, 0.9, False),
        (1.2, 0.75, True),
        (1.2, 0.65, False),  # most of the distance lies across
    ],
)
def test_the_distance_must_lie_along_the_eigenvector_and_grow_as_is_expected(
    factor, share, carries
):
    found = rising(factor, share)
    assert (found.factor[0], found.share[0]) == pytest.approx((factor, share))
    assert bool(found.carries[0]) is carries


def test_growth_is_told_between_the_edge_and_the_departure_and_of_numbers_alone():
    along = np.asarray([[0.0, 1.0, 2.0, 8.0, np.nan]] * 6)
    first, last = np.asarray([0, 1, 2, 3, -1, 0]), np.asarray([3, 3, 2, 4, 3, -1])
    steps = np.asarray([0, 1, 2, 4, 5])
    factor, step = np.full_like(along, 1.5), np.stack([steps] * 6)
    found = growth_between(along, 2 * along, factor, step, first, last)
    # Nothing lies along it at the first save of the first row; the last of the fourth is no number.
    np.testing.assert_allclose(found.factor, [2, 2] + [np.nan] * 4)
    np.testing.assert_allclose(found.share, [0.5, 0.5] + [np.nan] * 4)
    np.testing.assert_allclose(found.expected, [1.5, 1.5] + [np.nan] * 4)
    assert not found.carries.any()


def test_the_factor_expected_of_a_result_is_that_of_its_optimiser_along_training():
    ds = example_limits(sharpest=8.0)
    found = growth_in(ds).sel(learning_rate=0.4, paradigm="soft", seed=0)
    np.testing.assert_allclose(found, abs(1 - 0.4 * (1 + 7 * np.arange(21) / 20)), rtol=1e-6)
    heavy = growth_in(example_limits(sharpest=8.0, optimiser="momentum"))
    product = 0.4 * (1 + 7 * np.arange(21) / 20)
    expected = growth("momentum", {"momentum": 0.5}, product)
    np.testing.assert_allclose(heavy[0, 0, 0], expected, rtol=1e-6)
    assert growth_in(example_limits(optimiser="rmsprop")) is None


def test_a_result_without_eigenvectors_or_an_edge_tells_no_growth():
    ds = example_limits(sharpest=8.0)
    left = departure_saves(ds, "flow")
    assert growths(ds, "flow", left) is None
    along = ds.assign(distance_along_top=ds["distance"])
    assert growths(along, "flow", left) is not None
    assert growths(along.drop_vars("sharpness"), "flow", left) is None
    # Whatever the order of the axes.
    turned = left.transpose("seed", "learning_rate", "paradigm")
    one, other = growths(along, "flow", left), growths(along, "flow", turned)
    for name in one._fields:
        np.testing.assert_array_equal(
            getattr(one, name), getattr(other, name).transpose(2, 1, 0), err_msg=name
        )


@pytest.mark.needs_x64
@pytest.mark.parametrize("rate", slow_but([2.2], [2.2, 0.5]))
def test_training_on_a_quadratic_is_seen_to_leave_its_flow_by_growth_beyond_the_edge_alone(rate):
    batch = bags(np.random.default_rng(0))
    model = linear(CLASSES, start="normal")
    problem = attention_problem(task_of(batch), model, "soft", precision="float64")

    def loss(params, *rest):
        flat, _ = ravel_pytree(params)
        curved = jnp.concatenate([jnp.linspace(0.1, 0.7, flat.size - 1), jnp.ones(1)])
        return jnp.sum(curved * flat**2) / 2, problem.loss(params, *rest)[1]

    bowl = problem._replace(loss=loss, measure=lambda *_: {})
    saves, optimiser, order = tuple(range(0, 31, 3)), as_optimiser("sgd"), Order("fixed", None)
    probes = (position(), sharpness(direction=True))
    train = make_train(bowl, optimiser, saves, order, probes=probes)
    flow = make_flow(bowl, optimiser, saves, probes=probes[:1])
    given = hyper(learning_rate=rate)
    start = jit(bowl.init)(streams(0).init, given)
    data = splits(batch)
    ours, theirs = (jit(run)(start, given, data, streams(0)) for run in (train, flow))
    apart = {
        name: xr.DataArray(values, dims=("save", "coordinate"))
        for name, values in (
            ("at", theirs.measures["position"]),
            ("training", ours.measures["position"]),
            ("top", ours.measures["top_direction"]),
        )
    }
    far = {name: values.values for name, values in distances_of(**apart).items()}
    product = rate * np.asarray(ours.measures["sharpness"])
    np.testing.assert_allclose(product, rate, rtol=1e-9)
    factor = np.asarray(growth("sgd", {}, product))
    found = of_one(far["distance_along_top"], far["distance"], factor, saves, 1, 10)
    assert bool(found.carries[0]) is (rate > 2)
    if rate > 2:
        # The flow has fallen to exp(-3 rate) where growth is first seen.
        assert found.factor[0] == pytest.approx(1.2, rel=1e-3)
