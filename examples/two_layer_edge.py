"""Gradient descent sharpens up to its edge of stability and stays there (Cohen et al. 2021).

arXiv:2103.00065: full batches, tanh, square loss, gradient flow beside. Ours, to be quick: one
hidden layer of 50, the first 200 digits of scikit-learn, weights from 0.3 / sqrt(inputs).
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import jaxattn

jax.config.update("jax_enable_x64", True)
pixels, digits = (array[:200] for array in load_digits(return_X_y=True))
data = {"x": (pixels - pixels.mean(axis=0)) / pixels.std(), "y": jax.nn.one_hot(digits, 10)}


def layer(key, inputs, outputs):
    weights = 0.3 / inputs**0.5 * jax.random.normal(key, (inputs, outputs))
    return {"w": weights, "b": jnp.zeros(outputs)}


def init(key, hyper):
    first, second = jax.random.split(key)
    return {"first": layer(first, 64, 50), "second": layer(second, 50, 10)}


def loss(params, batch, hyper):
    hidden = jnp.tanh(batch["x"] @ params["first"]["w"] + params["first"]["b"])
    errors = hidden @ params["second"]["w"] + params["second"]["b"] - batch["y"]
    return jnp.mean(jnp.sum(errors**2, axis=-1)) / 2


ds = jaxattn.compare(
    problems={"two_layer": jaxattn.problem(init, loss)},
    data=data,
    hypers={"learning_rate": [0.8, 0.5, 0.2]},
    seeds=1,
    steps=200,
    against="flow",  # beside limits the sharpness is measured: the extra jaxattn[curvature]
)
jaxattn.plots.sharpness(ds).figure.savefig("two_layer_edge.png")
