"""Words that see each other: one post computed by hand, and what must not matter."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, distance, hyper, jit, task_of
from word_posts import WORDS, posts, slope_of

from jaxattn.core.contracts import Data, InputError
from jaxattn.models import text_attention
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.data import pad

SIZES = {"features": 6, "width": 5, "focus_width": 4}
MODEL = text_attention(3, WORDS, **SIZES, dropout=0.0)
# Sums of a hundred terms below 10, in another order.
TOLERANCE = 200 * EPS


def started(model=MODEL):
    batch = posts()
    params = model.init(jax.random.key(1), jax.tree.map(lambda leaf: leaf[0], batch), {})
    return jax.tree.map(lambda leaf: np.asarray(leaf, PRECISION), params), batch


def by_hand(params, words):
    """What a post of these words is represented by: the formulas of PAPER 3.7, as meant."""
    block = params["shared"]["block"]
    places, numbers = np.arange(len(words))[:, None], np.arange(6)[None, :]
    angles = places / 10000 ** (2 * (numbers // 2) / 6)
    seen = params["shared"]["embedding"][words] + np.where(
        numbers % 2, np.cos(angles), np.sin(angles)
    )
    mixed = []
    for head in range(2):
        query, key, value = (seen @ block[n]["kernel"][:, head] for n in ("query", "key", "value"))
        weights = np.exp(query @ key.T / np.sqrt(3))
        mixed.append(weights / weights.sum(axis=1, keepdims=True) @ value)
    unify = block["unify"]
    return seen + np.concatenate(mixed, axis=1) @ unify["kernel"] + unify["bias"]


@pytest.mark.parametrize("post", [0, 2])
def test_a_post_is_represented_as_by_hand_whatever_fills_it_up(post) -> None:
    params, batch = started()
    example = jax.tree.map(lambda leaf: jnp.asarray(leaf[post]), batch)
    found = jit(MODEL.represent)(params, example, None)
    words = batch.segments[post][batch.mask[post]]
    np.testing.assert_allclose(found[: len(words)], by_hand(params, words), rtol=0, atol=TOLERANCE)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("paradigm", ["soft", "hard"])
def test_padding_changes_no_loss_and_no_gradient(paradigm) -> None:
    batch = posts()
    longer = pad(Data(batch), 9).examples
    (loss, slope), (other, of_longer) = (slope_of(one, paradigm, MODEL) for one in (batch, longer))
    np.testing.assert_allclose(loss, other, rtol=TOLERANCE)
    assert distance(slope, of_longer) <= TOLERANCE


def test_dropout_is_of_training_alone() -> None:
    dropping = text_attention(3, WORDS, **SIZES, dropout=0.5)
    assert (dropping.stochastic, MODEL.stochastic) == (True, False)
    params, batch = started(dropping)
    example = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), batch)
    measured = jit(dropping.represent)(params, example, None)
    np.testing.assert_array_equal(measured, jit(MODEL.represent)(params, example, None))
    drawn = jax.vmap(lambda key: dropping.represent(params, example, key))
    each = jit(drawn)(jax.random.split(jax.random.key(0), 3))
    assert distance(each[0], each[1]) > 0.1
    task = replace(task_of(batch), segments=batch.mask.shape[1])
    problem = attention_problem(task, dropping, "soft", precision=PRECISION)
    loss = jit(lambda key: problem.loss(params, batch, hyper(), jnp.zeros(()), key, ())[0])
    assert loss(jax.random.key(0)) != loss(jax.random.key(1))


def test_impossible_sizes_and_a_task_without_words_are_refused() -> None:
    for wrong in ({"features": 5}, {"features": 6, "heads": 4}, {"dropout": 1.0}, {"width": 0}):
        with pytest.raises(InputError, match="size of text-attention"):
            text_attention(3, WORDS, **wrong)
    with pytest.raises(InputError, match="segments are no words"):
        text_attention(3)
