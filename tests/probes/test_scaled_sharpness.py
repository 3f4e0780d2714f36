"""Along training, the sharpness is that of the Hessian as the optimiser's own steps are scaled."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import CLASSES, bags, hyper, jit, splits, task_of
from jax.flatten_util import ravel_pytree

from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.probes.curvature import sharpness
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

pytestmark = pytest.mark.needs_x64

STEPS, EPSILON, DECAYS = 3, 1e-3, (0.9, 0.99)
GIVEN = {"learning_rate": 0.05, "focus_rate": 2.0}


@pytest.fixture(scope="module")
def case():
    batch = bags(np.random.default_rng(4))
    model = linear(CLASSES, start="normal")
    problem = attention_problem(task_of(batch), model, "soft", precision="float64")
    problem = problem._replace(measure=lambda *_: {})
    start = jit(problem.init)(streams(0).init, hyper(**GIVEN))
    flat, unravel = ravel_pytree(start)

    def loss(flat):
        values = hyper(**GIVEN)
        return problem.loss(unravel(flat), batch, values, jnp.zeros(()), None, ())[0]

    rates = {"focus": 2.0, "classify": 1.0, "shared": 1.0}
    scale = ravel_pytree(
        {part: jax.tree.map(lambda leaf, by=rates[part]: 0 * leaf + by, tree)
         for part, tree in start.items()}
    )[0]  # fmt: skip
    return (
        problem,
        batch,
        start,
        flat,
        np.asarray(scale),
        jit(jax.grad(loss)),
        jit(jax.hessian(loss)),
    )


def largest(hessian, scale):
    root = np.sqrt(scale)
    return np.linalg.eigvalsh(root[:, None] * np.asarray(hessian) * root)[-1]


def along_training(case, name, **values):
    problem, batch, start, *_ = case
    saves = tuple(range(STEPS + 1))
    train = make_train(
        problem, as_optimiser(name), saves, Order("fixed", None), True, probes=(sharpness(),)
    )
    return jit(train)(start, hyper(**GIVEN, **values), splits(batch), streams(0))


def test_of_gradient_descent_it_is_scaled_by_the_rate_of_each_part(case):
    *_, scale, _, hessian = case
    found = along_training(case, "sgd")
    for at in range(STEPS + 1):
        place = ravel_pytree(jax.tree.map(lambda leaf, at=at: leaf[at], found.params))[0]
        # Lanczos takes as many steps as there are parameters.
        np.testing.assert_allclose(
            found.measures["sharpness"][at], largest(hessian(place), scale), rtol=1e-9
        )


def test_of_adam_it_is_preconditioned_by_the_second_moment_of_optax(case):
    _, _, _, flat, scale, gradient, hessian = case
    decays = {"beta1": DECAYS[0], "beta2": DECAYS[1], "epsilon": EPSILON}
    found = along_training(case, "adam", **decays)
    assert np.isnan(found.measures["sharpness"][0]), "there is no second moment yet"
    adam = optax.adam(GIVEN["learning_rate"], *DECAYS, eps=EPSILON)
    place, state = flat, adam.init(flat)
    for at in range(1, STEPS + 1):
        updates, state = adam.update(gradient(place), state)
        place = place + scale * updates
        second = np.asarray(state[0].nu) / (1 - DECAYS[1] ** at)
        expected = largest(hessian(place), scale / (np.sqrt(second) + EPSILON))
        np.testing.assert_allclose(found.measures["sharpness"][at], expected, rtol=1e-8)
