import numpy as np
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.core.words import EOS, RESERVED, text_of
from jaxattn.problems.check_data import check_splits
from jaxattn.tasks import captions, digits

SIZES = {"train": 20, "test": 5, "validation": 4}
SMALL = {"foreground": (2, 7), **SIZES}


def test_an_example_is_two_mosaics_side_by_side_and_says_what_each_hides():
    task, halves = captions(**SMALL), digits((2, 7), 3, *(2 * size for size in SIZES.values()))
    assert task.caption_words == (*RESERVED, "a", "left", "of", "two", "seven")
    for split, data in task.make(3).items():
        whole, each = data.examples, halves.make(3)[split].examples
        np.testing.assert_array_equal(whole.segments.reshape(-1, 3), each.segments)
        said = [text_of(label, task.caption_words) for label in whole.label]
        named = np.array(("two", "seven"))[each.label].reshape(-1, 2)
        assert said == [f"a {left} left of a {right}" for left, right in named]


def test_a_word_has_the_tile_it_names_and_other_words_have_none():
    task = captions(**SMALL)
    examples = task.make(0)["train"].examples
    named = np.isin(examples.label, [task.caption_words.index(word) for word in ("two", "seven")])
    np.testing.assert_array_equal(examples.foreground.sum(-1), named)
    # In the left half first, then in the right one.
    half = np.argmax(examples.foreground[named], axis=-1) // 3
    np.testing.assert_array_equal(half.reshape(-1, 2), np.tile([0, 1], (20, 1)))
    assert set(examples.label[:, -1]) == {EOS}


def test_its_data_are_what_a_problem_takes_and_equal_arguments_are_one_task():
    task = captions(**SMALL)
    assert captions(**{**SMALL, "foreground": [7, 2]}) is task
    check_splits(task, task.make(0))
    assert "validation" not in captions(**{**SMALL, "validation": 0}).make(0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"segments": 5}, "segments: got 5, expected an even number"),
        ({"segments": 2}, "segments: got 2, expected an integer >= 4"),
        ({"images": "imagenet"}, "images"),
        ({"data": "/nowhere"}, "data: got '/nowhere' beside digits"),
        ({"foreground": (1, 12)}, "foreground"),
        ({"train": 0}, "train: got 0, expected an integer >= 1"),
    ],
)
def test_what_cannot_be_said_is_refused(asked, said):
    with pytest.raises(InputError, match=said):
        captions(**asked)
