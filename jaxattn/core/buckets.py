"""Bags of unlike lengths in buckets of like ones, so that short ones are not computed as long."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

__all__ = ["Buckets"]


@dataclass(frozen=True, eq=False)
class Buckets:
    """Which bucket each training example is in; each is itself alone."""

    lengths: tuple[int, ...]
    """Segments that a bag of each bucket has at most, increasing; the last: all that there are."""
    of_train: Int[np.ndarray, " example"]
    """The bucket of each training example, the same for every seed."""

    @property
    def few(self) -> tuple[int, ...]:
        """Every second length, the longest among them: of each a set has programs of its own."""
        return self.lengths[::-2][::-1]
