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
# # When to turn from soft to hard attention
#
# Soft attention focuses first, hard attention goes further once it has focused. A *hybrid* takes
# the best of both: soft up to a switch, hard from then on. When should it switch, and is there
# anything better than one switch, such as a slow transition?
#
# In the solvable setting both questions have an answer. The whole network moves on two numbers,
# the logit gap `mu` and the score gap `nu`; attention on the foreground grows with `nu`. We ask
# for the largest `nu` at a horizon.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxattn

# Flows and theory run in float64. A library must not switch that on behind your back.
jax.config.update("jax_enable_x64", True)

size = {"segments": 20, "classes": 3}
unit = size["segments"] * size["classes"]  # times are natural in segments x classes
horizon = 4.0 * unit

# %% [markdown]
# ## The switch
#
# The hybrid's path is known in closed form, and it is differentiable by the switch: a curve on a
# grid, and the root of its derivative.

# %%
from jaxattn.theory.switches import best_switch, switch_curve

curve = jax.jit(lambda end: switch_curve(end, **size))(horizon)
best = jax.jit(lambda curve: best_switch(curve, **size))(curve)
print(f"best switch at {best.switch / unit:.4f} segments x classes, nu = {best.nu:.4f}")
print(f"hard alone {curve.nu[0]:.4f}, soft alone {curve.nu[-1]:.4f}")

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
ax.plot(curve.switch / unit, curve.nu, color=jaxattn.plots.COLOURS["hybrid"])
ax.plot(best.switch / unit, best.nu, "ko")
ax.set(xscale="log", xlabel="switch time, in segments x classes", ylabel="nu at the horizon")
plt.show()

# %% [markdown]
# With many segments the best switch is the time at which focus takes off: segments x classes
# times `sqrt(pi C / (2 (C - 1)))`, for every horizon beyond it.

# %%
from jaxattn.experiments.switch.findings import law


def best_in_units(segments, classes):
    """In units of segments x classes, for a horizon of 8."""
    given = {"segments": segments, "classes": classes}
    found = best_switch(switch_curve(8.0 * segments * classes, **given, points=32), **given)
    return found.switch / (segments * classes)


segments = jnp.array([5.0, 20.0, 100.0, 1e4])
found = jax.jit(jax.vmap(lambda m: best_in_units(m, 3.0)))(segments)
for count, at in zip(segments, found, strict=True):
    print(f"{count:8.0f} segments: {at:.4f}, limit {law(3):.4f}")

# %% [markdown]
# ## A schedule of your own
#
# Anything between soft and hard attention: `lambda(t) soft + (1 - lambda(t)) hard` with your own
# share of soft attention, here one that falls smoothly around a time.

# %%
from jaxattn.reduced import log_times, solve_mixture


def fades(time, args):
    """From soft to hard around `middle`, over a factor in time set by `width`."""
    return jax.nn.sigmoid(-(jnp.log1p(time) - jnp.log1p(args["middle"])) / args["width"])


times = log_times(horizon, 200)
for width in (0.5, 0.2, 0.05):
    path = solve_mixture(
        fades, times, **size, args={"middle": best.switch, "width": jnp.asarray(width)}
    )
    print(f"width {width}: nu = {path.nu[-1]:.4f}, {best.nu - path.nu[-1]:.4f} behind the hybrid")

# %% [markdown]
# ## The best schedule
#
# Let every share of 12 cells of time climb by itself, from the worst of starts: hard attention
# first and soft attention last. It turns round, and ends at 1 and 0.

# %%
from jaxattn.reduced.optimal_schedule import cell_edges, climb, costate, recut, within

wrong_way_round = jnp.linspace(-3.0, 3.0, 12)
edges = cell_edges(horizon, 12, **size)
coarse = climb(wrong_way_round, edges, 0.3, **size, steps=120)
edges = recut(coarse.share, edges)  # finer where it switched
fine = climb(wrong_way_round, edges, 0.3, **size, steps=120)
print(np.round(fine.share, 3))
print(f"nu = {fine.nu:.4f}; best hybrid {best.nu:.4f}")

# %% [markdown]
# Pontryagin's principle says why. The Hamiltonian is linear in lambda, so soft attention is right
# where the *switching function* is positive and hard attention where it is negative. It passes
# zero once, where the closed form has the best switch.

# %%
looks = within(edges, 6)
seen = costate(fine.share, edges, looks, **size)
figure, axes = plt.subplots(2, 1, figsize=(6.4, 4.4), sharex=True, layout="constrained")
axes[0].stairs(fine.share, edges / unit, baseline=None, lw=2)
axes[0].set(ylabel="share of soft attention")
axes[1].plot(looks / unit, seen.switching * looks)
axes[1].axhline(0, color="0.5", lw=0.8)
axes[1].axvline(best.switch / unit, color="0.5", ls=":")
axes[1].set(xlabel="time, in segments x classes", ylabel="switching function x time")
plt.show()

# %% [markdown]
# `jaxattn reproduce switch` and `jaxattn reproduce schedule` do both for many sizes and horizons;
# `docs/hybrid_schedules.md` says what was found.
