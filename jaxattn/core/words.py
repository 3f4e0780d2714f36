"""Words as numbers: those that are reserved, and how captions become text again."""

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["EOS", "PAD", "RESERVED", "SOS", "UNK", "text_of"]

PAD, SOS, EOS, UNK = range(4)
"""What fills a caption up, its start, its end, and a word that is in no vocabulary."""

RESERVED = ("<pad>", "<sos>", "<eos>", "<unk>")
"""The first words of every vocabulary."""


def text_of(ids: Iterable[Any], vocabulary: Sequence[str]) -> str:
    """The words before the end, with blanks between them.

    Args:
        ids: integers, of one caption.
        vocabulary: words by number, `RESERVED` in front.
    """
    words = []
    for word in map(int, ids):
        if word in (EOS, PAD):
            break
        words.append(vocabulary[word])
    return " ".join(words)
