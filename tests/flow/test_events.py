"""Flows that end before their time, and flows in log time."""

import jax
import numpy as np
import pytest
from helpers import CLASSES, bags, hyper, jit, splits, task_of
from jax.flatten_util import ravel_pytree

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.streams import streams
from jaxattn.flow import focus_reached, make_flow, stationary
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

SGD = as_optimiser("sgd")
SAVES = (0, 10, 20, 40, 70, 100)
RTOL, ATOL = 1e-8, 1e-10
TOLERANCES = {"rtol": RTOL, "atol": ATOL}
GIVEN = hyper(learning_rate=0.5)


@pytest.fixture(scope="module")
def batch():
    return bags(np.random.default_rng(4))


@pytest.fixture(scope="module")
def problem(batch):
    return attention_problem(
        task_of(batch), linear(CLASSES, start="normal"), "soft", precision="float64"
    )


@pytest.fixture(scope="module")
def run(problem, batch):
    start = jit(problem.init)(streams(0).init, GIVEN)
    return start, GIVEN, splits(batch), streams(0)


@pytest.fixture(scope="module")
def whole(problem, run):
    return jit(make_flow(problem, SGD, SAVES, True, **TOLERANCES))(*run)


@pytest.mark.slow
def test_a_flow_ends_where_its_gradient_has_become_small(problem, run, whole):
    norms = np.linalg.norm(whole.measures["gradient_norm"], axis=-1)
    level = float(np.sqrt(norms[2] * norms[3]))
    made = make_flow(problem, SGD, SAVES, "last", **TOLERANCES, until=stationary(level))
    found = jit(made)(*run)
    assert found.status == Status.CONVERGED
    assert whole.time[2] < found.time_reached < whole.time[3]
    np.testing.assert_array_equal(
        np.isnan(found.measures["objective"]), whole.time > found.time_reached
    )
    kept = jax.tree.map(lambda leaf: leaf[2], whole.params)
    np.testing.assert_allclose(
        ravel_pytree(found.params)[0], ravel_pytree(kept)[0], rtol=0, atol=100 * RTOL
    )
    # Solved to that time only, the flow ends at that gradient.
    rate = float(found.time_reached) / SAVES[-1]
    there = jit(make_flow(problem, SGD, SAVES, **TOLERANCES))(
        run[0], hyper(learning_rate=rate), *run[2:]
    )
    np.testing.assert_allclose(
        np.linalg.norm(there.measures["gradient_norm"][-1]), level, rtol=1e4 * RTOL
    )


def test_a_flow_ends_where_attention_has_found_the_foreground(problem, run, whole):
    attention = whole.measures["attention_foreground"][:, 0]
    assert attention[1] < attention[-1]
    level = float(0.5 * (attention[1] + attention[-1]))
    made = make_flow(problem, SGD, SAVES, **TOLERANCES, until=focus_reached(level))
    found = jit(made)(*run)
    assert found.status == Status.CONVERGED
    assert attention[whole.time <= found.time_reached].max() <= level
    assert attention[whole.time >= found.time_reached].min() >= level


@pytest.mark.slow
def test_log_time_changes_the_steps_and_not_the_flow(problem, run, whole):
    found = jit(make_flow(problem, SGD, SAVES, **TOLERANCES, log_time_unit=1.0))(*run)
    np.testing.assert_allclose(
        found.measures["objective"], whole.measures["objective"], rtol=100 * RTOL
    )
    np.testing.assert_array_equal(found.time, whole.time)
    assert found.work["steps"] != whole.work["steps"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda p: stationary(0.0), "gradient norm of 0, expected one above 0"),
        (lambda p: focus_reached(1.5), "attention of 1.5, expected one in"),
        (lambda p: make_flow(p, SGD, SAVES, rtol=1e-17), "rtol"),
    ],
)
def test_what_cannot_be_is_one_line(problem, ask, said, run):
    with pytest.raises(InputError, match=said) as caught:
        jax.eval_shape(ask(problem), *run)
    assert "\n" not in str(caught.value)
