"""Small captions on small bags, and a model of them, that several tests share."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from helpers import PRECISION, jit

from jaxattn.core.contracts import Data, Example, Task
from jaxattn.core.words import EOS, PAD, RESERVED
from jaxattn.models import captioner
from jaxattn.problems.caption_problem import caption_problem

VOCABULARY = (*RESERVED, "red", "blue")
SEGMENTS, WORDS, WIDTH = 3, 3, 4
MODEL = captioner(len(VOCABULARY), WIDTH)


def caption_bags(count: int = 4, segments: int = SEGMENTS, seed: int = 0) -> Example:
    """Captions of one or two colours and the end; every second one is filled up."""
    rng = np.random.default_rng(seed)
    label = rng.integers(4, 6, (count, WORDS)).astype(np.int32)
    label[:, 2] = EOS
    label[::2, 1:] = EOS, PAD
    tile = rng.integers(0, segments, (count, WORDS))
    foreground = np.arange(segments) == tile[..., None]
    foreground[label < 4] = False
    return Example(
        segments=rng.normal(size=(count, segments, 2)).astype(PRECISION),
        mask=np.ones((count, segments), bool),
        label=label,
        foreground=foreground,
        weight=np.ones(count, PRECISION),
    )


def caption_task(batch: Example) -> Task:
    template = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), batch)
    return Task(
        "colours",
        batch.mask.shape[1],
        len(VOCABULARY),
        lambda seed: {"train": Data(batch)},
        template,
        default_model="captioner",
        caption_words=VOCABULARY,
    )


TASK = caption_task(caption_bags())


def problem_of(paradigm, task=TASK, model=MODEL):
    return caption_problem(task, model, paradigm, precision=PRECISION)


@lru_cache
def loss_of(paradigm, task=TASK, model=MODEL):
    """``(params, batch, hyper, time) -> (loss, gradient)``, compiled once for all tests."""
    problem = problem_of(paradigm, task, model)

    def loss(params, batch, hyper, time):
        return problem.loss(params, batch, hyper, time, None, ())[0]

    return jit(jax.value_and_grad(loss))


@lru_cache
def measure_of(task=TASK):
    return jit(problem_of("soft", task).measure)
