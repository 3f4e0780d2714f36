"""A loss of one's own that convolves in the slow way is told of, and one by patches is not."""

import warnings

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxattn.core.programs import primitives_of
from jaxattn.models.convolution import Conv
from jaxattn.problems.slow_convolution import warn_of_slow_convolution

IMAGE = jax.ShapeDtypeStruct((4, 4, 3), "float32")


def loss_of(kind, **given):
    """A loss whose convolution is inside a loop."""
    module = kind(2, (3, 3), **given)

    def loss(image):
        params = module.init(jax.random.key(0), image)

        def step(_, total):
            return total + jnp.sum(module.apply(params, image))

        return jax.lax.fori_loop(0, 3, step, jnp.zeros(()))

    return loss


def test_flaxs_convolution_is_told_of_wherever_it_is():
    with pytest.warns(UserWarning, match=r"^problem, loss: got a convolution .*slow on a CPU"):
        warn_of_slow_convolution("problem, loss", loss_of(nn.Conv), IMAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_slow_convolution("problem, loss", loss_of(Conv), IMAGE)


def test_an_accelerator_is_told_nothing(monkeypatch):
    class Device:
        platform = "gpu"

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert "conv_general_dilated" in primitives_of(loss_of(Conv), IMAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_slow_convolution("problem, loss", loss_of(nn.Conv), IMAGE)


def test_operations_inside_branches_are_seen():
    def function(x):
        return jax.lax.cond(x > 0, jnp.sin, lambda x: jax.lax.map(jnp.cos, x[None])[0], x)

    assert {"cond", "sin", "cos", "scan"} <= primitives_of(function, jnp.ones(()))
    assert "tan" not in primitives_of(function, jnp.ones(()))
