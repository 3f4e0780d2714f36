# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Bring your own: does the size of the start decide what is learnt?
#
# Nothing here is attention. A *diagonal network* `y = x . (u^2 - v^2)` has more features than
# examples, so many parameters fit; which ones gradient descent finds depends on how small it starts
# (Woodworth et al. 2020, arXiv:2002.09277). A start and a loss are all that has to be written; the
# page `docs/own_problems.md` says what else may be.

# %%
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxattn

# Limits are solved in float64.
jax.config.update("jax_enable_x64", True)


def init(key, hyper):
    near = hyper["start"] * (1 + 0.01 * jax.random.normal(key, (2, 40)))
    return {"u": near[0], "v": near[1]}


def weights(params, batch=None, hyper=None):
    return params["u"] ** 2 - params["v"] ** 2


def loss(params, batch, hyper):
    return jnp.mean((batch["x"] @ weights(params) - batch["y"]) ** 2) / 2


# %% [markdown]
# ## Data, and what to measure
#
# Each seed has 20 examples of its own to learn from, of 40 features, three of which matter; 200
# others are there to be measured on.


# %%
teacher = np.r_[1.0, -1.0, 0.5, np.zeros(37)]


def sparse(seed):
    x = np.random.default_rng(seed).normal(size=(220, 40))
    return {
        "train": {"x": x[:20], "y": x[:20] @ teacher},
        "test": {"x": x[20:], "y": x[20:] @ teacher},
    }


measures = {
    "error": loss,
    "weights": (weights, {"feature": range(40)}),
    "l1": lambda params, batch, hyper: jnp.sum(jnp.abs(weights(params))),
}
problem = jaxattn.problem(init, loss, measures, hypers={"start": 0.1})

# %% [markdown]
# ## A theory to hold against it
#
# From a large start, `u` and `v` hardly move, and training is that of a linear model: `weights`
# goes to the solution of least length, along a path in closed form. A theory is a function of a
# run's hyperparameters, the times of its saves and its examples; it becomes one more dynamics.


# %%
def lazy(hyper, times, data):
    values, vectors = np.linalg.eigh(data["x"].T @ data["x"] / len(data["x"]))
    solution = np.linalg.pinv(data["x"]) @ data["y"]
    left = np.exp(-8 * hyper["start"] ** 2 * np.outer(times, values))
    return {"weights": ((1 - left) * (solution @ vectors)) @ vectors.T}


# %% [markdown]
# ## One call
#
# Three starts are rows of one compiled program, each for six seeds, with the gradient flow beside
# and the theory.

# %%
starts = [0.02, 0.2, 1.0]
ds = jaxattn.compare(
    problems={"diagonal": problem},
    data=sparse,
    hypers={"learning_rate": 0.02, "start": starts},
    seeds=6,
    steps=600,
    saves="log:41",
    against="flow",
    curvature=0,
    theory={"lazy": lazy},
)

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
jaxattn.plots.curves(ds, "error", dynamics="train", split="test", start=starts, log="x", ax=ax)
plt.show()

# %% [markdown]
# From a small start the examples that were not learnt from are answered too. Which solution was
# found? Its sum of absolute weights says it: the teacher's is 2.5.

# %%
last = ds.sel(dynamics="train", split="train").isel(save=-1).squeeze()
print(last["l1"].median("seed").round(2).to_series())

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for start, ax in zip((0.02, 1.0), axes, strict=True):
    jaxattn.plots.curves(
        ds, "weights", axis="time", split="train", start=start, feature=[0, 1, 2, 3], ax=ax, log="x"
    )
plt.show()

# %% [markdown]
# Dashed lines are the theory: of little use from a small start, and closer the larger it is.

# %%
away = ds["weights"].sel(split="train")
far = abs(away.sel(dynamics="flow") - away.sel(dynamics="lazy")).max(["save", "feature"])
print(far.squeeze().median("seed").round(3).to_series())

# %% [markdown]
# ## A report
#
# One page with every figure and number, and the data beside it to be opened again.

# %%
with tempfile.TemporaryDirectory() as scratch:
    page = jaxattn.report(ds, Path(scratch) / "diagonal")
    print(sorted(path.name for path in (Path(scratch) / "diagonal").iterdir()))
