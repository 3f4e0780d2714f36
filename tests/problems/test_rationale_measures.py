"""Attention against rationales: scikit-learn and direct sums give the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, jit
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from jaxattn.core.contracts import Example, Reader
from jaxattn.problems.large_sets import of_each
from jaxattn.problems.measures import View
from jaxattn.problems.rationale_measures import RATIONALE_MEASURES, average_of_posts, of_rationale

WORDS, CLASSES = 6, 3
# Sums of a few terms below 1.
TOLERANCE = 50 * EPS


def view_of(log_attention, values):
    return View(log_attention, log_attention, values, Reader(lambda value: value))


def posts(count=8):
    """Log attention, values and rationales of posts of one to six words."""
    rng = np.random.default_rng(0)
    mask = np.arange(WORDS) < np.minimum(1 + np.arange(count), WORDS)[:, None]
    marked = mask & (rng.random(mask.shape) < 0.5)
    marked[:, 0] |= np.arange(count) != 4  # one has no rationale
    marked[4] = False
    scores = np.where(mask, rng.normal(size=mask.shape), -np.inf)
    log_attention = jax.nn.log_softmax(jnp.asarray(scores, PRECISION))
    values = jnp.asarray(rng.normal(size=(*mask.shape, CLASSES)), PRECISION)
    label = np.zeros(count, np.int32)
    batch = Example(values, mask, label, marked, np.ones(count, PRECISION))
    return log_attention, values, jax.tree.map(jnp.asarray, batch)


def attended_words(attention, mask):
    """More than an even share."""
    found = mask & (attention > 1 / mask.sum())
    found[attention.argmax()] = True
    return found


look = jit(
    lambda log_attention, values, example: of_rationale(view_of(log_attention, values), example)
)


@pytest.mark.parametrize("post", [1, 2, 5, 6, 7])
def test_words_are_told_as_by_scikit_learn(post) -> None:
    log_attention, values, batch = posts()
    example = jax.tree.map(lambda leaf: leaf[post], batch)
    found = look(log_attention[post], values[post], example)
    attention, mask = np.exp(log_attention[post]), np.asarray(example.mask)
    truth = np.asarray(example.foreground)[mask]
    told = attended_words(attention, mask)[mask]
    score = attention[mask]
    np.testing.assert_allclose(found["token_f1"], f1_score(truth, told), rtol=TOLERANCE)
    np.testing.assert_allclose(found["token_iou"], jaccard_score(truth, told), rtol=TOLERANCE)
    expected = average_precision_score(truth, score)
    np.testing.assert_allclose(found["token_auprc"], expected, rtol=TOLERANCE)


def test_words_of_equal_attention_count_as_by_scikit_learn() -> None:
    _, values, batch = posts()
    example = jax.tree.map(lambda leaf: leaf[7], batch)
    attention = np.array([0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    found = look(jnp.log(jnp.asarray(attention, PRECISION)), values[7], example)
    expected = average_precision_score(np.asarray(example.foreground), attention)
    np.testing.assert_allclose(found["token_auprc"], expected, rtol=TOLERANCE)


def test_a_post_of_even_attention_attends_one_word() -> None:
    words = 29  # of which each has more than an even share in float32, by rounding
    even = jax.nn.log_softmax(jnp.full(words, 0.7, jnp.float32))
    assert (words * jnp.exp(even) > 1).all()
    values = jnp.zeros((words, CLASSES), jnp.float32)
    first = jnp.arange(words) == 0
    example = Example(values, first | True, jnp.int32(0), first, jnp.float32(1))
    assert look(even, values, example)["token_iou"] == 1


def by_hand(attention, values, kept):
    """The chances of all classes by each rule, with attention on some words alone."""
    share = np.where(kept, attention, 0) / attention[kept].sum()
    of_each = np.asarray(jax.nn.softmax(values, axis=-1))
    average = np.asarray(jax.nn.softmax(share @ np.asarray(values)))
    return np.stack([of_each[share.argmax()], share @ of_each, average])


def test_what_is_lost_without_attended_words_and_with_them_alone() -> None:
    log_attention, values, batch = posts()
    example = jax.tree.map(lambda leaf: leaf[6], batch)
    found = look(log_attention[6], values[6], example)
    attention, mask = np.exp(log_attention[6]), np.asarray(example.mask)
    told = attended_words(attention, mask)
    whole = by_hand(attention, values[6], mask)
    answer = whole.argmax(axis=-1)
    for name, kept in (("comprehensiveness", mask & ~told), ("sufficiency", told)):
        lost = (whole - by_hand(attention, values[6], kept))[np.arange(3), answer]
        np.testing.assert_allclose(found[name], lost, atol=TOLERANCE)
    # The word with most attention is among those that are attended.
    assert found["sufficiency"][0] == 0


def test_attention_on_one_word_alone_leaves_even_shares_without_it() -> None:
    _, values, batch = posts()
    example = jax.tree.map(lambda leaf: leaf[7], batch)
    log_attention = jnp.log(jnp.asarray(np.eye(WORDS)[2], PRECISION))
    found = look(log_attention, values[7], example)
    attention = np.full(WORDS, 1 / WORDS)
    whole = by_hand(np.eye(WORDS)[2], values[7], np.arange(WORDS) == 2)
    left = by_hand(attention, values[7], np.arange(WORDS) != 2)
    answer = whole.argmax(axis=-1)
    lost = (whole - left)[np.arange(3), answer]
    np.testing.assert_allclose(found["comprehensiveness"], lost, atol=TOLERANCE)


@pytest.mark.parametrize("at_once", [None, 3])
def test_means_are_over_the_posts_that_have_what_is_measured(at_once) -> None:
    log_attention, values, batch = posts()
    weight = jnp.asarray([1, 2, 0, 1, 1, 1, 3, 1], PRECISION)

    def of_one(example):
        return of_rationale(view_of(*example.segments), example)

    def means(batch):
        return average_of_posts(of_each(of_one, batch, at_once, PRECISION), batch)

    found = jit(means)(batch._replace(segments=(log_attention, values), weight=weight))
    assert found.keys() == {spec.name for spec in RATIONALE_MEASURES}
    each = jax.vmap(look)(log_attention, values, batch)
    known = np.asarray(batch.foreground & batch.mask).any(-1)
    several = np.asarray(batch.mask).sum(-1) > 1
    for name, mean in found.items():
        counts = np.asarray(weight) * (known if name.startswith("token") else several)
        expected = np.average(
            np.where(counts.reshape(-1, *[1] * (each[name].ndim - 1)) > 0, each[name], 0),
            axis=0,
            weights=counts,
        )
        np.testing.assert_allclose(mean, expected, atol=TOLERANCE)
