"""What a person would write instead of jaxattn: jit(vmap(vmap(train))) and an xarray Dataset."""

import json
import sys
from functools import partial
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from jax.nn import log_softmax, logsumexp

SWITCH, BATCH, NAMES, SPLITS = 0.25, 256, ["train", "validation", "test"], (2048, 512, 1024)
MEASURES = ["loss", "accuracy", "attention_foreground"]


class MLP(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x):
        hidden = nn.relu(nn.Dense(64, param_dtype=x.dtype)(x))
        return nn.Dense(self.features, param_dtype=x.dtype)(hidden)


def init(key, x):
    keys = dict(zip(("focus", "classify"), jax.random.split(key), strict=True))
    return {part: MLP(size).init(keys[part], x) for part, size in (("focus", 1), ("classify", 3))}


def attend(params, x):
    """Log attention, [bag, segment]."""
    return log_softmax(MLP(1).apply(params["focus"], x)[..., 0])


def read(params, x):
    """Logits, [..., class]."""
    return MLP(3).apply(params["classify"], x)


def mean(attention, x):
    return jnp.einsum("bs,bsf->bf", jnp.exp(attention), x)


def loss_of(paradigm, params, x, y, done):
    """The loss of a batch; `done` is the share of the run that is over."""
    if paradigm == "hybrid":
        both = [partial(loss_of, name, params, x, y, done) for name in ("soft", "hard")]
        return jax.lax.cond(done < SWITCH, *both)
    attention = attend(params, x)
    if paradigm == "soft":
        logits = read(params, mean(attention, x))
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
    labels = jnp.broadcast_to(y[:, None], x.shape[:2])
    entropy = optax.softmax_cross_entropy_with_integer_labels(read(params, x), labels)
    if paradigm == "lvml":
        return -logsumexp(attention - entropy, axis=1).mean()
    return (jnp.exp(attention) * entropy).sum(1).mean()


def measure(paradigm, params, splits):
    """Loss, accuracy by the paradigm's own inference, attention on the foreground [.., split]."""

    def of(x, y, place):
        attention = attend(params, x)
        if paradigm == "soft":
            answer = log_softmax(read(params, mean(attention, x)))
        else:
            each = log_softmax(read(params, x))
            best = jnp.take_along_axis(each, attention.argmax(1)[:, None, None], 1)[:, 0]
            mixed = logsumexp(attention[..., None] + each, axis=1)
            answer = mixed if paradigm == "lvml" else best
        loss = -jnp.take_along_axis(answer, y[:, None], 1).mean()
        right = 100 * (answer.argmax(-1) == y).mean(dtype=x.dtype)
        on = jnp.take_along_axis(jnp.exp(attention), place[:, None], 1).mean()
        return jnp.stack([loss, right, on])

    return jnp.stack([of(*split) for split in splits], -1)


def train(paradigm, params, rate, learn, splits, rows):
    """Measures [save, measure, split] of one run; minibatches `rows` [span, step, example]."""
    optimiser, steps = optax.sgd(rate), rows.shape[0] * rows.shape[1]

    def step(state, now):
        (params, inner), (number, batch) = state, now
        args = learn[0][batch], learn[1][batch], number / steps
        gradient = jax.grad(partial(loss_of, paradigm))(params, *args)
        update, inner = optimiser.update(gradient, inner)
        return (optax.apply_updates(params, update), inner), None

    def span(state, now):
        state, _ = jax.lax.scan(step, state, now)
        return state, measure(paradigm, state[0], splits)

    now = jnp.arange(steps).reshape(rows.shape[:2]), rows
    _, saves = jax.lax.scan(span, (params, optimiser.init(params)), now)
    return jnp.concatenate([measure(paradigm, params, splits)[None], saves])


def flow(paradigm, params, end, learn, splits, shares):
    """The same of gradient flow, from all of `learn` at once, at these shares of the time `end`."""
    import diffrax

    def field(time, params, args):
        gradient = jax.grad(partial(loss_of, paradigm))(params, *learn, time / end)
        return jax.tree.map(jnp.negative, gradient)

    # A hundredth of rtol, of kernels whose root mean square is 1/8: as closely as jaxattn solves.
    control = diffrax.ClipStepSizeController(
        diffrax.PIDController(rtol=1e-4, atol=1.25e-7), jump_ts=jnp.array([SWITCH * end])
    )
    path = diffrax.diffeqsolve(
        diffrax.ODETerm(field), diffrax.Bosh3(), 0.0, end, None, params,
        saveat=diffrax.SaveAt(ts=end * shares),
        stepsize_controller=control, adjoint=diffrax.ForwardMode(), max_steps=100_000, throw=False,
    )  # fmt: skip
    return jax.lax.map(lambda at: measure(paradigm, at, splits), path.ys)


def mosaics(segments=5, foreground=(0, 1, 2)):
    """Of each split: segments [bag, segment, pixel], labels and places of the foreground [bag]."""
    from sklearn.datasets import load_digits

    pixels, kinds = load_digits(return_X_y=True)
    draw = np.random.default_rng(0)
    for images, count in zip(np.split(draw.permutation(1797), (1180, 1348)), SPLITS, strict=True):
        of = [images[kinds[images] == kind] for kind in foreground]
        chosen = draw.choice(images[~np.isin(kinds[images], foreground)], (count, segments))
        label, place = (draw.integers(0, size, count) for size in (len(foreground), segments))
        chosen[np.arange(count), place] = [draw.choice(of[kind]) for kind in label]
        yield pixels[chosen] / 8 - 1, label, place


def sweep(one, asked, made, seeds, dtype, rates, *rest):
    """Measures [paradigm, rate, seed, save, measure, split]; `one` is `train` or `flow`."""
    typed = [(x.astype(dtype), *more) for x, *more in made]
    splits = [[leaf[:512] for leaf in split] for split in typed]
    keys, axes = jax.random.split(jax.random.key(0), seeds), (None,) * (2 + len(rest))

    def of(paradigm, key, rate, *data):
        return one(paradigm, init(key, jnp.zeros(64, dtype)), rate, *data)

    def grid(paradigm):
        row = jax.vmap(partial(of, paradigm), (0, None, *axes))
        if one is flow:  # solved together, the short ones would wait for the long ones

            def run(keys, rates, *data):
                return jax.lax.map(lambda rate: row(keys, rate, *data), rates)
        else:
            run = jax.vmap(row, (None, 0, *axes))
        return jax.jit(run)(keys, jnp.asarray(rates, dtype), typed[0][:2], splits, *rest)

    return np.stack([grid(paradigm) for paradigm in asked.paradigms])


def main(asked):
    made, draw = list(mosaics()), np.random.default_rng(1)
    epochs = -(-asked.steps * BATCH // SPLITS[0])
    rows = np.concatenate([draw.permutation(SPLITS[0]) for _ in range(epochs)]).astype("int32")
    rows = rows[: asked.steps * BATCH].reshape(asked.spans, -1, BATCH)
    found = {"train": sweep(train, asked, made, asked.seeds, "float32", asked.rates, rows)}
    if asked.flow_seeds:
        ends, shares = np.multiply(asked.rates, asked.steps), np.linspace(0, 1, asked.spans + 1)
        few = [[leaf[:512] for leaf in split] for split in made]
        found["flow"] = sweep(flow, asked, few, asked.flow_seeds, "float64", ends, shares)
    dims = ("paradigm", "learning_rate", "seed", "save", "split")
    axes = {"paradigm": asked.paradigms, "learning_rate": asked.rates, "split": NAMES}
    each = [
        xr.DataArray(values[..., number, :], {**axes, "seed": range(values.shape[2])},
                     dims, f"{measure}_{dynamics}")
        for dynamics, values in found.items() for number, measure in enumerate(MEASURES)
    ]  # fmt: skip
    xr.merge(each, join="outer").to_netcdf(asked.out, engine="h5netcdf")


if __name__ == "__main__":
    said = SimpleNamespace(**json.loads(sys.argv[1]))
    jax.config.update("jax_enable_x64", said.flow_seeds > 0)
    main(said)
