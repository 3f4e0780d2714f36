"""Vectors of words from a text file, and embeddings that start from them."""

import jax
import numpy as np
import pytest
from post_files import posts_in, six_posts

from jaxattn.core.contracts import InputError
from jaxattn.core.vocabulary import PAD
from jaxattn.models import text
from jaxattn.tasks import rationales
from jaxattn.tasks.readers.vectors import read_vectors

WORDS = ("", "?", "p", "q", "r")


def vectors_in(folder, *lines):
    path = folder / "vectors.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("head", [(), ("4 2",)])
def test_the_vectors_of_the_words_are_read_and_others_are_not_known(tmp_path, head) -> None:
    # Once more, and with a blank inside, a word is passed over.
    path = vectors_in(tmp_path, *head, "q 1 -2.5", "z 3 4", "p 1e-3 0", "q 7 7", "r s 5 6")
    found = read_vectors(path, WORDS)
    unknown = [np.nan, np.nan]
    expected = np.array([unknown, unknown, [1e-3, 0], [1, -2.5], unknown], np.float32)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("p 1 2", "q 1"), "line 2 without 2 finite numbers"),
        (("p 1 2", "q 1 x"), "line 2 without 2 finite numbers"),
        (("p 1 nan",), "line 1 without 2 finite numbers"),
        (("z:0:0:z:/z:/bin/z",), "line 1 without 1 finite numbers"),
        (("z 1 2", "y 3 4"), "none of the 5 words"),
        ((), "got no vectors"),
        (("3 4",), "got no vectors"),
    ],
)
def test_what_is_no_vector_is_refused_with_its_line(tmp_path, lines, words) -> None:
    with pytest.raises(InputError, match=words):
        read_vectors(vectors_in(tmp_path, *lines), WORDS)


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: got nothing that can be read"):
        rationales(vectors=tmp_path / "none.txt")


def test_embeddings_start_from_the_vectors_and_other_vectors_are_another_task(tmp_path) -> None:
    folder = posts_in(tmp_path, *six_posts())
    task = rationales(folder, vectors=vectors_in(tmp_path, "q 1 2 3"))
    assert task.vocabulary is not None
    model = text(2, task.vocabulary, width=4)
    start = model.init(jax.random.key(0), task.template, {})["shared"]["embedding"]
    np.testing.assert_array_equal(start[task.vocabulary.words.index("q")], [1, 2, 3])
    np.testing.assert_array_equal(start[PAD], 0)
    drawn = text(2, rationales(folder).vocabulary, features=3)
    others = drawn.init(jax.random.key(0), task.template, {})["shared"]["embedding"]
    np.testing.assert_array_equal(start[2], others[2])
    with pytest.raises(InputError, match="expected the 3 of the task's vectors"):
        text(2, task.vocabulary, features=4)
    before = task.content
    assert rationales(folder, vectors=vectors_in(tmp_path, "q 1 2 4")).content != before
