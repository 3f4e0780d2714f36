"""Linear attention learns in context in one drop, or down a staircase (Zhang et al. 2025).

arXiv:2501.16265 and its code: inputs of variances 0.1 to 0.4, 31 pairs, 5,000 sequences; 8 heads,
key and query merged, or 5 of rank one, separate. Ours: the mean over the context, as in the paper,
with the rate and the start of separate heads to go with it. Theory: plateaus and times of drops, of
infinitely many sequences and of aligned heads that start at this size; the one drop of merged heads
is within 10 % of it, those of separate random ones differ from seed to seed.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jaxattn

jax.config.update("jax_enable_x64", True)
VARIANCE, MERGED, SEPARATE = np.array([0.4, 0.3, 0.2, 0.1]), 1e-6, 0.05  # and how heads start
GAIN, SPEED = VARIANCE / (VARIANCE + (VARIANCE + 1) / 31), np.linalg.norm(VARIANCE**2)
PLATEAUS, DROPS = 1 - np.cumsum([0, *VARIANCE * GAIN]), 1 / (2 * VARIANCE**2 * SEPARATE)
DROP = np.log(SPEED**3 / np.sum(VARIANCE**7 / GAIN) / (4 * MERGED**2)) / (4 * SPEED)


def sequences(seed):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(5000, 32, 4)) * np.sqrt(VARIANCE)
    y = np.einsum("snd,sd->sn", x, draw.normal(size=(5000, 4)))
    context = np.einsum("snd,sn->sd", x[:, :-1], y[:, :-1]) / 31
    return {"context": context, "query": x[:, -1], "target": y[:, -1]}


def heads(rule, size, *shapes):
    def init(key, hyper):
        return [size * jax.random.normal(k, s) for k, s in zip(jax.random.split(key, 3), shapes)]

    def loss(params, batch, hyper):
        answer = jnp.sum(batch["context"] @ jnp.einsum(rule, *params) * batch["query"], axis=-1)
        return jnp.mean((batch["target"] - answer) ** 2)

    return jaxattn.problem(init, loss)


def steps(levels, drops):
    return lambda hyper, times, data: {"objective": levels[np.searchsorted(drops, times)]}


merged = heads("h,hij->ij", MERGED, (8,), (8, 4, 4)), steps(PLATEAUS[[0, -1]], [DROP])
separate = heads("h,hi,hj->ij", SEPARATE, (5,), (5, 4), (5, 4)), steps(PLATEAUS, DROPS)
run = {"seeds": 3, "steps": 3000, "saves": "log:121", "against": "flow", "curvature": 0}
ds = jaxattn.compare(
    problems={"merged": merged[0], "separate": separate[0]},
    data=sequences,
    hypers={"learning_rate": 0.5},
    theory={"steps": {"merged": merged[1], "separate": separate[1]}},
    **run,
)
jaxattn.plots.curves(ds, axis="time", log="x").figure.savefig("linear_attention_icl.png")
