"""A caption is its words, each with attention of its own, and the losses of its words add up."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from caption_bags import (
    MODEL,
    SEGMENTS,
    TASK,
    WORDS,
    caption_bags,
    caption_task,
    loss_of,
    measure_of,
    problem_of,
)
from helpers import EPS, PRECISION, assert_same_bits, distance, hyper, jit, one_of, study_of

from jaxattn.core.contracts import Context, InputError, Reader
from jaxattn.core.words import EOS, PAD
from jaxattn.models import linear
from jaxattn.problems.attention import average, softmax
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.caption_problem import caption_problem
from jaxattn.problems.check_captions import first_word, one_word
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.tasks import captions, digits

BATCH = caption_bags()
# A few hundred operations on numbers of order one, in another order.
CLOSE = {"rtol": 300 * EPS, "atol": 300 * EPS}


@lru_cache
def start(task=TASK, seed=0):
    params = jit(problem_of("soft", task).init)(jax.random.key(seed), hyper())
    # From the start all words are alike; sharper, they are not.
    return jax.tree.map(lambda leaf: 3 * leaf, params)


def loss(paradigm, batch=BATCH, time=0.0, task=TASK, params=None):
    params = start(task) if params is None else params
    return loss_of(paradigm, task)(params, batch, hyper(), jnp.asarray(time, PRECISION))


@pytest.mark.parametrize("paradigm", ["soft", "lvml"])
def test_a_caption_is_the_sum_over_its_words_given_the_words_before(paradigm):
    params, example = start(), one_of(BATCH, 1)
    values = MODEL.represent(params, example, None)
    state, total = MODEL.start(params, example, values), 0.0
    context = Context(hyper(), jnp.zeros(()), None, ())
    for word in example.label:
        one = example._replace(label=word)
        log_attention = softmax.apply(MODEL.score(params, state, values), one, hyper())
        read = Reader(lambda value, state=state: MODEL.classify(params, state, value))
        total += PARADIGMS[paradigm].loss(log_attention, values, read, word, context)[0]
        state = MODEL.advance(params, state, word, average(log_attention, values))
    alone = jax.tree.map(lambda leaf: leaf[1:2], BATCH)
    np.testing.assert_allclose(loss(paradigm, alone)[0], total, **CLOSE)


def test_a_caption_of_one_word_is_an_example_of_one_label():
    label = np.where(np.arange(WORDS) == 0, BATCH.label, PAD)
    alone = attention_problem(one_word(TASK), first_word(MODEL), "hard", precision=PRECISION)
    batch = jax.tree.map(jnp.asarray, BATCH)
    params = start()

    def of_first(params):
        def one(example):
            values = MODEL.represent(params, example, None)
            state = MODEL.start(params, example, values)
            bag = jax.tree.map(lambda leaf: leaf[None], example)
            given = {"model": params, "state": state}
            return alone.loss(given, bag, hyper(), jnp.zeros(()), None, ())[0]

        first = batch._replace(label=batch.label[:, 0], foreground=batch.foreground[:, 0])
        return jnp.mean(jax.vmap(one)(first))

    found, slope = loss("hard", BATCH._replace(label=label))
    expected, other = jit(jax.value_and_grad(of_first))(params)
    np.testing.assert_allclose(found, expected, **CLOSE)
    assert distance(slope, other) <= 300 * EPS


def test_of_one_segment_soft_hard_and_lvml_are_alike():
    batch = caption_bags(segments=1)
    task = caption_task(batch)
    params = start(task)

    def of(name):
        problem = problem_of(name, task)
        return problem.loss(params, batch, hyper(), jnp.zeros((), PRECISION), None, ())[0]

    found = jit(lambda: [of(name) for name in ("soft", "hard", "lvml")])()
    np.testing.assert_allclose(found, [found[0]] * 3, **CLOSE)


def test_lvml_is_at_most_hard_and_a_hybrid_is_soft_and_then_hard():
    soft, hard, lvml = (loss(name) for name in ("soft", "hard", "lvml"))
    assert lvml[0] < hard[0]
    for time, same in ((0.5, soft), (1.5, hard)):
        found = loss("hybrid", time=time)
        assert distance(found, same) <= 300 * EPS


def test_what_fills_a_caption_up_changes_no_loss_gradient_or_measure():
    # A shorter array of words is another program; the same array cut short inside is not.
    filled = caption_bags()
    longer = filled._replace(
        label=np.pad(filled.label, ((0, 0), (0, 2)), constant_values=PAD),
        foreground=np.pad(filled.foreground, ((0, 0), (0, 2), (0, 0))),
    )
    other = caption_task(longer)
    for paradigm in ("soft", "hard"):
        short, long = loss(paradigm), loss(paradigm, longer, task=other, params=start())
        assert distance(short, long) <= 300 * EPS
    short, long = (
        measure_of()(start(), filled, hyper()),
        measure_of(other)(start(), longer, hyper()),
    )
    by_word = long.pop("attention_by_word")
    assert np.isnan(by_word[:, WORDS:]).all()
    np.testing.assert_allclose(by_word[:, :WORDS], short.pop("attention_by_word"), **CLOSE)
    for name in short:
        np.testing.assert_allclose(long[name], short[name], rtol=300 * EPS, atol=1e-9 + 300 * EPS)


def test_a_segment_that_is_masked_out_has_no_attention_and_no_say():
    masked = BATCH._replace(mask=np.arange(SEGMENTS)[None] < [[2]] * len(BATCH.mask))
    masked = masked._replace(foreground=masked.foreground & masked.mask[:, None])
    other = masked._replace(segments=np.where(masked.mask[..., None], masked.segments, 1e30))
    for paradigm in ("soft", "hard"):
        assert_same_bits(loss(paradigm, masked), loss(paradigm, other))
    found = measure_of()(start(), masked, hyper())
    assert_same_bits(found, measure_of()(start(), other, hyper()))
    shown = np.asarray(found["attention_by_word"])
    assert (shown[..., 2][np.isfinite(shown[..., 0])] == 0).all()


def test_measures_are_means_over_the_words_whose_tile_is_known():
    found = measure_of()(start(), BATCH, hyper())
    cells = np.asarray(found["error_cell"])
    np.testing.assert_allclose(cells.sum(-1), 100, **CLOSE)
    np.testing.assert_allclose(cells[:, :2].sum(-1), found["accuracy"], **CLOSE)
    # By hand: attention on the tile of each such word, of all examples, all of which are shown.
    shown, on = np.asarray(found["attention_by_word"]), BATCH.foreground
    np.testing.assert_allclose(shown[on].mean(), found["attention_foreground"], **CLOSE)
    # One example does not count: it is as if it were not there.
    fewer = BATCH._replace(weight=np.array([1, 1, 1, 0], PRECISION))
    shown = np.asarray(measure_of()(start(), fewer, hyper())["attention_by_word"])
    assert np.isnan(shown[3]).all()
    first = measure_of()(start(), fewer, hyper())["attention_foreground"]
    np.testing.assert_allclose(shown[:3][on[:3]].mean(), first, **CLOSE)


def test_the_loss_of_all_words_is_that_of_training_and_no_tile_known_is_no_number():
    unknown = BATCH._replace(foreground=np.zeros_like(BATCH.foreground))
    found = measure_of()(start(), unknown, hyper())
    words = (BATCH.label != PAD).sum()
    average_input = found["caption_loss"][2]
    expected = loss("soft")[0] * len(BATCH.label) / words
    np.testing.assert_allclose(average_input, expected, **CLOSE)
    assert np.isnan(found["accuracy"]).all()
    assert np.isnan(found["attention_foreground"])


@lru_cache
def drawn(baseline):
    """``(params, batch, key) -> ((loss, baseline after it), gradient)`` of REINFORCE."""
    problem = problem_of("reinforce")

    def loss(params, batch, key):
        time, decay = jnp.zeros(()), hyper(baseline_decay=0.5)
        return problem.loss(params, batch, decay, time, key, jnp.asarray(baseline, PRECISION))

    return jax.value_and_grad(loss, has_aux=True)


def test_a_segment_sampled_for_each_word_has_the_gradient_of_hard_attention_in_the_mean():
    draws = 20000
    keys = jax.random.split(jax.random.key(3), draws)
    params = start()
    each = jit(jax.vmap(drawn(0.7), (None, None, 0)))(params, BATCH, keys)[1]
    exact = loss("hard")[1]

    def spread(found, expected):
        error = jnp.std(found, axis=0) / np.sqrt(draws)
        # What has no noise, as the parameters of no word here, is exact but for rounding.
        return jnp.max(jnp.abs(jnp.mean(found, axis=0) - expected) / (error + 1e3 * EPS))

    assert max(jax.tree.leaves(jax.tree.map(spread, each, exact))) < 4.5


def test_the_baseline_moves_to_the_mean_over_words_and_what_fills_up_has_no_part():
    key, params = jax.random.key(1), start()
    (value, after), _ = jit(drawn(0.0))(params, BATCH, key)
    words = (BATCH.label != PAD).sum()
    # A loss is the sum over its words, of value 0 what REINFORCE adds.
    assert float(after) == pytest.approx(0.5 * float(value) * len(BATCH.label) / words, rel=1e-5)
    first = BATCH._replace(weight=np.array([1, 0, 0, 0], PRECISION))
    (value, after), _ = jit(drawn(0.0))(params, first, key)
    assert float(after) == pytest.approx(
        0.5 * float(value) / (BATCH.label[0] != PAD).sum(), rel=1e-5
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: caption_problem(TASK, MODEL, "soft", "imposed"), "have no tile"),
        (lambda: study_of(digits(), model=MODEL), "expected Model"),
        (lambda: study_of(TASK, model=linear(6)), "expected SequenceModel"),
        (
            lambda: caption_problem(captions(), "mlp", "soft"),
            "got 'mlp', expected one of captioner",
        ),
        (
            lambda: problem_of("soft", model=MODEL._replace(advance=lambda p, s, w, v: (v, v, v))),
            "model.advance: got tuple of 3",
        ),
        (
            lambda: problem_of("soft", model=MODEL._replace(classify=lambda p, s, v: v)),
            "model.classify",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(make, said):
    with pytest.raises(InputError, match=said):
        make()


def test_the_end_is_a_word_that_is_learnt():
    assert EOS in BATCH.label
    without = BATCH._replace(label=np.where(BATCH.label == EOS, PAD, BATCH.label))
    assert loss("soft", without)[0] < loss("soft")[0]
