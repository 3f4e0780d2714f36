"""A minibatch read ahead teaches what its examples teach one at a time."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    CLASSES,
    EPS,
    EXACT,
    FEATURES,
    PRECISION,
    SEGMENTS,
    bags,
    distance,
    hyper,
    jit,
    task_of,
)

from jaxattn.core.contracts import InputError, Model
from jaxattn.models import linear, mlp
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.paradigms import hard

TASK = task_of(bags(np.random.default_rng(1), 3))
MODELS = {
    "linear": linear(CLASSES, bias=True, start="normal"),
    "mlp": mlp(CLASSES, width=8, depth=2),
}
# Losses are below 10, gradients below 100, each number a sum of some hundred terms.
TOLERANCE = 2000 * EPS


def part_of_bags():
    """Bags of unequal lengths and weights, the last of which counts nothing."""
    rng = np.random.default_rng(2)
    batch = bags(rng)
    mask = rng.random(batch.mask.shape) < 0.7
    mask[:, 0] = True
    weight = np.linspace(1, 0, len(mask)).astype(PRECISION)
    return batch._replace(mask=mask, weight=weight, foreground=batch.foreground & mask)


def derivatives(problem, params, batch):
    """The loss, its gradient, and its Hessian times a direction."""
    direction = jax.tree.map(jnp.cos, params)

    def loss(params):
        time = jnp.asarray(0.5, PRECISION)
        return problem.loss(params, batch, hyper(), time, None, problem.state(params))[0]

    slope, bend = jax.jvp(jax.grad(loss), (params,), (direction,))
    return loss(params), slope, bend


@pytest.mark.parametrize("name", MODELS)
def test_reading_ahead_changes_no_loss_gradient_or_hessian(name):
    ahead, batch = MODELS[name], part_of_bags()
    alone = ahead._replace(many=None)

    def of_all(model, params):
        problems = [attention_problem(TASK, model, key, "softmax", PRECISION) for key in EXACT]
        return [derivatives(problem, params, batch) for problem in problems]

    init = attention_problem(TASK, ahead, "hard", "softmax", PRECISION).init
    params = jax.tree.map(lambda leaf: leaf + 0.1, init(jax.random.key(3), hyper()))
    one, two = (jit(partial(of_all, model))(params) for model in (alone, ahead))
    assert distance(one, two) < TOLERANCE


@pytest.mark.parametrize("name", MODELS)
def test_a_row_has_the_same_bits_whatever_its_place_in_a_tile_and_its_neighbours(name):
    model, batch, rows = MODELS[name], part_of_bags(), 6
    problem = attention_problem(TASK, model, "lvml", "softmax", PRECISION)
    params = jax.vmap(lambda key: problem.init(key, hyper()))(
        jax.random.split(jax.random.key(0), rows)
    )
    gradients = jit(jax.vmap(lambda params: derivatives(problem, params, batch)[1]))

    def at(order):
        return jax.tree.map(np.asarray, gradients(jax.tree.map(lambda leaf: leaf[order], params)))

    here, there = at(np.arange(rows)), at(np.roll(np.arange(rows), 1))
    moved = jax.tree.map(lambda leaf: np.roll(leaf, -1, axis=0), there)
    others = at(np.asarray([0, 5, 5, 5, 5, 5]))
    assert distance(here, moved) == 0
    assert distance(*(jax.tree.map(lambda leaf: leaf[0], each) for each in (here, others))) == 0


def test_a_loss_that_hands_on_other_values_reads_those():
    def doubled(log_attention, values, read, label, context):
        return hard.loss(log_attention, 2 * values, read, label, context)

    batch, mine = part_of_bags(), hard._replace(name="doubled", loss=doubled)
    models = MODELS["linear"], MODELS["linear"]._replace(many=None)
    problems = [attention_problem(TASK, model, mine, "softmax", PRECISION) for model in models]
    params = problems[0].init(jax.random.key(3), hyper())
    losses = [derivatives(problem, params, batch)[0] for problem in problems]
    assert distance(*losses) < TOLERANCE


MINE = Model(
    init=lambda key, example, hyper: {
        "focus": jnp.zeros(FEATURES),
        "classify": jnp.zeros((FEATURES, CLASSES)),
    },
    represent=lambda params, example, key: example.segments,
    score=lambda params, example, values: values @ params["focus"],
    classify=lambda params, value: value @ params["classify"],
)


def many(params, examples, values):
    logits = jnp.einsum("esi,ic->ces", values, params["classify"])
    return values @ params["focus"], logits


def stated(read):
    # As a person gets it: without the check of argument types that tests have on top.
    make = inspect.unwrap(attention_problem)
    return make(TASK, MINE._replace(many=read), "hard", precision=PRECISION)


def test_a_model_of_ones_own_may_read_many():
    stated(many).verify()


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda *given: many(*given)[0], "expected a pair (scores (2, "),
        (lambda *given: (many(*given)[0], many(*given)[1][0]), "expected logits, floats of shape"),
        (lambda *given: (many(*given)[0].T, many(*given)[1]), "expected scores, floats of shape"),
    ],
)
def test_many_of_other_shapes_is_refused(read, words):
    with pytest.raises(InputError, match=r"model\.many: got ") as refused:
        stated(read)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda scores, logits: (scores + 0.01, logits), "scores that differ by 0.01"),
        (lambda scores, logits: (scores, logits[::-1]), "logits that differ by "),
    ],
)
def test_many_that_reads_otherwise_than_one_is_refused(change, what):
    assert SEGMENTS > 1
    problem = stated(lambda *given: change(*many(*given)))
    with pytest.raises(InputError, match=what):
        problem.verify()
