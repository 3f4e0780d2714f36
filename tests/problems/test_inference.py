import jax
import jax.numpy as jnp
import numpy as np
from helpers import EPS, PRECISION
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxattn.problems.inference import INFERENCE_RULES, infer

SEGMENTS, CLASSES = 5, 3

scores = arrays(PRECISION, SEGMENTS, elements=st.floats(-8, 8, width=32))
masks = arrays(bool, SEGMENTS).filter(np.any)
values = arrays(PRECISION, (SEGMENTS, CLASSES), elements=st.floats(-20, 20, width=32))

# Log probabilities reach -40 - log CLASSES and are sums of SEGMENTS terms, each rounded.
TOLERANCE = 42 * 4 * SEGMENTS * EPS


@jax.jit
def answers(scores, mask, values):
    """The classifier here is the identity: a value is its logits."""
    log_attention = jax.nn.log_softmax(jnp.where(mask, scores, -jnp.inf))
    return infer(log_attention, values, jax.vmap(jax.nn.log_softmax)(values), jax.nn.log_softmax)


def softmax(logits):
    return np.exp(logits - logits.max()) / np.sum(np.exp(logits - logits.max()))


@given(scores, masks, values)
def test_each_rule_is_its_definition(scores, mask, values):
    a = np.where(mask, np.exp(scores), 0) / np.sum(np.where(mask, np.exp(scores), 0))
    argmax = np.log(softmax(values[np.argmax(np.where(mask, scores, -np.inf))]))
    output = np.log(sum(w * softmax(row) for w, row in zip(a, values, strict=True)))
    average = np.log(softmax(a @ values))
    assert INFERENCE_RULES == ("argmax-segment", "average-output", "average-input")
    np.testing.assert_allclose(
        answers(scores, mask, values), [argmax, output, average], rtol=0, atol=TOLERANCE
    )


@given(scores, masks, values)
def test_every_answer_is_a_distribution(scores, mask, values):
    total = np.exp(answers(scores, mask, values)).sum(axis=-1)
    np.testing.assert_allclose(total, 1, rtol=0, atol=TOLERANCE)


@given(st.integers(0, SEGMENTS - 1), values)
def test_all_rules_agree_when_one_segment_has_all_attention(place, values):
    mask = np.arange(SEGMENTS) == place
    argmax, output, average = answers(np.zeros(SEGMENTS, PRECISION), mask, values)
    np.testing.assert_allclose(output, argmax, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(average, argmax, rtol=0, atol=TOLERANCE)


def test_the_first_of_equal_segments_is_read(rng):
    values = rng.normal(size=(SEGMENTS, CLASSES)).astype(PRECISION)
    mask = np.array([0, 1, 1, 1, 1], bool)
    argmax, *_ = answers(np.zeros(SEGMENTS, PRECISION), mask, values)
    np.testing.assert_allclose(argmax, np.log(softmax(values[1])), rtol=0, atol=TOLERANCE)
