"""The objective that training finds on the way: the loss of the whole set that is measured."""

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
    task_of,
)

from jaxattn.core.contracts import Data, Example, Splits
from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training import judge as module
from jaxattn.training.judge import judge_of
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

LEARN, MEASURED = (bags(np.random.default_rng(seed), count) for seed, count in ((2, 10), (3, 9)))
# Some count twice, one does not count.
MEASURED = MEASURED._replace(weight=np.array([1, 2, 1, 0, 1, 1, 2, 1, 1], PRECISION))
MODEL = linear(CLASSES, start="normal")
SAVES = (0, 1, 4, 6)
SHAPE = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, LEARN))


def nothing(params, batch, hyper):
    return {}


def problem_of(name):
    made = attention_problem(task_of(LEARN), MODEL, name, precision=PRECISION)
    return made._replace(measure=nothing)


def of_size(count: int) -> Example:
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape[1:]), leaf.dtype), SHAPE
    )


@pytest.mark.parametrize(("paradigm", "batch", "turns"), [("soft", 4, 3), ("hybrid", 9, 1)])
def test_the_objective_found_on_the_way_is_that_of_the_whole_set(paradigm, batch, turns):
    problem, order = problem_of(paradigm), Order("fixed", batch)
    data = Splits(Data(LEARN), {"train": Data(MEASURED)})
    train = make_train(problem, as_optimiser("sgd"), SAVES, order, True)
    start = problem.init(streams(3).init, hyper())
    run = jit(train)(start, hyper(switch_time=0.25), data, streams(3))
    judge = judge_of(problem, of_size(batch), Data(MEASURED), ())
    assert judge.turns == turns

    def directly(params, time):
        def loss(params):
            return problem.loss(params, MEASURED, hyper(switch_time=0.25), time, None, ())[0]

        value, slope = jax.value_and_grad(loss)(params)
        parts = [jax.tree.leaves(slope[name]) for name in sorted(slope)]
        norms = [jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in part)) for part in parts if part]
        return {"objective": value, "gradient_norm": jnp.stack(norms)}

    expected = jit(jax.vmap(directly))(run.params, run.time)
    # Sums of nine terms of order one in another order, then a root of sums of tens.
    assert distance(run.measures, expected) <= 1000 * EPS


def test_what_is_measured_moves_no_parameter():
    problem, order = problem_of("hard"), Order("fixed", 4)
    start = problem.init(streams(3).init, hyper())

    def last(measured):
        data = Splits(Data(LEARN), {"train": Data(measured)})
        train = make_train(problem, as_optimiser("momentum"), SAVES, order, "last")
        return jit(train)(start, hyper(momentum=0.9), data, streams(3)).params

    one = jax.tree.map(lambda leaf: leaf[:1], MEASURED)
    # Other programs, which may round in another order: six steps, each a few dozen roundings.
    assert distance(last(MEASURED), last(one)) <= 1000 * EPS


@pytest.mark.parametrize(
    "why", ["drawn", "not a mean", "a state", "too many turns", "another type", "not measured"]
)
def test_what_minibatches_cannot_go_through_is_measured_by_itself(why):
    problem, state, drawn, measured = problem_of("soft"), (), of_size(4), Data(MEASURED)
    assert judge_of(problem, drawn, measured, state) is not None
    match why:
        case "drawn":
            problem = problem._replace(stochastic=True)
        case "not a mean":
            problem = problem._replace(separable=False)
        case "a state":
            state = (jnp.zeros(2),)
        case "too many turns":
            drawn = of_size(1)
            assert module._MOST_TURNS < 9
        case "another type":
            drawn = drawn._replace(label=jax.ShapeDtypeStruct((4,), jnp.float32))
        case "not measured":
            measured = None
    assert judge_of(problem, drawn, measured, state) is None
