"""Components of somebody's own, as a sweep names them: own_components:loss and so on."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxattn
from jaxattn.models import linear
from jaxattn.tasks import orthogonal

A_NUMBER = 3


def focus_free(log_attention, values, read, label, context):
    return -read.log_probability(jnp.mean(values, axis=0), label)


def bags(classes=3, segments=4, noise=0.5, **more):
    return orthogonal(classes, segments, train=8, test=8, points=8, validation=0)


def model(classes, gain=1.0):
    return linear(classes)


def slow(hyper):
    return optax.sgd(hyper["learning_rate"] / 2)


def no_task(segments=4):
    return segments


def chain(width=2, depth=2):
    """Problems of somebody's own, whose parameters differ: a chain of matrices, and one vector."""

    def start(key, hyper):
        sizes = [3, *[width] * (depth - 1), 1]
        keys = jax.random.split(key, depth)
        return {
            f"w{at}": hyper["scale"] * jax.random.normal(keys[at], (sizes[at], sizes[at + 1]))
            for at in range(depth)
        }

    def product(params, batch, hyper):
        values = batch["x"]
        for at in range(depth):
            values = values @ params[f"w{at}"]
        return jnp.mean((values[:, 0] - batch["y"]) ** 2) / 2

    def vector(params, batch, hyper):
        return jnp.mean((batch["x"] @ params["v"] - batch["y"]) ** 2) / 2

    chained = jaxattn.problem(start, product, hypers={"scale": 0.5})
    alone = jaxattn.problem(lambda key, hyper: {"v": jax.random.normal(key, (3,))}, vector)
    return {"chain": chained, "vector": alone}


def pairs(seed, noise=0.0):
    """Their data, of each seed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, 3))
    whole = {"x": x, "y": x @ [1.0, -2.0, 0.5] + noise * rng.normal(size=6)}
    return {"train": whole, "test": {name: values[:2] for name, values in whole.items()}}


def size_of_all(params, batch, hyper):
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params)))


def _of_first(params, batch, hyper):
    return jnp.max(jnp.abs(jax.tree.leaves(params)[0]))[None]


of_first = (_of_first, {"which": ("first",)})
