import jax
import jax.numpy as jnp
import numpy as np
import pytest
from caption_bags import MODEL, TASK, VOCABULARY, WIDTH
from helpers import EPS, PRECISION, assert_same_bits, jit

from jaxattn.core.contracts import InputError
from jaxattn.models import SEQUENCE_MODELS, captioner

EXAMPLE = TASK.template
PARAMS = jit(MODEL.init)(jax.random.key(0), EXAMPLE, {})


def test_it_is_found_by_name_and_equal_sizes_are_one_model():
    assert SEQUENCE_MODELS["captioner"](6, 4) is captioner(6, 4)
    assert set(PARAMS) == {"shared", "focus", "classify"}
    assert {leaf.dtype for leaf in jax.tree.leaves(PARAMS)} == {jnp.dtype(PRECISION)}


def test_it_has_a_score_a_segment_and_a_logit_a_word_given_what_was_said():
    @jit
    def look(word):
        values = MODEL.represent(PARAMS, EXAMPLE, None)
        state = MODEL.start(PARAMS, EXAMPLE, values)
        after = MODEL.advance(PARAMS, state, word, values[0])
        looks = [
            (MODEL.score(PARAMS, at, values), MODEL.classify(PARAMS, at, values[1]))
            for at in (state, after)
        ]
        return values, looks

    values, (before, after) = look(jnp.asarray(4))
    assert values.shape == (3, WIDTH)
    assert [leaf.shape for leaf in before] == [(3,), (len(VOCABULARY),)]
    _, (same, other) = look(jnp.asarray(5))
    assert_same_bits(before, same)
    assert not np.allclose(after[0], other[0])
    assert not np.allclose(after[1], other[1])


def test_it_tells_places_apart_and_equal_segments_by_their_places_alone():
    alike = EXAMPLE._replace(segments=jnp.ones_like(EXAMPLE.segments))
    values = MODEL.represent(PARAMS, alike, None)
    places = PARAMS["shared"]["segments"]["place"]
    np.testing.assert_allclose(values - places, (values - places)[:1].repeat(3, 0), atol=8 * EPS)


def test_a_width_of_nothing_is_refused():
    with pytest.raises(InputError, match="got width 0"):
        captioner(6, 0)
