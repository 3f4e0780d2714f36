"""Deep linear networks learn mode by mode, along exact sigmoids (Saxe, McClelland & Ganguli 2014).

arXiv:1312.6120: four items with seven properties in a tree, inputs whitened. The sigmoids are exact
from an aligned, balanced start; `noise` makes it a small random one. Width and sizes are ours.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxattn

jax.config.update("jax_enable_x64", True)
TREE = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], *np.eye(4)])  # [property, item]
U, S, V = np.linalg.svd(TREE / 2, full_matrices=False)


def init(key, hyper):
    basis = jnp.sqrt(hyper["start"]) * jnp.linalg.qr(jax.random.normal(key, (16, 4)))[0]
    noise = hyper["noise"] * jax.random.normal(key, (16, 11))
    return {"first": basis @ V + noise[:, :4], "second": U @ basis.T + noise[:, 4:].T}


def loss(params, batch, hyper):
    errors = batch["y"] - batch["x"] @ params["first"].T @ params["second"].T
    return jnp.mean(jnp.sum(errors**2, axis=-1)) / 2


def strength(params, batch, hyper):
    return jnp.diag(U.T @ params["second"] @ params["first"] @ V.T)


def sigmoids(hyper, times, data):
    return {"strength": S / (1 + (S / hyper["start"] - 1) * np.exp(-2 * S * times[:, None]))}


measures, hypers = {"strength": (strength, {"mode": range(1, 5)})}, {"start": 1e-3, "noise": 0.0}
ds = jaxattn.compare(
    problems={"deep_linear": jaxattn.problem(init, loss, measures, hypers=hypers)},
    data={"x": 2 * np.eye(4), "y": TREE.T},  # whitened: the mean of x x' is 1
    hypers={"learning_rate": 0.05, "noise": [0.0, 0.01]},
    seeds=2,
    steps=300,
    against="flow",
    theory={"sigmoids": sigmoids},
)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for noise, ax in zip([0.0, 0.01], axes, strict=True):
    jaxattn.plots.curves(ds, "strength", axis="time", noise=noise, ax=ax)
figure.savefig("deep_linear.png")
