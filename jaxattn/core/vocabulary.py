"""The words of a task, by the number that stands for each in its segments."""

from dataclasses import dataclass
from typing import Any

__all__ = ["PAD", "UNKNOWN", "Vocabulary"]

PAD, UNKNOWN = 0, 1
"""Numbers of no word, which fills posts up, and of every word that is not known."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words by number; each is itself alone, so that what is made of one is made once."""

    words: tuple[str, ...]
    """The first two stand for `PAD` and `UNKNOWN`."""
    vectors: Any = None
    """``[word, feature]``: where embeddings start, NaN rows where no vector is known; None: they
    are drawn."""

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.words)
