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
# # ODE versus SGD: what the learning rate changes
#
# Gradient flow is training at an infinitely small learning rate. How large may a real one be
# before training goes somewhere else, what does it do first, and what takes gradient flow's place
# for Adam? Here training and its continuous limits run on one time axis; `docs/clocks.md` lists
# them all.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

# Limits are solved in float64.
jax.config.update("jax_enable_x64", True)

import jaxattn
from jaxattn.analysis.limit_findings import gap_findings
from jaxattn.analysis.limit_gaps import departures, fit_order, gap, orders
from jaxattn.core.streams import streams
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.tasks import orthogonal
from jaxattn.training.saves import AtTimes
from jaxattn.training.train import make_train

task = orthogonal(segments=5, classes=3, train=64, validation=0, test=64)

# %% [markdown]
# ## One call: at which rate and time does training leave its flow, and why?
#
# Hard attention with a linear pair, full batches, five learning rates that reach the same time.
# The steps are those at the largest rate.

# %%
rates = [80.0, 40.0, 10.0, 5.0, 2.5]
found = jaxattn.compare(
    task,
    "linear",
    "hard",
    {"learning_rate": rates},
    seeds=2,
    steps=10,
    saves=11,
    against=("flow", "modified"),
)
for finding in gap_findings(found):
    print("-", finding.text)

# %% [markdown]
# Each line is one rate: how far training is from the flow, as a share of the way that the flow
# comes.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, limit in zip(axes, ("flow", "modified"), strict=True):
    jaxattn.plots.distance(found, ax, limit)
plt.show()

# %% [markdown]
# ## The edge
#
# Gradient descent is stable where the learning rate times the sharpness, the largest eigenvalue of
# the Hessian, is below 2. This problem is sharpest at its start, and the two largest rates begin
# beyond the edge: their first step throws them out of the valley before it flattens under them. In
# one step nothing is seen to grow: the findings above put a departure down to the edge only where
# it grows along the top eigenvector.

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
jaxattn.plots.sharpness(found, ax)
plt.show()

start = found["sharpness"].sel(dynamics="train").isel(save=0).mean(["seed", "paradigm"])
print((start * found["learning_rate"]).round(2).to_series())

# %% [markdown]
# ## The order
#
# Below the edge the distance from the flow is proportional to the rate, and that from the modified
# flow, `theta' = -g - (eta/2) H g`, to its square. That is why the modified flow is worth a
# Hessian-vector product: at half the rate it is four times closer.

# %%
below = found.sel(learning_rate=[10.0, 5.0, 2.5])
print(orders(below)[["dynamics", "slope", "low", "high", "local"]])
print(departures(below, "flow").squeeze().to_dataframe()[["departure", "step", "within_step"]])

# %% [markdown]
# ## Adam's own flow
#
# Adam does not follow gradient flow at any rate. It has an equation of its own, in which the two
# averages have memories of `tau1` and `tau2` in time; with those held fixed, training approaches
# it as the square of the rate. All rates are rows of one compiled call, made of the parts that
# `compare` is made of.

# %%
adam = jaxattn.as_optimiser("adam")
problem = jaxattn.attention_problem(
    task, linear(task.classes, start="normal"), "soft", precision="float64"
)
problem = problem._replace(measure=lambda *nothing: {})
data = jaxattn.Splits(task.make(0)["train"], {"train": task.make(0)["train"]})

end = 2.0
saves = AtTimes(tuple(np.linspace(0, end, 17)), most=128)
rates = end / np.array([16, 32, 64, 128])
hypers = {
    "learning_rate": jnp.asarray(rates),
    **{
        name: jnp.full(len(rates), value)
        for name, value in {"tau1": 0.2, "tau2": 1.0, "epsilon": 1e-8, "temperature": 1.0}.items()
    },
}
keys = streams(0)
params = problem.init(keys.init, jax.tree.map(lambda leaf: leaf[0], hypers))

train = make_train(problem, adam, saves, jaxattn.Order("fixed", None), keep_params=True)
own = make_flow(problem, adam, saves, True, "dopri8", 1e-9, 1e-12, limit="adam")
plain = make_flow(problem, adam, saves, True, limit="flow")


def at_all_rates(dynamics):
    return jax.jit(jax.vmap(dynamics, in_axes=(None, 0, None, None)))(params, hypers, data, keys)


trained = at_all_rates(train)
far = {name: gap(trained, at_all_rates(one)) for name, one in [("adam", own), ("flow", plain)]}
for name, one in far.items():
    order = fit_order(rates, one.distance.max(axis=-1)[None])
    print(f"from {name}: {one.distance.max(axis=-1).round(5)}, local slopes {order.local.round(2)}")

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
after = slice(1, None)  # they start together
for rate, time, distance in zip(rates, far["adam"].time, far["adam"].distance, strict=True):
    ax.plot(time[after], distance[after], label=f"its own equation, rate {rate:g}")
for time, distance in zip(far["flow"].time, far["flow"].distance, strict=True):
    ax.plot(time[after], distance[after], "k:")
ax.plot([], [], "k:", label="gradient flow, all rates")
ax.set(yscale="log", xlabel="time (learning rate times steps)", ylabel="distance of Adam from")
ax.set_ylim(top=100)
ax.legend(ncols=2, frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# The distance from gradient flow is the same at every rate: it is no error of steps. From its own
# equation Adam is about as far as its steps are long, squared.
