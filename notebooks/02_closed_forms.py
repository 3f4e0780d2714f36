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
# # Two numbers, three orbits, no solver
#
# A bag holds `m` segments. One of them, the foreground, is the unit vector of its class, one of
# `C`; the others are zero. Linear models that start from zero then move on two numbers only: `mu`,
# the logit of the right class above the others', and `nu`, the score of the foreground above the
# background's. Attention on the foreground is `alpha = e^nu / (e^nu + m - 1)`.
#
# How they move depends on the loss, and all of it can be written down.

# %%
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxattn
from jaxattn import theory

# Theory runs in float64. A library must not switch that on behind your back.
jax.config.update("jax_enable_x64", True)

size = {"segments": 100.0, "classes": 1000.0}
unit = size["segments"] * size["classes"]  # the natural unit of time
paradigms = ["soft", "hard", "lvml"]
colours = jaxattn.plots.COLOURS

# %% [markdown]
# ## Orbits
#
# Divide `nu'` by `mu'` and the variables separate: `A(nu) - A(0) = R(mu) - R(0)`, where
# `A(nu) = nu + (e^nu - 1)/(m - 1)` is the same for all and only `R` tells the paradigms apart. So
# `nu` is a function of `mu`, whatever the time.

# %%
mu = jnp.linspace(0.0, 13.0, 200)
orbits = {name: theory.nu_of_mu(name, mu, **size) for name in paradigms}
for name, nu in orbits.items():
    plt.plot(mu, nu, color=colours[name], label=name)
plt.xlabel("mu")
plt.ylabel("nu")
plt.legend()
plt.show()

# %% [markdown]
# At equal skill `mu`, LVML attends least in the middle: it leads in *time* because it learns to
# read sooner. And the way back, from `nu` to `mu`, is a function too, exact to the last digits.

# %%
there = orbits["hard"][1:]
back = theory.mu_of_nu("hard", there, **size)
float(jnp.max(jnp.abs(back / mu[1:] - 1)))

# %% [markdown]
# ## Time without a solver
#
# `t(mu)` is the integral of `1 / mu'` along the orbit, a smooth one-dimensional quadrature; `mu(t)`
# is its inverse by Newton's method. This is the published figure: 100 segments, 1000 classes.

# %%
times = np.linspace(0.0, 4e5, 801)
paths = {name: theory.trajectory(name, times, **size) for name in paradigms}
for name, path in paths.items():
    plt.plot(times / unit, path.nu, color=colours[name], label=name)
plt.xlabel("time [m C]")
plt.ylabel("nu")
plt.legend()
plt.show()

# %% [markdown]
# ## What is conserved
#
# `A(nu) - R(mu)` keeps its value along each trajectory. It is a test for every integrator, and for
# full training. In units of `nu` (divided by the slope `A'(nu)`) the closed forms lose nothing:

# %%
name, path = "lvml", paths["lvml"]
level = theory.invariant(name, path.mu, path.nu, size["segments"], size["classes"])
slope = theory.attention_potential_slope(path.nu, size["segments"])
float(jnp.max(jnp.abs(level - level[0]) / slope))

# %% [markdown]
# ## Beside an ODE solver
#
# `jaxattn.solve_reduced` integrates the same system adaptively. The smaller its tolerance, the
# closer it comes.

# %%
for rtol in (1e-6, 1e-9, 1e-12):
    solved = jaxattn.solve_reduced("hard", times, **size, rtol=rtol, atol=rtol)
    apart = float(np.max(np.abs(solved.nu - paths["hard"].nu)))
    print(f"rtol {rtol:.0e}: nu is {apart:.1e} away after {int(solved.work['steps'])} steps")
assert apart < 1e-9

# %% [markdown]
# ## Who leads when
#
# LVML is ahead from the start, soft attention a little ahead of hard attention. Then soft attention
# splutters: its pull on the focus fades once the label can be read from the average. Hard attention
# passes both.

# %%
late = times > 0.5 * unit
for other in ("soft", "lvml"):
    lead = (paths["hard"].nu - paths[other].nu)[late]
    first = int(np.argmax(lead > 0))
    at = np.interp(0.0, lead[first - 1 : first + 1], times[late][first - 1 : first + 1])
    print(f"hard passes {other} at {at / unit:.3f} m C")

# %% [markdown]
# Everything can be differentiated. How much sooner would two fewer segments bring hard attention to
# 90 %? The time is `t(mu(nu))` at `nu = logit(0.9) + log(m - 1)`, so ask for its slope in `m`.


# %%
def time_to_focus(paradigm, alpha, segments, classes):
    nu = jax.scipy.special.logit(alpha) + jnp.log(segments - 1.0)
    mu = theory.mu_of_nu(paradigm, nu, segments=segments, classes=classes)
    return theory.time_of_mu(paradigm, mu, segments=segments, classes=classes)


at_90 = partial(time_to_focus, "hard", 0.9)
time, per_segment = jax.jit(jax.value_and_grad(at_90))(100.0, 1000.0)
print(f"{float(time):.0f}, and {2 * float(per_segment):.0f} sooner; counted anew: ", end="")
print(f"{float(time - at_90(98.0, 1000.0)):.0f}")

# %% [markdown]
# ## A map of sizes
#
# And everything can be vmapped. Over three decades of segments and classes: which of LVML and hard
# attention is the first to 90 %, and by how much? The full maps, with the hybrid and with who leads
# at a horizon, come from `jaxattn reproduce phase`.

# %%
side = jnp.geomspace(3.0, 1e4, 24)


def over_map(paradigm):
    one = partial(time_to_focus, paradigm, 0.9)
    return jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(side, side)


ratio = over_map("hard") / over_map("lvml")
shown = plt.pcolormesh(side, side, ratio, cmap="coolwarm", vmin=0.2, vmax=1.8)
plt.contour(side, side, ratio, [1.0], colors="black")
plt.xscale("log")
plt.yscale("log")
plt.xlabel("classes C")
plt.ylabel("segments m")
plt.colorbar(shown, label="hard attention's time to 90 % over LVML's")
plt.show()
