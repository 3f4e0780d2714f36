"""What background noise adds to the population losses, against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit

from jaxattn.core.contracts import Context, Reader
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.tasks.population import foregrounds
from jaxattn.theory.noise import NOISE_LOSSES

pytestmark = pytest.mark.needs_x64

CLASSES, SEGMENTS = 3, 4
STATES = np.array([(0.0, 0.0), (1.3, 0.7), (4.0, 3.0), (9.0, 2.0), (0.2, 6.0)])


def gram(rho):
    return (1 - rho) * np.eye(CLASSES) + rho


def network(state, vectors):
    """u and W with score nu and logit gap mu at every foreground."""
    scores = jnp.full(CLASSES, state[1])
    logits = state[0] * (jnp.eye(CLASSES) - 1 / CLASSES)
    return jnp.linalg.solve(vectors, scores), jnp.linalg.solve(vectors, logits)


@pytest.mark.parametrize("name", NOISE_LOSSES)
def test_it_is_half_the_laplacian_of_the_loss_by_every_background_segment(name):
    context = Context({}, jnp.zeros(()), None, ())

    def loss(background, label, state, vectors):
        u, w = network(state, vectors)
        bag = jnp.concatenate([vectors[label][None], background])
        read = Reader(lambda value: value @ w)
        attention = jax.nn.log_softmax(bag @ u)
        return PARADIGMS[name].loss(attention, bag, read, label, context)[0]

    def half_laplacian(state, vectors):
        zero, bends = jnp.zeros((SEGMENTS - 1, CLASSES)), jax.hessian(loss)
        size = zero.size
        each = jax.vmap(lambda label: bends(zero, label, state, vectors).reshape(size, size))
        return jnp.mean(jnp.trace(each(jnp.arange(CLASSES)), axis1=1, axis2=2)) / 2

    of_states = jit(jax.vmap(half_laplacian, in_axes=(0, None)))
    for rho in (0.0, 0.3, -0.4):
        expected = of_states(STATES, foregrounds(gram(rho)))
        found = NOISE_LOSSES[name](*STATES.T, SEGMENTS, CLASSES, rho)
        # Sums of tens of terms of the size of mu^2: rounding by 1e-14 of that.
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        assert found[0] == 0
        assert np.all(found[1:] > 0), "noise never helps"
