"""Attention selects tokens as an SVM separates them (Ataee Tarzanagh, Li, Zhang & Oymak 2023).

arXiv:2306.13596 and its code: three inputs of seven tokens, one query learnt, logistic loss, the
first token of each input scores 1 and all others 0.5; 1,000 steps at rate 1, or, normalised, of
length 0.1. Ours: tokens are the two coordinates that the query sees, and one of their six starts.
Drawn is how far the query's direction is from the max-margin one; the flow goes on to t = 1e12.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import jaxattn

jax.config.update("jax_enable_x64", True)
CENTRES = np.array([[1.0, 0.0], *[[-1.0, 1.0]] * 3, *[[-0.5, -0.5]] * 3])


def inputs(seed):
    tokens = CENTRES + 0.2 * np.random.default_rng(seed).normal(size=(3, 7, 2))
    apart = (tokens[:, :1] - tokens[:, 1:]).reshape(-1, 2)
    svm = SVC(kernel="linear", C=1e9, tol=1e-9).fit([*apart, *-apart], np.repeat([1, -1], 18))
    return {"tokens": tokens, "svm": np.repeat(svm.coef_ / np.linalg.norm(svm.coef_), 3, axis=0)}


def loss(query, batch, hyper):
    # What is lost by the attention on other tokens: their share is exact, however small.
    others = jax.nn.softmax(batch["tokens"] @ query)[:, 1:].sum(axis=1)
    return jnp.mean(jax.nn.softplus(0.5 * others - 1))


def gap(query, batch, hyper):
    return 1 - query @ batch["svm"][0] / jnp.linalg.norm(query)


problem = jaxattn.problem(lambda key, hyper: jnp.array([0.5, 0.0]), loss, {"gap": gap})
task = {"problems": {"attention": problem}, "data": inputs, "seeds": 4, "precision": "float64"}
long = {"steps": 1000, "saves": "log:61"}
runs = {
    "gradient flow": jaxattn.compare(**task, times=np.geomspace(1, 1e12, 61)),
    "gradient descent": jaxattn.compare(**task, **long, hypers={"learning_rate": 1.0}),
    "normalised": jaxattn.compare(
        **task, **long, hypers={"learning_rate": 0.1}, optimiser="normalised"
    ),
}
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for name, ds in runs.items():
    ax.loglog(ds["time"].squeeze(), ds["gap"].squeeze().median("seed"), label=name)
ax.set(xlabel="time", ylabel="1 - correlation with the max-margin direction")
ax.legend()
figure.savefig("token_selection_svm.png")
