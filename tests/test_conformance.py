"""What holds for every paradigm with every model in every precision."""

from functools import lru_cache, partial
from itertools import cycle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    CLASSES,
    EXACT,
    PRECISION,
    PRECISIONS,
    all_finite,
    bags,
    distance,
    hyper,
    jit,
    splits,
    task_of,
)

from jaxattn.core.streams import streams
from jaxattn.models import MODELS, linear, mlp
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

SMALL = {"linear": linear(CLASSES, start="normal"), "mlp": mlp(CLASSES, width=4)}


class Case:
    def __init__(self, paradigm, model, precision):
        batch = bags(np.random.default_rng(5), 6)
        self.precision = precision
        self.eps = float(jnp.finfo(precision).eps)
        self.batch = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, precision) if leaf.dtype.kind == "f" else leaf, batch
        )
        self.task = task_of(batch)
        self.problem = attention_problem(self.task, SMALL[model], paradigm, precision=precision)
        self.params = jit(self.problem.init)(streams(0).init, hyper(precision))
        self.traces = 0

        def counted(*arguments):
            self.traces += 1
            return self.problem.loss(*arguments)

        self.slope = jit(jax.value_and_grad(counted, has_aux=True))

    def arguments(self, params=None, time=0.0, scale=1.0, **hypers):
        batch = self.batch._replace(segments=scale * self.batch.segments)
        settings = hyper(self.precision, **hypers)
        time = jnp.asarray(time, self.precision)
        return self.params if params is None else params, batch, settings, time, None, ()


# All tests of a case share one compilation and its count of traces.
@pytest.fixture(scope="module", params=EXACT)
def paradigm(request):
    return request.param


@pytest.fixture(scope="module", params=SMALL)
def model(request):
    return request.param


@lru_cache
def case_of(paradigm, model, precision):
    return Case(paradigm, model, precision)


@pytest.fixture(scope="module", params=PRECISIONS)
def case(request, paradigm, model):
    return case_of(paradigm, model, request.param)


@pytest.fixture(scope="module")
def widest(paradigm, model):
    """The case of the most precise type there is."""
    return case_of(paradigm, model, PRECISION)


def test_every_model_by_name_is_held_to_conformance():
    # Those of images and of words are in tests/models/test_cnn.py and test_text.py.
    others = ("cnn-", "text")
    assert SMALL.keys() == {name for name in MODELS if not name.startswith(others)}


def test_compiled_is_eager(case):
    (loss, _), gradient = case.slope(*case.arguments())
    (expected, _), slope = jax.value_and_grad(case.problem.loss, has_aux=True)(*case.arguments())
    # Losses and gradients of order one; a few hundred operations, in another order.
    np.testing.assert_allclose(loss, expected, rtol=300 * case.eps)
    assert distance(gradient, slope) <= 300 * case.eps


@pytest.mark.parametrize("model", SMALL)
def test_em_has_the_gradient_of_lvml_on_every_model(model):
    em, lvml = (case_of(name, model, PRECISION) for name in ("em", "lvml"))
    for scale in (1.0, 3.0):
        (loss, _), gradient = em.slope(*em.arguments(scale=scale))
        (other, _), slope = lvml.slope(*em.arguments(scale=scale))
        # Gradients of order one; a few hundred operations, in another order.
        assert distance(gradient, slope) <= 300 * em.eps
        assert loss > other


def test_it_is_traced_once_and_other_values_compile_nothing_new(case):
    doubled = jax.tree.map(lambda leaf: 2 * leaf, case.params)
    case.slope(*case.arguments())
    for arguments in (
        case.arguments(temperature=2.0),
        case.arguments(time=5.0, switch_time=3.0),
        case.arguments(params=doubled),
        case.arguments(scale=0.5),
    ):
        case.slope(*arguments)
    assert case.traces == 1


def test_a_gradient_reaches_both_parts_and_lowers_the_loss(case):
    (loss, _), gradient = case.slope(*case.arguments())
    for part in ("focus", "classify"):
        assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient[part])), part
    assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(case.precision)}
    lower = jax.tree.map(lambda leaf, slope: leaf - 0.01 * slope, case.params, gradient)
    assert case.slope(*case.arguments(params=lower))[0][0] < loss


@pytest.mark.parametrize("reach", [1e4, 1e30])
def test_extreme_scores_and_logits_are_finite_and_so_are_their_gradients(case, reach):
    # Inputs and the weights of each layer multiply up to `reach`, which float32 can hold.
    layers = len(case.params["classify"])
    size = reach ** (1 / (1 + layers))
    for sign in (1, -1):
        huge = jax.tree.map(lambda leaf, sign=sign: sign * size * leaf, case.params)
        for time in (0.0, 5.0):
            for scale in (1.0, size):
                found = case.slope(*case.arguments(params=huge, time=time, scale=scale))
                assert all_finite(found), (sign, time, scale)


def test_rows_of_a_tile_are_what_they_are_alone(widest):
    arguments = widest.arguments(time=0.5)
    settings = arguments[2]
    rows = [settings | {"switch_time": 0 * settings["alpha"]}, settings]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    params = jax.tree.map(lambda leaf: jnp.stack([leaf, -leaf]), widest.params)

    def slope(params, settings):
        return jax.value_and_grad(widest.problem.loss, has_aux=True)(
            params, arguments[1], settings, *arguments[3:]
        )

    tile = jit(jax.vmap(slope))(params, stacked)
    for at, row in enumerate(rows):
        params = jax.tree.map(lambda leaf, at=at: (1 - 2 * at) * leaf, widest.params)
        alone = widest.slope(params, arguments[1], row, *arguments[3:])
        assert distance(jax.tree.map(lambda leaf, at=at: leaf[at], tile), alone) <= 300 * widest.eps


@pytest.mark.parametrize(
    ("name", "precision"), list(zip(PARADIGMS, cycle(["float32", PRECISION]), strict=False))
)
def test_a_run_is_traced_once_and_other_seeds_and_rates_compile_nothing_new(name, precision):
    chex.clear_trace_counter()
    batch = bags(np.random.default_rng(6), 6)
    problem = attention_problem(task_of(batch), SMALL["linear"], name, precision=precision)
    problem = problem._replace(measure=lambda *_: {})
    train = make_train(problem, as_optimiser("momentum"), (0, 2, 5), Order("shuffled", 4))
    once = jit(chex.assert_max_traces(train, n=1))  # raises where it is traced again
    settings = partial(hyper, precision, momentum=0.5)
    results = [
        once(problem.init(streams(seed).init, settings()), given, splits(batch), streams(seed))
        for seed, given in (
            (0, settings()),
            (1, settings(learning_rate=0.01)),
            (2, settings(temperature=3.0, switch_time=0.1)),
        )
    ]
    assert all(all_finite(result) for result in results)
    floats = [leaf.dtype for leaf in jax.tree.leaves(results) if leaf.dtype.kind == "f"]
    assert set(floats) == {jnp.dtype(precision)}
