"""Maxima of windows are Flax's, and so are their derivatives where no two values are equal."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PRECISION, jit

from jaxattn.models.pooling import max_pool


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((2, 6, 4, 3), (2, 2)),
        ((7, 9, 3), (2, 4)),
        ((2, 2, 5, 1), (3,)),
        ((1, 4, 3, 5, 2), (2, 1, 2)),
    ],
)
def test_maxima_gradients_and_hessians_are_flaxs(shape, window):
    # All different, and at least 1 apart: no window has two that are largest.
    order = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape)
    values = jnp.asarray(order / 10, PRECISION)
    along = jnp.cos(values)

    def look(pool):
        def loss(values):
            return jnp.sum(jnp.sin(pool(values)))

        slope = jax.grad(loss)
        return pool(values), slope(values), jax.jvp(slope, (values,), (along,))[1]

    def theirs(values):
        lead = values.ndim - 1 - len(window)
        flat = values.reshape(-1, *values.shape[lead:])
        pooled = nn.max_pool(flat, window, strides=window)
        return pooled.reshape(*values.shape[:lead], *pooled.shape[1:])

    found, expected = jit(look, static_argnums=0)(lambda v: max_pool(v, window)), look(theirs)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_equal_maxima_share_a_derivative_evenly_as_those_of_jax():
    values = jnp.asarray([[1.0, 1.0], [0.0, 1.0]])[None, :, :, None]
    found = jax.grad(lambda v: jnp.sum(max_pool(v, (2, 2))))(values)
    np.testing.assert_array_equal(found, jax.grad(lambda v: jnp.max(v))(values))


def test_no_gradient_is_a_scatter():
    text = jax.jit(jax.grad(lambda v: jnp.sum(max_pool(v, (2, 2))))).lower(jnp.ones((4, 4, 1)))
    assert "scatter" not in text.as_text()
