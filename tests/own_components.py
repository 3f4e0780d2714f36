"""Components of somebody's own, as a sweep names them: own_components:loss and so on."""

import jax.numpy as jnp
import optax

from jaxattn.models import linear
from jaxattn.tasks import orthogonal

A_NUMBER = 3


def focus_free(log_attention, values, read, label, context):
    return -read.log_probability(jnp.mean(values, axis=0), label)


def bags(classes=3, segments=4, noise=0.5, **more):
    return orthogonal(classes, segments, train=8, test=8, points=8, validation=0)


def model(classes, gain=1.0):
    return linear(classes)


def slow(hyper):
    return optax.sgd(hyper["learning_rate"] / 2)


def no_task(segments=4):
    return segments
