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
# # Three ways to train the same attention network
#
# A bag holds five small images. One of them, the *foreground*, is a 0, 1 or 2 and decides the
# label; the other four are other digits. A *focus model* scores the images, a *classification
# model* reads them. Which of the two learns first depends on how the pair is trained. We watch.

# %%
import jax
import matplotlib.pyplot as plt

import jaxattn

# Gradient flow and theory run in float64. A library must not switch that on behind your back.
jax.config.update("jax_enable_x64", True)

# %% [markdown]
# One call trains soft, hard and LVML attention for every seed and learning rate, in one compiled
# function per paradigm. Seed 3 of soft and seed 3 of hard start from the same parameters
# and see the same batches in the same order, so differences between paradigms are paired.

# %%
setting = {"seeds": 4, "steps": 125, "saves": 16, "evaluate": 256}
ds = jaxattn.compare(
    "digits",
    paradigms=["soft", "hard", "lvml"],
    hypers={"learning_rate": [0.02, 0.05]},
    **setting,
)
ds

# %% [markdown]
# Every number has its labels. How much attention does the foreground get at the end, on mosaics
# of images that were never trained on?

# %%
final = ds.sel(dynamics="train", split="test").isel(save=-1)
final["attention_foreground"].median("seed").to_pandas().round(3)

# %%
jaxattn.plots.overview(ds)
plt.show()

# %% [markdown]
# The same in numbers, with how many seeds reached half of the attention (`time_to_focus`) and how
# many never did (`censored`).

# %%
table = jaxattn.summary(ds)
table[(table.measure == "time_to_focus") & (table.split == "test")].round(2)

# %% [markdown]
# ## Where the answer is known
#
# With orthogonal classes, a background of exact zeros and linear models that start from zero,
# the whole network moves on two numbers: `mu`, the logit gap of the right class, and `nu`, the
# score gap of the foreground. Full-batch training, its gradient flow and the reduced system must
# lie on one curve.

# %%
solved = jaxattn.compare(
    "orthogonal-population",
    paradigms=["lvml"],
    seeds=1,
    hypers={"learning_rate": 0.2},
    steps=500,
    saves=26,
    batch_size=None,
    precision="float64",
    flow_seeds=1,
    flow_solver="tsit5",
    flow_rtol=1e-8,
)
jaxattn.plots.population(solved)
plt.show()

# %%
mu = solved["mu"].sel(split="train").isel(seed=0, learning_rate=0)
gap = abs(mu.sel(dynamics="flow") - mu.sel(dynamics="theory")).max("save")
gap.to_pandas()

# %% [markdown]
# ## A loss of your own
#
# A paradigm is the loss of one example. This one sharpens the marginal likelihood: it asks for the
# likelihood of the label under attention squared.


# %%
def sharpened(log_attention, values, read, label, context):
    squared = jax.nn.log_softmax(2 * log_attention)
    return -jax.nn.logsumexp(squared + jax.vmap(read)(values)[:, label])


own = jaxattn.compare(
    "orthogonal-population",
    paradigms=["lvml", sharpened],
    seeds=1,
    hypers={"learning_rate": 0.2},
    steps=500,
    saves=26,
    batch_size=None,
    precision="float64",
)
jaxattn.plots.focus(own)
plt.show()
