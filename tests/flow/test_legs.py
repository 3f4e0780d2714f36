import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, bags, hyper, jit, splits, task_of
from jax.flatten_util import ravel_pytree

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.streams import streams
from jaxattn.flow import focus_reached, make_flow, make_flow_legs, stable_step, stationary
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
def legs(problem):
    made = make_flow_legs(problem, SGD, SAVES, 2, True, **TOLERANCES, longest=stable_step())
    return made, jit(made.begin), jit(made.leg)


@pytest.fixture(scope="module")
def whole(problem, run):
    return jit(make_flow(problem, SGD, SAVES, True, **TOLERANCES))(*run)


def stored(carry):
    """What was written as bytes, and read."""
    leaves, tree = jax.tree.flatten(carry)
    kept = [(np.asarray(leaf).tobytes(), leaf.dtype, leaf.shape) for leaf in leaves]
    return jax.tree.unflatten(tree, [np.frombuffer(b, d).reshape(s) for b, d, s in kept])


def drive(legs, run, between=lambda carry: carry):
    made, begin, leg = legs
    carry, _ = begin(*run)
    parts = []
    for span in made.spans:
        carry, part = leg(between(carry), span, *run[1:])
        parts.append(part)
    return carry, parts


def joined(made, parts, leaf):
    """The saves of all legs in a row."""
    pieces = [leaf(part)[: span.length] for part, span in zip(parts, made.spans, strict=True)]
    return np.concatenate([np.asarray(one) for one in pieces])


@pytest.mark.slow
@pytest.mark.default_xla
def test_a_flow_resumed_from_bytes_is_the_same_to_the_bit(legs, run):
    gone_on, straight = drive(legs, run)
    resumed, again = drive(legs, run, stored)
    for found, expected in zip(
        jax.tree.leaves((resumed, again)), jax.tree.leaves((gone_on, straight)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_legs_make_the_flow_that_is_solved_in_one_go(legs, run, whole):
    _, parts = drive(legs, run)
    loss = joined(legs[0], parts, lambda part: part.measures["objective"])
    # A few dozen steps, each with an error of RTOL.
    np.testing.assert_allclose(loss, whole.measures["objective"], rtol=100 * RTOL)
    np.testing.assert_array_equal(joined(legs[0], parts, lambda part: part.time), whole.time)
    assert [int(part.status) for part in parts] == [Status.DONE] * len(parts)
    assert parts[-1].work["steps"] >= whole.work["steps"]
    assert np.isnan(parts[-1].measures["objective"][legs[0].spans[-1].length :]).all()


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
    attention = whole.measures["train/attention_foreground"]
    assert attention[1] < attention[-1]
    level = float(0.5 * (attention[1] + attention[-1]))
    made = make_flow(problem, SGD, SAVES, **TOLERANCES, until=focus_reached(level))
    found = jit(made)(*run)
    assert found.status == Status.CONVERGED
    assert attention[whole.time <= found.time_reached].max() <= level
    assert attention[whole.time >= found.time_reached].min() >= level


@pytest.mark.slow
def test_log_time_changes_the_steps_and_not_the_flow(problem, run, whole):
    found = jit(make_flow(problem, SGD, SAVES, **TOLERANCES, unit=1.0))(*run)
    np.testing.assert_allclose(
        found.measures["objective"], whole.measures["objective"], rtol=100 * RTOL
    )
    np.testing.assert_array_equal(found.time, whole.time)
    assert found.work["steps"] != whole.work["steps"]


@pytest.mark.slow
@pytest.mark.default_xla
def test_rows_in_legs_fail_alone(legs, run):
    made, *_ = legs
    starts = jax.tree.map(lambda leaf: jnp.stack([leaf, jnp.nan * leaf]), run[0])
    rows = jax.vmap(made.begin, (0, None, None, None))
    carry, _ = jit(rows)(starts, *run[1:])
    leg = jit(jax.vmap(made.leg, (0, None, None, None, None)))
    for span in made.spans:
        carry, part = leg(carry, span, *run[1:])
    assert part.status.tolist() == [Status.DONE, Status.SOLVER_FAILED]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda p: make_flow_legs(p, SGD, SAVES, 0), "got an edge every 0 saves"),
        (
            lambda p: make_flow_legs(p, SGD, SAVES, 2, limit="modified", longest=stable_step()),
            "modified: got a longest step",
        ),
        (lambda p: stable_step("kvaerno5"), "stable at any length, expected an explicit one"),
        (lambda p: stationary(0.0), "gradient norm of 0, expected one above 0"),
        (lambda p: focus_reached(1.5), "attention of 1.5, expected one in"),
        (lambda p: make_flow(p, SGD, SAVES, rtol=1e-17), "rtol"),
    ],
)
def test_what_cannot_be_is_one_line(problem, ask, said, run):
    with pytest.raises(InputError, match=said) as caught:
        jax.eval_shape(ask(problem), *run)
    assert "\n" not in str(caught.value)
