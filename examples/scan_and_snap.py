"""Attention scans for tokens that tell classes apart, the more frequent first (Tian et al. 2023).

arXiv:2305.16380 and its code: two classes, ten common tokens and ten distinct ones each, fresh
batches of 128 sequences of 128, rate 1, all from zero. Ours: a distinct token is 0.1 to 1 times as
frequent as a common one; 1,000 steps; sequences as counts, as attention sees no positions. Then it
snaps: attention all but stops, the earlier the faster the decoder learns.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxattn

RARE, COMMON, NONE = np.linspace(0.1, 1, 10), np.ones(10), np.zeros(10)
SHARES = np.stack([np.r_[COMMON, RARE, NONE], np.r_[COMMON, NONE, RARE]]) / (10 + RARE.sum())


def sample(key):
    keys = jax.random.split(key)
    drawn = [jax.random.choice(k, 30, (64, 128), p=p) for k, p in zip(keys, SHARES)]
    counts = jax.nn.one_hot(jnp.concatenate(drawn), 30).sum(axis=1)
    return {"counts": counts, "class": jnp.repeat(jnp.arange(2), 64)}


def init(key, hyper):
    return {"attention": jnp.zeros((2, 30)), "decoder": jnp.zeros((30, 2))}


def loss(params, batch, hyper):
    paid = batch["counts"] * jnp.exp(params["attention"])[batch["class"]]
    logits = paid @ params["decoder"] / jnp.linalg.norm(paid, axis=-1, keepdims=True)
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(logits) * jax.nn.one_hot(batch["class"], 2), -1))


def attention(params, batch, hyper):
    paid = SHARES[0] * jnp.exp(params["attention"][0])
    return paid[jnp.array([0, 11, 13, 15, 17, 19])] / paid.sum()


tokens = {"token": ["common", "0.2", "0.4", "0.6", "0.8", "1"]}  # distinct ones by frequency
parts = {"decoder": lambda params: params["decoder"]}
one_layer = jaxattn.problem(init, loss, {"attention": (attention, tokens)}, parts=parts)
run = {"seeds": 4, "steps": 1000, "saves": "log:41"}
ds = jaxattn.compare(
    problems={"one_layer": one_layer},
    data=jaxattn.Fresh(sample, size=128, evaluate=128),
    hypers={"learning_rate": 1.0, "decoder_rate": [1.0, 10.0]},
    **run,
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
for rate, ax in zip([1.0, 10.0], axes, strict=True):
    jaxattn.plots.curves(ds, "attention", log="x", decoder_rate=rate, ax=ax)
figure.savefig("scan_and_snap.png")
