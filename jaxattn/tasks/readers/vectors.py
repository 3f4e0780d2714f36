"""Vectors of words in a text file: a word and its numbers a line, as of GloVe and word2vec."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxattn.core.contracts import InputError

__all__ = ["read_vectors"]


def read_vectors(path: str | Path, words: Sequence[str]) -> Float[np.ndarray, "word feature"]:
    """The vectors of these words, NaN where the file has none.

    A first line of two integers, how many words and numbers there are, is passed over. The first
    line of a word counts; words with blanks in them are other words.

    Args:
        path: of the file.
        words: as they are looked for.

    Raises:
        InputError: no file, no vectors in it or of none of the words, or a line with another count
            of numbers than the first or with what is no number.
    """
    path = Path(path)
    places = {word.encode(errors="backslashreplace"): at for at, word in enumerate(words)}
    found: dict[int, np.ndarray] = {}
    count = 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                word, _, rest = line.rstrip().partition(b" ")
                if number == 1 and word.isdigit() and rest.isdigit():
                    continue
                if not count:
                    # Looked at whatever its word is: what is no file of vectors fails here.
                    count = max(1, len(rest.split()))
                    _vector(rest.split(), count, path, number)
                if (at := places.get(word)) is not None and at not in found:
                    vector = _vector(rest.split(), count, path, number)
                    if vector is not None:
                        found[at] = vector
    except OSError as error:
        raise InputError(
            f"{path}: got nothing that can be read ({error.strerror}), expected a text file of "
            "word vectors; give the file itself."
        ) from error
    if not count:
        raise InputError(f"{path}: got no vectors, expected a word and its numbers in each line.")
    if not found:
        raise InputError(
            f"{path}: got vectors of none of the {len(words)} words of the training posts, "
            "expected some of them; give vectors of the same language and spelling."
        )
    vectors = np.full((len(words), count), np.nan, np.float32)
    for at, vector in found.items():
        vectors[at] = vector
    return vectors


def _vector(fields: list[bytes], count: int, path: Path, number: int) -> np.ndarray | None:
    """The numbers of a line; None where more fields are there, as of a word with a blank."""
    if len(fields) > count:
        return None
    try:
        vector = np.array(fields, np.float32)
    except ValueError:
        vector = np.full(count, np.nan, np.float32)
    if len(fields) < count or not np.isfinite(vector).all():
        raise InputError(
            f"{path}: got line {number} without {count} finite numbers after its word, expected as "
            "many as in the first line; correct or remove it."
        )
    return vector
