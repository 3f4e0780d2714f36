"""Bags of unlike lengths in buckets of like ones, so that short ones are not computed as long."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

__all__ = ["Buckets", "buckets_of"]

_SHARES = (*(eighth / 8 for eighth in range(1, 8)), 0.95)
"""Shares of the bags that are no longer than a bucket: of the longest ones few are very long."""

_MULTIPLE = 4
"""Lengths are multiples of it, so that few of them differ."""


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


def buckets_of(mask: Bool[np.ndarray, "example segment"]) -> Buckets:
    """Eighths of the bags by length, the last one in two.

    A minibatch is computed as long as its bucket, and a run compiles a step for each: with half as
    many a step takes an eighth more, and with more of them no less (benchmarks/README.md).

    Args:
        mask: of the training examples, True up to the end of each.
    """
    lengths, longest = mask.sum(axis=1), mask.shape[1]
    ends = _MULTIPLE * np.ceil(np.quantile(lengths, _SHARES) / _MULTIPLE).astype(int)
    edges = tuple(sorted({int(end) for end in ends if end < longest} | {longest}))
    return Buckets(edges, np.searchsorted(edges, lengths))
