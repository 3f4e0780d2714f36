import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    CLASSES,
    EPS,
    PRECISION,
    bags,
    distance,
    hyper,
    jit,
    splits,
    task_of,
)

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training.legs import make_legs
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

SAVES = (0, 1, 4, 7, 8, 12, 20)
EVERY = 2
OPTIMISER = as_optimiser("adam", "cosine")
ORDER = Order("shuffled-per-seed", 4)
DATA = splits(bags(np.random.default_rng(2)))
PROBLEM = attention_problem(
    task_of(DATA.learn.examples), linear(CLASSES, start="normal"), "hybrid", precision=PRECISION
)._replace(measure=lambda *_: {})
START = jit(PROBLEM.init)(streams(3).init, hyper())
# Adam at its switch starts afresh in the third leg, at step 9 of a clock that slows down.
GIVEN = hyper(switch_time=0.75, beta1=0.9, beta2=0.99, epsilon=1e-3), DATA, streams(1)
# Twenty steps of Adam as in test_descent: the same arithmetic in another compiled program.
TOLERANCE = 1e5 * EPS


def batch_metrics(params, batch, hyper, time):
    return {"time": hyper["alpha"] * time}


def joined(legs):
    """What all legs saved, end to end; the times of all saves; the parts."""
    leg = jit(chex.assert_max_traces(legs.leg, n=1))
    carry, times = jit(legs.begin)(START, *GIVEN)
    parts, saved = [], []
    for span in legs.spans:
        carry, part = leg(carry, span, *GIVEN)
        made = int(span.length)
        np.testing.assert_array_equal(part.measures["objective"][made:], np.nan)
        one = (part.step, part.time, part.measures, part.batch_metrics)
        saved.append(jax.tree.map(lambda leaf, made=made: np.asarray(leaf)[:made], one))
        parts.append(part)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *saved), times, parts


def test_legs_end_to_end_are_the_whole_run_and_all_are_one_program():
    whole = jit(make_train(PROBLEM, OPTIMISER, SAVES, ORDER, "last", batch_metrics))(START, *GIVEN)
    legs = make_legs(PROBLEM, OPTIMISER, SAVES, ORDER, EVERY, "last", batch_metrics)
    (step, time, measures, metrics), times, parts = joined(legs)
    np.testing.assert_array_equal(step, SAVES)
    chex.assert_trees_all_close((time, times), (whole.time, whole.time), rtol=20 * EPS)
    assert measures.keys() == whole.measures.keys()
    assert metrics.keys() == whole.batch_metrics.keys() == {"time"}
    chex.assert_trees_all_close(
        (measures, metrics, parts[-1].params),
        (whole.measures, whole.batch_metrics, whole.params),
        rtol=0,
        atol=TOLERANCE,
    )
    assert distance(whole.params, START) > 0.1
    end = parts[-1]
    assert (end.status, end.work) == (whole.status, whole.work) == (Status.DONE, end.work)
    np.testing.assert_allclose(end.time_reached, whole.time_reached, rtol=20 * EPS)
    # Every leg ends as a run would that ends there.
    edges = [SAVES[EVERY], SAVES[2 * EVERY], SAVES[-1]]
    assert [int(part.work["steps"]) for part in parts] == edges
    reached = [part.time_reached for part in parts]
    np.testing.assert_array_equal(reached, np.asarray(times)[[EVERY, 2 * EVERY, -1]])


@pytest.mark.parametrize(
    ("every", "lengths"),
    [(1, [2, 1, 1, 1, 1, 1]), (4, [5, 2]), (5, [6, 1]), (6, [7]), (100, [7])],
)
def test_an_edge_comes_after_so_many_saves_and_the_first_leg_holds_step_0_too(every, lengths):
    spans = make_legs(PROBLEM, OPTIMISER, SAVES, ORDER, every).spans
    assert [int(span.length) for span in spans] == lengths
    made = [(span.starts[:n], span.ends[:n]) for span, n in zip(spans, lengths, strict=True)]
    starts, ends = (np.concatenate(steps) for steps in zip(*made, strict=True))
    np.testing.assert_array_equal(ends, SAVES)
    np.testing.assert_array_equal(starts, (0, *SAVES[:-1]))
    assert len({span.ends.shape for span in spans}) == 1


def test_an_edge_every_no_saves_is_refused():
    with pytest.raises(InputError, match=r"got an edge every 0 saves, expected at least 1"):
        make_legs(PROBLEM, OPTIMISER, SAVES, ORDER, 0)


@pytest.mark.slow
def test_the_last_parameters_alone_are_the_last_of_those_of_every_save():
    saves = (0, 2, 3)
    given = hyper(beta1=0.9, beta2=0.99, epsilon=1e-3), DATA, streams(1)
    plain = attention_problem(
        task_of(DATA.learn.examples), linear(CLASSES, start="normal"), "soft", precision=PRECISION
    )._replace(measure=lambda *_: {})
    makers = [lambda keep: make_train(plain, OPTIMISER, saves, ORDER, keep)]
    if PRECISION == "float64":
        makers.append(lambda keep: make_flow(plain, OPTIMISER, saves, keep, rtol=1e-3, atol=1e-3))
    for make in makers:
        every, last = (jit(make(keep))(START, *given) for keep in (True, "last"))
        expected = jax.tree.map(lambda leaf: leaf[-1], every.params)
        chex.assert_trees_all_close(last.params, expected, rtol=0, atol=TOLERANCE)
        assert float(jnp.max(jnp.abs(last.params["focus"]["Dense_0"]["kernel"]))) > 0
