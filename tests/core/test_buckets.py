"""Every bag fits its bucket and no shorter one, and buckets hold about as many bags each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxattn.core.buckets import buckets_of


def masks(lengths, longest):
    return np.arange(longest) < np.array(lengths)[:, None]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(40, 50))
def test_every_bag_is_in_the_shortest_bucket_that_holds_it(lengths, longest):
    buckets = buckets_of(masks(lengths, longest))
    ends = np.array(buckets.lengths)
    assert (np.diff(ends) > 0).all()
    assert ends[-1] == longest
    assert (ends[:-1] % 4 == 0).all()
    assert len(ends) <= 9
    assert (ends[buckets.of_train] >= lengths).all()
    shorter = np.where(buckets.of_train > 0, ends[buckets.of_train - 1], 0)
    assert (shorter < lengths).all()
    assert set(buckets.few) <= set(buckets.lengths)
    assert buckets.few[-1] == longest


@pytest.mark.parametrize("longest", [64, 400])
def test_buckets_of_many_lengths_hold_an_eighth_of_the_bags_each(longest, rng):
    lengths = rng.integers(1, longest + 1, 5000)
    held = np.bincount(buckets_of(masks(lengths, longest)).of_train) / 5000
    # A length is rounded up to one of the next four, each of which one bag in `longest` has.
    np.testing.assert_allclose(held[:-2], 1 / 8, atol=4 / longest + 1e-3)
