"""What a model writes: the best that can be written, and nothing after its end."""

from functools import lru_cache, partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from caption_bags import MODEL, VOCABULARY, caption_bags
from helpers import EPS, PRECISION, hyper, jit, one_of

from jaxattn.core.contracts import InputError
from jaxattn.core.words import EOS, PAD, SOS
from jaxattn.problems.attention import average, softmax
from jaxattn.problems.decoding import decode

BATCH = caption_bags(8)
LENGTH = 3


def drawn(seed=0):
    """Parameters of some size, the same in every precision."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), one_of(BATCH), hyper())
    return jax.tree.map(lambda leaf: (1.5 * rng.normal(size=leaf.shape)).astype(PRECISION), shapes)


PARAMS = drawn()


@lru_cache
def writer(width, length=LENGTH):
    one = partial(decode, MODEL, softmax, length=length, width=width)
    return jit(lambda batch: jax.vmap(lambda example: one(PARAMS, example, hyper()))(batch))


@lru_cache
def answers():
    """``(example, words) -> [word, class]``: log probability of every word at each step."""

    def of_one(example, words):
        values = MODEL.represent(PARAMS, example, None)

        def step(state, word):
            log_attention = softmax.apply(MODEL.score(PARAMS, state, values), example, hyper())
            value = average(log_attention, values)
            read = jax.nn.log_softmax(MODEL.classify(PARAMS, state, value))
            return MODEL.advance(PARAMS, state, word, value), read

        return jax.lax.scan(step, MODEL.start(PARAMS, example, values), words)[1]

    return jit(jax.vmap(of_one, in_axes=(None, 0)))


def likelihood(example, captions):
    """Log probability of captions, up to their end."""
    read = np.asarray(answers()(example, jnp.asarray(captions)))
    each = np.take_along_axis(read, np.asarray(captions)[..., None], axis=-1)[..., 0]
    return np.where(captions != PAD, each, 0).sum(-1)


def every_caption():
    """All that can be written in as many words: ended ones, and those that never end."""
    words = [word for word in range(len(VOCABULARY)) if word not in (PAD, SOS, EOS)]
    whole = [list(each) for each in product(words, repeat=LENGTH)]
    ended = [
        [*each, EOS] + [PAD] * (LENGTH - count - 1)
        for count in range(LENGTH)
        for each in product(words, repeat=count)
    ]
    return np.array(whole + ended, np.int32)


def test_a_beam_of_one_takes_the_most_probable_word_each_time():
    found = writer(1)(BATCH).words
    for number in range(len(BATCH.label)):
        example, caption = one_of(BATCH, number), np.full(LENGTH, PAD, np.int32)
        for place in range(LENGTH):
            read = np.array(answers()(example, jnp.asarray(caption[None]))[0, place])
            read[[PAD, SOS]] = -np.inf
            caption[place] = read.argmax()
            if caption[place] == EOS:
                break
        np.testing.assert_array_equal(found[number], caption)


def test_nothing_comes_after_the_end():
    for width in (1, 40):
        found = writer(width)(BATCH)
        words = np.asarray(found.words)
        ended = np.cumsum(words == EOS, axis=1) - (words == EOS) > 0
        assert ended.any()
        assert not ended.all(axis=1).any()
        np.testing.assert_array_equal(words == PAD, ended)
        np.testing.assert_array_equal(np.isnan(found.attention).all(-1), ended)
        np.testing.assert_array_equal(np.isnan(found.probabilities).all(-1), ended)


def test_a_wide_beam_finds_the_most_probable_caption_of_all():
    captions, found = every_caption(), writer(40)(BATCH)
    for number in range(len(BATCH.label)):
        known = likelihood(one_of(BATCH, number), captions)
        # A few dozen operations on numbers of order ten.
        assert found.log_probability[number] == pytest.approx(known.max(), abs=1000 * EPS)
        np.testing.assert_array_equal(found.words[number], captions[known.argmax()])


@pytest.mark.parametrize("asked", [{"rule": "best"}, {"width": 0}, {"length": 0}])
def test_what_cannot_be_written_is_refused(asked):
    with pytest.raises(InputError, match="decode: got rule"):
        decode(MODEL, softmax, PARAMS, one_of(BATCH), hyper(), **asked)
