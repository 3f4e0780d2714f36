import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, hyper
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxattn.core.contracts import AttentionMap, Example, InputError
from jaxattn.problems.attention import as_attention_map, average, entropy, imposed, softmax

SEGMENTS = 6

unit = st.floats(0, 1, width=32, allow_subnormal=False)
scores = arrays(PRECISION, SEGMENTS, elements=st.floats(-50, 50, width=32))
masks = arrays(bool, SEGMENTS).filter(np.any)


def bag(mask, foreground=None) -> Example:
    return Example(
        segments=jnp.zeros((SEGMENTS, 1), PRECISION),
        mask=jnp.asarray(mask),
        label=jnp.asarray(0, jnp.int32),
        foreground=jnp.zeros(SEGMENTS, bool) if foreground is None else jnp.asarray(foreground),
        weight=jnp.ones((), PRECISION),
    )


log_softmax = jax.jit(softmax.apply)
log_imposed = jax.jit(imposed.apply)
compiled_entropy = jax.jit(entropy)

FULL = np.ones(SEGMENTS, bool)


@given(scores, masks)
def test_attention_is_the_softmax_of_the_real_segments_alone(values, mask):
    log_attention = np.asarray(log_softmax(values, bag(mask), hyper()))
    assert np.all(log_attention[~mask] == -np.inf)
    real = values[mask] - values[mask].max()
    exact = real - np.log(np.sum(np.exp(real)))
    # A difference of scores up to 100 in size is rounded once here and once in the code.
    np.testing.assert_allclose(log_attention[mask], exact, rtol=0, atol=400 * EPS)
    np.testing.assert_allclose(np.exp(log_attention).sum(), 1, rtol=400 * EPS)


@given(scores, masks, arrays(PRECISION, SEGMENTS, elements=st.floats(width=32, allow_nan=False)))
def test_scores_of_masked_out_segments_change_no_bit(values, mask, other):
    padded = np.where(mask, values, other)
    np.testing.assert_array_equal(
        log_softmax(values, bag(mask), hyper()), log_softmax(padded, bag(mask), hyper())
    )


@given(scores, masks, st.permutations(range(SEGMENTS)))
def test_permuting_segments_permutes_attention(values, mask, order):
    permuted = log_softmax(values[order], bag(mask[order]), hyper())
    # Only the order of the sum under the logarithm differs: SEGMENTS roundings.
    np.testing.assert_allclose(
        permuted, log_softmax(values, bag(mask), hyper())[np.array(order)], atol=100 * EPS
    )


@given(scores, masks, st.floats(0.125, 8, width=32))
def test_temperature_divides_the_scores(values, mask, temperature):
    warm = log_softmax(values, bag(mask), hyper(temperature=temperature))
    scaled = log_softmax((values / temperature).astype(PRECISION), bag(mask), hyper())
    # Scores of up to 400 after division, each rounded once.
    np.testing.assert_allclose(warm, scaled, rtol=0, atol=2000 * EPS)


@given(scores, masks)
def test_a_cold_softmax_puts_everything_on_the_highest_score(values, mask):
    best = np.sort(values[mask])[::-1]
    assume(best.size == 1 or best[0] - best[1] > 1e-3)
    attention = np.exp(log_softmax(values, bag(mask), hyper(temperature=1e-6)))
    # The runner-up keeps at most exp(-1e-3 / 1e-6), which no floating point number can hold.
    expected = np.zeros(SEGMENTS)
    expected[np.argmax(np.where(mask, values, -np.inf))] = 1
    np.testing.assert_array_equal(attention, expected)


@given(scores, masks)
def test_a_hot_softmax_is_uniform_over_the_real_segments(values, mask):
    temperature = 1e4
    log_attention = np.asarray(log_softmax(values, bag(mask), hyper(temperature=temperature)))
    # log a_j = s_j / T - log sum exp(s / T), and both terms are within max |s| / T of uniform.
    bound = 2 * np.max(np.abs(values[mask])) / temperature + 20 * EPS
    assert np.all(np.abs(log_attention[mask] + np.log(mask.sum())) <= bound)


@given(unit, masks, st.integers(0, SEGMENTS - 1), scores)
def test_imposed_puts_exactly_alpha_on_the_foreground(alpha, mask, place, values):
    foreground = np.arange(SEGMENTS) == place
    assume(mask[place] and mask.sum() > 1)
    example = bag(mask, foreground)
    attention = np.exp(np.asarray(log_imposed(values, example, hyper(alpha=alpha))))
    alpha = float(np.asarray(alpha, PRECISION))
    # exp(log alpha) loses |log alpha| units in the last place; a normal float32 is above 1e-38.
    np.testing.assert_allclose(attention[place], alpha, rtol=110 * EPS, atol=0)
    others = mask & ~foreground
    np.testing.assert_allclose(attention[others], (1 - alpha) / others.sum(), rtol=110 * EPS)
    np.testing.assert_array_equal(attention[~mask], 0)


def test_imposed_shares_alpha_among_several_foreground_segments_and_skips_masked_ones():
    mask = np.array([1, 1, 1, 1, 1, 0], bool)
    foreground = np.array([1, 1, 0, 0, 0, 1], bool)
    values = np.zeros(SEGMENTS, PRECISION)
    attention = np.exp(log_imposed(values, bag(mask, foreground), hyper(alpha=0.4)))
    np.testing.assert_allclose(attention, [0.2, 0.2, 0.2, 0.2, 0.2, 0], rtol=10 * EPS)


@given(scores, masks)
def test_entropy_lies_between_zero_and_the_log_of_the_number_of_segments(values, mask):
    value = float(compiled_entropy(log_softmax(values, bag(mask), hyper())))
    assert -10 * EPS <= value <= np.log(mask.sum()) + 10 * EPS


@pytest.mark.parametrize("real", range(1, SEGMENTS + 1))
def test_entropy_is_greatest_for_equal_scores_and_zero_for_one_segment(real):
    mask = np.arange(SEGMENTS) < real
    equal = log_softmax(np.zeros(SEGMENTS, PRECISION), bag(mask), hyper())
    np.testing.assert_allclose(compiled_entropy(equal), np.log(real), atol=10 * EPS)
    one_hot = jnp.where(jnp.arange(SEGMENTS) == real - 1, 0.0, -jnp.inf)
    assert compiled_entropy(one_hot) == 0


@pytest.mark.parametrize("size", [0.0, 1.0, 1e4, 1e30])
def test_extreme_scores_give_attention_that_sums_to_one_and_finite_gradients(size):
    values = np.linspace(-size, size, SEGMENTS).astype("float32")
    settings = hyper("float32")
    mask = np.array([1, 1, 1, 1, 0, 1], bool)
    log_attention = log_softmax(values, bag(mask), settings)
    assert not np.any(np.isnan(log_attention))
    np.testing.assert_allclose(np.exp(log_attention).sum(), 1, rtol=1e-6)

    def spread(values):
        return entropy(softmax.apply(values, bag(mask), settings))

    gradient = jax.grad(spread)(values)
    assert np.all(np.isfinite(gradient))
    assert gradient[4] == 0


def test_average_weighs_every_leaf_over_its_segment_axis(rng):
    values = {"a": rng.normal(size=(SEGMENTS, 2, 3)), "b": rng.normal(size=SEGMENTS)}
    weights = rng.dirichlet(np.ones(SEGMENTS))
    mean = average(jnp.log(weights), jax.tree.map(jnp.asarray, values))
    tolerance = {"rtol": 0, "atol": 50 * EPS}  # six products of numbers of order one
    np.testing.assert_allclose(
        mean["a"], sum(w * v for w, v in zip(weights, values["a"], strict=True)), **tolerance
    )
    np.testing.assert_allclose(mean["b"], np.dot(weights, values["b"]), **tolerance)


def test_a_plain_function_is_an_attention_map():
    def uniform(scores, example, hyper):
        return jnp.full_like(scores, -jnp.log(scores.size))

    made = as_attention_map(uniform)
    assert isinstance(made, AttentionMap)
    assert made.apply is uniform
    assert made.hypers == ()
    assert as_attention_map(softmax) is softmax
    uniform.hypers = 2.0
    with pytest.raises(InputError, match="attention map 'uniform', hypers: got float, expected"):
        as_attention_map(uniform)
