import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, PRECISION, bags, distance, hyper, jit, task_of

from jaxattn.core.streams import streams
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.microbatch import in_pieces

COUNT = 10
BATCH = bags(np.random.default_rng(4), COUNT)._replace(
    weight=np.arange(COUNT).astype(PRECISION)  # the first bag does not count, the last one most
)
MODEL = linear(CLASSES, bias=True, start="uniform")


@pytest.mark.parametrize(
    ("name", "piece"), [("soft", 3), ("hard", 5), ("lvml", 1), ("lvml", COUNT + 1)]
)
def test_loss_and_gradient_by_pieces_are_those_of_the_whole(name, piece):
    whole = attention_problem(task_of(BATCH), MODEL, name, precision=PRECISION)
    params = whole.init(streams(1).init, hyper())

    def value_and_slope(problem):
        slope = jit(jax.value_and_grad(problem.loss, has_aux=True))
        (value, state), gradient = slope(params, BATCH, hyper(), jnp.zeros(()), None, ())
        assert state == ()
        return value, gradient

    # Sums of ten terms of order one in another order.
    assert distance(value_and_slope(in_pieces(whole, piece)), value_and_slope(whole)) <= 100 * EPS


def test_equal_arguments_give_the_same_problem():
    whole = attention_problem(task_of(BATCH), MODEL, "soft", precision=PRECISION)
    assert in_pieces(whole, 3) is in_pieces(whole, 3)
    assert in_pieces(whole, 3).measure is whole.measure
