"""Posts of a few words, and losses of them, for tests of models of words."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from helpers import PRECISION, hyper, jit, task_of

from jaxattn.core.contracts import Example
from jaxattn.core.vocabulary import PAD, Vocabulary
from jaxattn.problems.attention_problem import attention_problem

__all__ = ["WORDS", "posts", "problem_of", "slope_of"]

WORDS = Vocabulary(("", "?", *"pqrstu"))


def posts(length=5, count=4):
    """Posts of unequal lengths, the longest of `length` words."""
    rng = np.random.default_rng(3)
    lengths = np.linspace(length, 1, count).astype(int)
    mask = np.arange(length) < lengths[:, None]
    words = np.where(mask, rng.integers(1, WORDS.size, mask.shape), PAD).astype(np.int32)
    label = rng.integers(3, size=count).astype(np.int32)
    foreground = mask & (rng.random(mask.shape) < 0.4)
    return Example(words, mask, label, foreground, np.ones(count, PRECISION))


def problem_of(batch, paradigm, model):
    task = replace(task_of(batch), segments=batch.mask.shape[1])
    return attention_problem(task, model, paradigm, precision=PRECISION)


def slope_of(batch, paradigm, model):
    """Loss and gradient of a batch, at the same parameters."""
    problem = problem_of(batch, paradigm, model)
    params = problem.init(jax.random.key(0), hyper())

    def loss(params):
        return problem.loss(params, batch, hyper(), jnp.zeros(()), None, ())[0]

    return jit(jax.value_and_grad(loss))(params)
