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
# # 256 seeds: how much is luck, and how many seeds are enough?
#
# Soft attention focuses first, and hard attention focuses further. Both are statements about one
# run of each, or about many? Here are 256 runs of each, on mosaics of real digits. The sweep that
# makes them is killed halfway, and goes on as if nothing had happened.

# %%
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import jaxattn

# The command line switches 64 bits on: a sweep that both are to work on needs the same here.
jax.config.update("jax_enable_x64", True)

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)

# %% [markdown]
# ## The sweep
#
# A seed is new training and test mosaics. Each draws its own, and soft and hard attention share
# them: a seed is a pair. `examples/sweep.toml` explains every line that a spec may have.

# %%
spec = folder / "seeds.toml"
spec.write_text("""
[task]
name = "digits"
segments = 5
train = 200
validation = 0
test = 200

[model]
name = "linear"

[settings]
steps = 300
saves = 31
batch_size = 50
vary = ["data"]

[axes]
paradigm = ["soft", "hard"]
seed = { count = 256 }

[layout]
tile = 16
chunk = 16

[output]
measures = ["accuracy", "attention_foreground", "time_to_focus"]
""")

outcome = jaxattn.sweeps.run(spec, folder / "whole", progress=True)
print(outcome.rows, "runs in", outcome.chunks, "chunks,", outcome.failed, "failed")

# %% [markdown]
# It is one dataset, opened lazily: a chunk is read when its numbers are asked for.

# %%
ds = jaxattn.open(folder / "whole")
dict(ds.sizes)

# %% [markdown]
# ## The distribution over seeds
#
# The time until half of the attention is on the digit that counts, the attention on it at the end,
# and the accuracy.

# %%
figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
for ax, measure in zip(axes, ("time_to_focus", "attention_foreground", "accuracy"), strict=True):
    jaxattn.plots.distribution(ds, ax, measure)
plt.show()

# %% [markdown]
# The clouds overlap: one run of each may come out the other way round. As both learnt from the
# same mosaics, a seed is better looked at as a pair, and most of what its two runs have in common
# cancels.

# %%
when = ds["time_to_focus"].sel(dynamics="train", split="test").isel(learning_rate=0)
later = when.sel(paradigm="hard") - when.sel(paradigm="soft")
apart = (when.sel(paradigm="hard").values[:, None] < when.sel(paradigm="soft").values).mean()
print(f"any hard run against any soft one: hard focuses first in {float(apart):.1%}")
print(f"of the same seed: in {float((later < 0).mean()):.1%}; later by {float(later.mean()):.2f}")

# %%
figure, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
jaxattn.plots.focus(ds, ax, axis="time")
plt.show()

# %% [markdown]
# ## How many seeds does an interval need?
#
# That depends on the difference, and on how rare the surprises are. With the first `n` seeds alone,
# the paired differences and their 95 % intervals:

# %%
from jaxattn.analysis.paired_differences import differences

counts = np.array([4, 8, 16, 32, 64, 128, 256])
found = {n: differences(ds.isel(seed=slice(n))).set_index("measure") for n in counts}

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
names = {"time_to_focus": "soft - hard: time to focus", "accuracy": "soft - hard: accuracy [%]"}
for ax, (measure, label) in zip(axes, names.items(), strict=True):
    line = [found[n].loc[measure] for n in counts]
    middle = np.array([one["mean_difference"] for one in line])
    low, high = (np.array([one[end] for one in line]) for end in ("low", "high"))
    ax.errorbar(counts, middle, [middle - low, high - middle], fmt="o", color="k", capsize=4)
    ax.axhline(0, color="0.5", lw=0.8)
    ax.set(xscale="log", xlabel="seeds", ylabel=label)
    ax.set_xticks(counts, map(str, counts))
    ax.minorticks_off()
plt.show()

# %%
for measure, label in names.items():
    first = next(n for n in counts if found[n].loc[measure, "low":"high"].prod() > 0)
    wide = [np.ptp(found[n].loc[measure, ["low", "high"]].astype(float)) for n in (64, 256)]
    print(f"{label}: zero is outside from {first} seeds on;", end=" ")
    print(f"four times the seeds, {wide[0] / wide[1]:.2f} times as narrow")

# %% [markdown]
# Four seeds are plenty to say that soft attention focuses first, and too few to say which answers
# better. By the square root of `n`, four times the seeds should halve an interval. For the time to
# focus they do not: the first few dozen seeds have not met one of the rare runs that focus late,
# and an interval knows only of what it has seen. That is what 256 seeds are for.
#
# ## Pull the plug
#
# The same sweep once more, as a command. It is killed (`kill -9`: nothing can be saved then) when
# more than half of the chunks are there.

# %%
killed = folder / "killed"
command = [
    sys.executable,
    "-m",
    "jaxattn.cli",
    "sweep",
    "run",
    str(spec),
    "--out",
    str(killed),
]
process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
while process.poll() is None and len(list(killed.glob("chunks/*.nc"))) < 20:
    time.sleep(0.05)
process.kill()
print("exit code", process.wait())

there = jaxattn.sweeps.status(killed)
print(there["chunks"], there["runs"])

# %% [markdown]
# What is there can be looked at, as always. Runs that are not there yet are left out.

# %%
part = jaxattn.open(killed)
figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
jaxattn.plots.distribution(part, ax, "time_to_focus")
plt.show()

# %% [markdown]
# Now the rest: here, though it was begun by another process. On the command line that would be
# `jaxattn sweep resume`, on this machine or on others.

# %%
outcome = jaxattn.sweeps.resume(killed, progress=True)
print(outcome.computed, "of", outcome.chunks, "chunks were missing")

# %% [markdown]
# Every number is the one of the sweep that was left alone, to the last bit.

# %%
xr.testing.assert_identical(jaxattn.open(killed).load(), ds.load())
equal = [
    (folder / "whole" / "chunks" / path.name).read_bytes() == path.read_bytes()
    for path in killed.glob("chunks/*.nc")
]
print(sum(equal), "of", len(equal), "files are equal byte for byte")

# %% [markdown]
# The log has what happened, with times, which the results leave out.

# %%
log = jaxattn.sweeps.read_log(killed)
print(log[log["event"] != "chunk"][["at", "event", "missing", "computed"]].to_string())
print(f"a chunk took {log['seconds'][log['event'] == 'chunk'].median():.2f} s (median)")

# %%
scratch.cleanup()
