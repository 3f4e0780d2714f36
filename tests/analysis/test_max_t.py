"""Sign flips: held against all of them counted by hand, one test known exactly, and invariants."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from jaxattn.analysis import max_t as module
from jaxattn.analysis.max_t import DRAWS, EXACT, critical_values, least_p, max_t


def statistic(scores: np.ndarray) -> np.ndarray:
    return np.abs(scores.sum(-1)) / np.sqrt(np.sum(scores**2, -1))


def by_hand(scores: np.ndarray) -> np.ndarray:
    """Step-down p-values, straight from their definition: flip by flip, contrast by contrast."""
    seen = statistic(scores)
    every = [statistic(scores * np.array(f)) for f in product([1, -1], repeat=scores.shape[-1])]
    p, least = np.empty(len(seen)), 0.0
    for contrast in np.argsort(-seen):
        left = seen <= seen[contrast] * (1 + 1e-12)
        beyond = np.mean([flip[left].max() >= seen[contrast] * (1 - 1e-12) for flip in every])
        p[contrast] = least = max(least, beyond)
    return p


@pytest.mark.parametrize("seeds", [2, 5, 7])
def test_up_to_twelve_seeds_every_flip_counts(rng, seeds):
    scores = rng.normal(size=(6, seeds)) + rng.normal(size=(6, 1))
    scores[0] = np.sign(scores[0])
    scores[1, 0] = 0.0  # a seed that says nothing
    np.testing.assert_allclose(max_t(scores, 0.05).p, by_hand(scores), rtol=1e-12)


def test_one_contrast_of_signs_is_the_sign_test(rng):
    for later in range(9):
        signs = np.repeat([1.0, -1.0], [later, 8 - later])[None]
        assert max_t(signs, 0.05).p == pytest.approx(stats.binomtest(later, 8).pvalue)


def test_the_statistic_orders_one_row_as_student_does(rng):
    scores = rng.normal(size=(50, 9)) + rng.normal(size=(50, 1))
    ours, students = max_t(scores, 0.05).statistic, np.abs(stats.ttest_1samp(scores, 0, axis=1)[0])
    assert (np.argsort(ours) == np.argsort(students)).all()


def test_a_row_twice_costs_nothing_and_scale_does_not_matter(rng):
    scores = rng.normal(size=(5, 8)) + 0.7
    once = max_t(scores, 0.05)
    twice = max_t(np.concatenate([scores, -3e-200 * scores]), 0.05)
    np.testing.assert_array_equal(twice.p, np.tile(once.p, 2))


def test_step_down_never_says_less_than_one_step_and_says_more_where_something_is_sure(rng):
    scores = rng.normal(size=(8, 10))
    scores[:3] += 3.0
    tests = max_t(scores, 0.05)
    one_step = critical_values(scores, 0.05)
    rejected = tests.statistic > one_step * (1 + 1e-9)
    assert (tests.p[rejected] <= 0.05).all()
    # Without those that are sure, the rest has a family of its own.
    rest = max_t(scores[3:], 0.05)
    np.testing.assert_allclose(np.sort(tests.p)[3:], np.maximum(np.sort(rest.p), tests.p[:3].max()))


def test_more_seeds_are_flipped_at_random_always_alike_and_no_p_is_0(rng):
    scores = rng.normal(size=(4, 40)) + np.array([[0.0], [0.3], [5.0], [0.0]])
    first, again = max_t(scores, 0.05), max_t(scores, 0.05)
    np.testing.assert_array_equal(first.p, again.p)
    assert first.p.min() == 1 / (DRAWS + 1) == least_p(40)
    # In any order, and in pieces of any size, to the last bit.
    order = np.array([2, 0, 3, 1])
    np.testing.assert_array_equal(max_t(scores[order], 0.05).p, first.p[order])


def test_pieces_change_nothing(rng, monkeypatch):
    scores = rng.normal(size=(7, 20)) + 0.2
    whole = max_t(scores, 0.05)
    monkeypatch.setattr(module, "_NUMBERS", 7 * 33)
    pieces = max_t(scores, 0.05)
    np.testing.assert_array_equal(pieces.p, whole.p)
    assert pieces.planned == whole.planned


def test_a_random_flip_p_is_near_the_exact_one(rng, monkeypatch):
    scores = rng.normal(size=(5, EXACT)) + 0.4
    exact = max_t(scores, 0.05).p
    monkeypatch.setattr(module, "EXACT", 3)
    drawn = max_t(scores, 0.05).p
    # Of 10,000 draws a share p has a standard deviation of sqrt(p (1 - p)) / 100: four of them.
    assert (np.abs(drawn - exact) <= 4 * np.sqrt(exact * (1 - exact) / DRAWS) + 1 / DRAWS).all()


def test_the_critical_value_is_what_a_share_of_flips_exceeds(rng):
    scores = rng.normal(size=(6, 9))
    every = np.array([statistic(scores * np.array(f)).max() for f in product([1, -1], repeat=9)])
    for level in (0.05, 0.2, 0.5):
        critical = critical_values(scores, level)
        # Of 256 flips and their opposites, the one that is no flip counts as beyond.
        assert np.mean(every > critical * (1 + 1e-9)) + 1 / 256 <= level
        assert np.mean(every >= critical * (1 - 1e-9)) + 1 / 256 > level
    assert critical_values(scores[:, :5], 0.05) == np.inf


def test_what_is_planned_for_is_the_normal_quantile_of_one_contrast(rng):
    planned = max_t(rng.normal(size=(1, 30)), 0.05).planned
    # sqrt(p (1 - p) / 2,000) over the density of |z| at its quantile, 0.117: 0.042, three of them.
    assert planned == pytest.approx(stats.norm.isf(0.025), abs=0.126)


def test_the_least_p_is_that_of_one_sign_in_all_seeds():
    assert [least_p(n) for n in (4, 5, 8)] == [0.125, 0.0625, 2 / 256]
    for seeds in (4, 5, 8):
        assert max_t(np.ones((1, seeds)), 0.05).p == least_p(seeds)
