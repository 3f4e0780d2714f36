"""The equations of minibatch descent on a network, against the steps of all its batches."""

from itertools import combinations, permutations, product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, bags, hyper, jit, splits, task_of
from jax.flatten_util import ravel_pytree

from jaxattn.core.contracts import InputError
from jaxattn.core.streams import streams
from jaxattn.flow import LIMITS, limit_for, make_flow
from jaxattn.flow.run_context import run_context
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

COUNT, RATE, FOCUS_RATE = 6, 0.3, 2.5
SGD = as_optimiser("sgd")
ZERO = jnp.zeros(())


@pytest.fixture(scope="module")
def batch():
    return bags(np.random.default_rng(4), COUNT)


@pytest.fixture(scope="module")
def problem(batch):
    model = linear(CLASSES, start="normal")
    return attention_problem(task_of(batch), model, "soft", precision="float64")


@pytest.fixture(scope="module")
def start(problem):
    # Away from the start, where the gradient of the focus model vanishes.
    return jax.tree.map(lambda leaf: leaf + 0.5, problem.init(streams(0).init, hyper()))


@pytest.fixture(scope="module")
def settings():
    return hyper(learning_rate=RATE, focus_rate=FOCUS_RATE)


@pytest.fixture(scope="module")
def step(problem, batch, start, settings):
    """``step(flat, weights) -> flat``: the field of one batch, with its derivative along itself."""
    _, unravel = ravel_pytree(start)
    faster = {
        part: jax.tree.map(
            lambda leaf, part=part: jnp.full_like(leaf, FOCUS_RATE if part == "focus" else 1.0),
            leaves,
        )
        for part, leaves in start.items()
    }
    speed, _ = ravel_pytree(faster)

    def field(flat, weights):
        drawn = batch._replace(weight=weights)
        gradient = jax.grad(lambda p: problem.loss(p, drawn, settings, ZERO, None, ())[0])
        return -speed * ravel_pytree(gradient(unravel(flat)))[0]

    @jit
    @jax.vmap
    def both(weights):
        flat, _ = ravel_pytree(start)
        first = field(flat, weights)
        return jax.jvp(lambda flat: field(flat, weights), (flat,), (first,))

    return both


def weights_of(batches):
    table = np.zeros((len(batches), COUNT))
    for row, batch in enumerate(batches):
        np.add.at(table[row], list(batch), 1.0)
    return table


@pytest.mark.parametrize(
    ("kind", "size"),
    [("with-replacement", 2), ("without-replacement", 4)],
)
def test_the_noise_has_the_covariance_of_the_steps_of_all_batches(
    problem, batch, start, settings, step, kind, size
):
    context = run_context(problem, SGD, settings, batch, (), Order(kind, size))
    equation = LIMITS["sde"].equation(context, start, ZERO)
    assert equation.draws == COUNT

    @jit
    @jax.vmap
    def kick(dw):
        return ravel_pytree(equation.noise(ZERO, start, dw))[0]

    root = np.asarray(kick(jnp.eye(COUNT)))
    draws = product(range(COUNT), repeat=size)
    drawn = list(draws) if kind == "with-replacement" else list(combinations(range(COUNT), size))
    fields, _ = step(weights_of(drawn))
    # A step moves by eta times its field, and takes the time eta.
    expected = RATE * np.cov(np.asarray(fields).T, bias=True)
    np.testing.assert_allclose(root.T @ root, expected, rtol=0, atol=1e4 * EPS)
    assert np.abs(expected).max() > 0.01


@pytest.mark.parametrize("size", [2, 3])
def test_the_reshuffling_flow_has_the_mean_bend_of_the_batches_of_all_epochs(
    problem, batch, start, settings, step, size
):
    context = run_context(problem, SGD, settings, batch, (), Order("shuffled", size))
    equation = LIMITS["reshuffling"].equation(context, start, ZERO)
    found = jit(lambda params: ravel_pytree(equation.field(ZERO, params))[0])(start)
    epochs = {
        tuple(sorted(tuple(sorted(order[at : at + size])) for at in range(0, COUNT, size)))
        for order in permutations(range(COUNT))
    }
    drawn = [batch for epoch in sorted(epochs) for batch in epoch]
    fields, bends = step(weights_of(drawn))
    expected = np.mean(fields, axis=0) - RATE / 2 * np.mean(bends, axis=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e4 * EPS)
    # The bend of the whole set is another one.
    (whole,), (bend,) = step(np.ones((1, COUNT)))
    assert np.abs(expected - (whole - RATE / 2 * bend)).max() > 0.01


BOTH = "with-replacement or without-replacement"
SHUFFLED = "shuffled or shuffled-per-seed"


@pytest.mark.parametrize(
    ("limit", "order", "said"),
    [
        ("sde", Order("shuffled", 2), f"sde: got the order 'shuffled', expected {BOTH}; "
         f"reshuffling is of {SHUFFLED}."),
        ("sde", Order("fixed", 2), f"sde: got the order 'fixed', expected {BOTH}; "
         f"reshuffling is of {SHUFFLED}."),
        ("reshuffling", Order("fixed", 2), "reshuffling: got the order 'fixed', expected "
         f"{SHUFFLED}; sde is of {BOTH}."),
        ("sde", Order("with-replacement", None), "sde: got full batches, expected minibatches in "
         f"the order {BOTH}; full batches make no noise, and their limit is modified."),
    ],
)  # fmt: skip
def test_an_order_of_batches_that_a_limit_does_not_describe_is_refused(problem, limit, order, said):
    for ask in (
        lambda: limit_for(limit, SGD, order),
        lambda: make_flow(problem, SGD, (0, 1), limit=limit, order=order),
    ):
        with pytest.raises(InputError) as refused:
            ask()
        assert str(refused.value) == said


@pytest.mark.parametrize("name", ["adam", "rmsprop", "normalised"])
def test_limits_of_scaled_steps_are_of_full_batches_alone(problem, name):
    with pytest.raises(InputError, match=f"{name}: got minibatches of 2, expected full batches"):
        make_flow(problem, as_optimiser(name), (0, 1), limit=name, order=Order("shuffled", 2))
    assert limit_for(name, as_optimiser(name), Order("shuffled", None)).name == name


def test_clipped_gradients_and_unequal_batches_are_refused(problem, batch, start, settings):
    def ask(limit, order, settings):
        flow = make_flow(problem, SGD, (0, 1), limit=limit, order=order)
        with pytest.raises(InputError) as refused:
            flow(start, settings, splits(batch), streams(0))
        return str(refused.value)

    clipped = {**settings, "clip_norm": jnp.asarray(1.0)}
    for limit, order in (("sde", "with-replacement"), ("reshuffling", "shuffled")):
        assert ask(limit, Order(order, 2), clipped) == (
            f"{limit}: got clip_norm, expected gradients that are not clipped; leave clip_norm "
            "out, or take flow, which clips."
        )
    assert ask("reshuffling", Order("shuffled", 4), settings) == (
        "reshuffling: got a batch size of 4 for 6 examples, expected one that divides them; a "
        "smaller last batch makes the sum of an epoch's steps random."
    )
