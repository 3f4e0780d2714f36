"""Hard attention by samples: REINFORCE, the straight-through estimator and Gumbel-softmax.

Exact hard attention asks the classifier for every segment; these ask it for one, drawn from the
attention, or for a mixture that is close to one, and so know its gradient up to noise. REINFORCE's
is unbiased; the two others' are not, and vary less. Sources: Williams (1992); Xu et al. (2015);
Bengio, Leonard & Courville (2013); Jang, Gu & Poole (2017); Foerster et al. (2018) of higher
derivatives.

No map's ``log 0`` makes a NaN here: noise is added to log attention, and -inf stays what it is, so
that a segment without attention is never drawn and has weight exactly 0.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.contracts import Context, HyperSpec, Paradigm, Params, Reader
from jaxattn.problems.attention import average

__all__ = ["SAMPLED", "gumbel_softmax", "reinforce", "straight_through"]

Loss = tuple[Float[Array, ""], PyTree]


def _drawn(log_attention: Float[Array, " segment"], context: Context) -> Float[Array, " segment"]:
    """A segment drawn from the attention, as weights: 1 at its place, exactly 0 elsewhere.

    Its index is never used: the gradient of a choice by index adds by index, which a GPU does in
    any order.
    """
    assert context.key is not None
    # Gumbel-max: the largest of log attention plus Gumbel noise is a draw from the attention.
    place = jax.random.categorical(context.key, log_attention)
    return (jnp.arange(log_attention.size) == place).astype(log_attention.dtype)


def _mixture(weights: Float[Array, " segment"], values: PyTree) -> PyTree:
    """The sum of the values by weight, over the leading segment axis of every leaf."""
    return jax.tree.map(lambda leaf: jnp.tensordot(weights, leaf, axes=1), values)


def _reinforce(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    weights = _drawn(log_attention, context)
    loss = -read.log_probability(_mixture(weights, values), label)
    # -inf elsewhere must not meet the weight 0.
    score = jnp.sum(jnp.where(weights > 0, log_attention, 0))
    baseline, decay = context.state, context.hyper["baseline_decay"]
    # Of value 0. With it derivatives of every order are unbiased, not the gradient alone.
    score_function = (loss - baseline) * jnp.expm1(score - jax.lax.stop_gradient(score))
    return loss + score_function, decay * baseline + (1 - decay) * loss


def _no_baseline(params: Params) -> Float[Array, ""]:
    return jnp.zeros((), jnp.result_type(*jax.tree.leaves(params)))


def _mean_baseline(
    baseline: Float[Array, ""], moved: Float[Array, " example"], weight: Float[Array, " example"]
) -> Float[Array, ""]:
    total = jnp.sum(weight)
    mean = jnp.sum(weight * moved) / jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, mean, baseline).astype(baseline.dtype)


def _straight_through(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    drawn = _drawn(log_attention, context)
    attention = jnp.exp(log_attention)
    # In this order the value is the draw to the last bit, and what is added has only a gradient.
    weights = drawn + (attention - jax.lax.stop_gradient(attention))
    return -read.log_probability(_mixture(weights, values), label), ()


def _gumbel_softmax(
    log_attention: Float[Array, " segment"],
    values: PyTree,
    read: Reader,
    label: Int[Array, ""],
    context: Context,
) -> Loss:
    assert context.key is not None
    noise = jax.random.gumbel(context.key, log_attention.shape, log_attention.dtype)
    relaxed = (log_attention + noise) / context.hyper["gumbel_temperature"]
    return -read.log_probability(average(jax.nn.log_softmax(relaxed), values), label), ()


reinforce = Paradigm(
    "reinforce",
    _reinforce,
    natural_inference="argmax-segment",
    hypers=(
        HyperSpec(
            "baseline_decay",
            0.9,
            low=0.0,
            high=1.0,
            doc="what REINFORCE's moving baseline keeps of itself at a step; 1: no baseline",
        ),
    ),
    init=_no_baseline,
    update=_mean_baseline,
    stochastic=True,
)
"""Hard attention of one sampled segment z, by REINFORCE with a moving baseline b.

The value is the loss of the sample, ``CE(g(x_z), y)``; its gradient is that of the classifier on
the sample plus the score function's, ``(CE(g(x_z), y) - b) grad log a_z``: their mean is the
gradient of exact hard attention, whatever b is. The reward of an example is its own log
probability, and b, in units of the loss, is minus a baseline of it: one scalar, 0 at the start,
``b <- baseline_decay b + (1 - baseline_decay) mean loss`` of a minibatch by weight, after the
minibatch was used with the b before it. From 0 it is there after ``1 / (1 - baseline_decay)``
steps, and at a decay of 1 it stays there, which is REINFORCE without a baseline.

There is no weight of the reward, as Xu et al. have: where the focus has parameters of its own,
`focus_rate` is that very thing.
"""

straight_through = Paradigm(
    "straight-through",
    _straight_through,
    natural_inference="argmax-segment",
    stochastic=True,
)
"""Hard attention of one sampled segment, its gradient that of the attention in the sample's place.

The classifier sees the sample, exactly; on the way back the sample counts as the attention it was
drawn from. The gradient is biased, except by chance.
"""

gumbel_softmax = Paradigm(
    "gumbel-softmax",
    _gumbel_softmax,
    natural_inference="argmax-segment",
    hypers=(
        HyperSpec(
            "gumbel_temperature",
            1.0,
            low=0.0,
            open_low=True,
            doc="of the relaxed sample of Gumbel-softmax; towards 0 it is a sample",
        ),
    ),
    stochastic=True,
)
"""Hard attention of one relaxed sample: ``softmax((log a + Gumbel noise) / temperature)``.

The classifier sees the mixture of values by these weights. Towards temperature 0 they are a sample
from the attention, and the gradient's variance grows without bound; towards infinity they are
equal.
"""

SAMPLED = (reinforce, straight_through, gumbel_softmax)
"""All of them."""
