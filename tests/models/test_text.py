"""Models of words: what fills posts up has no part, and a word is the same wherever it is."""

from functools import partial

import jax
import numpy as np
import pytest
from helpers import EPS, distance, hyper
from word_posts import WORDS, posts, problem_of, slope_of

from jaxattn.core.contracts import InputError
from jaxattn.core.inputs import Data
from jaxattn.core.vocabulary import PAD
from jaxattn.models import text
from jaxattn.problems.data import pad
from jaxattn.tasks import rationales

MODEL = text(3, WORDS, features=4, width=5)
# Sums of a hundred terms below 10, in another order.
TOLERANCE = 100 * EPS


@pytest.mark.parametrize("paradigm", ["soft", "lvml"])
def test_padding_changes_no_loss_and_no_gradient(paradigm) -> None:
    batch = posts()
    longer = pad(Data(batch), 9).examples
    (loss, slope), (other, of_longer) = (slope_of(one, paradigm, MODEL) for one in (batch, longer))
    np.testing.assert_allclose(loss, other, rtol=TOLERANCE)
    assert distance(slope, of_longer) <= TOLERANCE


def test_what_fills_up_gets_no_attention_and_teaches_nothing() -> None:
    batch = posts()
    problem = problem_of(batch, "soft", MODEL)
    params = problem.init(jax.random.key(0), hyper())
    shown = problem.measure(params, batch, hyper())["attention_shown"]
    assert (shown[:, : batch.mask.shape[1]][~batch.mask] == 0).all()
    assert not np.any(params["shared"]["embedding"][PAD])
    _, slope = slope_of(batch, "hard", MODEL)
    assert not np.any(slope["shared"]["embedding"][PAD])
    seen = np.isin(np.arange(WORDS.size), batch.segments[batch.mask])
    moved = np.any(slope["shared"]["embedding"], axis=1)
    np.testing.assert_array_equal(moved, seen)


def test_reading_ahead_changes_no_loss_and_no_gradient() -> None:
    batch, one_by_one = posts(), MODEL._replace(many=None)
    (loss, slope), (other, alone) = (slope_of(batch, "hard", m) for m in (MODEL, one_by_one))
    np.testing.assert_allclose(loss, other, rtol=TOLERANCE)
    assert distance(slope, alone) <= TOLERANCE


def test_sizes_are_those_of_the_paper() -> None:
    task = rationales()
    assert task.vocabulary is not None
    model = text(3, task.vocabulary)
    params = jax.eval_shape(partial(model.init, jax.random.key(0), task.template, {}))
    assert params["shared"]["embedding"].shape == (task.vocabulary.size, 100)
    counts = {part: sum(leaf.size for leaf in jax.tree.leaves(params[part])) for part in params}
    # 100 -> 200 -> 1 and 100 -> 200 -> 3, with biases.
    assert counts["focus"] == 101 * 200 + 201
    assert counts["classify"] == 101 * 200 + 3 * 201


def test_a_task_without_words_and_impossible_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="segments are no words"):
        text(3)
    with pytest.raises(InputError, match="0 features"):
        text(3, WORDS, features=0)
