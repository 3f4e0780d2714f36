"""How far runs are trapped: what it is of cells whose answer is known, and what bounds it."""

import numpy as np
import pytest

from jaxattn.experiments.trap.statistic import MOST_BY_CHANCE, left_over

# Sums and quotients of a few numbers of size 1.
EXACT = 1e-12


def cells_of(focus_true, right_if_true, right_if_false):
    """Cells ``[class, cell]`` in percent of all bags, of equally many bags a class."""
    true, if_true, if_false = np.broadcast_arrays(focus_true, right_if_true, right_if_false)
    false = 1 - true
    cells = (true * if_true, false * if_false, true * (1 - if_true), false * (1 - if_false))
    return 100 * np.stack(cells, -1) / len(true)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_all_others_solved_and_one_answered_without_focus_is_1(classes):
    last = np.arange(classes) == classes - 1
    far, left, others = left_over(cells_of(np.where(last, 0.0, 1.0), 1.0, 1.0))
    assert far == pytest.approx(1, abs=EXACT)
    assert (left, others) == (classes - 1, pytest.approx(1, abs=EXACT))


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_one_answer_to_everything_is_1_and_the_others_are_not_solved(classes):
    first = np.arange(classes) == 0
    far, left, others = left_over(cells_of(np.zeros(classes), 0.0, np.where(first, 1.0, 0.0)))
    assert (far, left, others) == (pytest.approx(1, abs=EXACT), 0, 0)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_uniform_guess_is_0_where_the_focus_is_as_often_false_in_each_class(classes):
    far, _, _ = left_over(cells_of(np.full(classes, 0.3), 0.9, 1 / classes))
    assert far == pytest.approx(0, abs=EXACT)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_uniform_guess_is_never_past_chance_however_often_the_focus_is_false(classes):
    rng = np.random.default_rng(0)
    focus_true = [*rng.uniform(size=(200, classes)), np.arange(classes) > 0]
    far = np.array([left_over(cells_of(at, 1.0, 1 / classes))[0] for at in focus_true])
    assert far.min() >= 0
    assert far.max() <= 1 / classes + EXACT <= MOST_BY_CHANCE + EXACT
    # Reached where one class is never focused on, and the others always.
    assert far[-1] == pytest.approx(1 / classes, abs=EXACT)


def test_without_a_false_focus_nothing_is_trapped():
    far, _, others = left_over(cells_of(np.ones(3), 0.8, 0.5))
    assert (far, others) == (0, pytest.approx(0.8, abs=EXACT))


def test_it_is_the_same_whatever_the_classes_are_called():
    rng = np.random.default_rng(1)
    cells = rng.uniform(size=(50, 4, 4))
    far, left, others = left_over(cells)
    order = np.array([2, 0, 3, 1])
    renamed = left_over(cells[:, order])
    np.testing.assert_allclose(renamed[0], far, rtol=0, atol=EXACT)
    np.testing.assert_array_equal(order[renamed[1].astype(int)], left)
    np.testing.assert_allclose(renamed[2], others, rtol=0, atol=EXACT)


def test_it_is_the_same_however_many_bags_a_class_has():
    rng = np.random.default_rng(2)
    cells = rng.uniform(size=(50, 3, 4))
    more = cells * np.array([0.2, 1.0, 5.0])[:, None]
    np.testing.assert_allclose(left_over(more), left_over(cells), rtol=0, atol=EXACT)


@pytest.mark.parametrize("none", [np.nan, 0.0])
def test_a_class_that_is_not_there_counts_for_nothing(none):
    cells = np.random.default_rng(3).uniform(size=(20, 3, 4))
    wider = np.concatenate([cells, np.full((20, 2, 4), none)], axis=1)
    np.testing.assert_allclose(left_over(wider), left_over(cells), rtol=0, atol=EXACT)
    # Of one class there are no others, and of none nothing.
    assert np.isnan(left_over(wider[:, 2:])).all()
    assert np.isnan(left_over(wider[:, 3:])).all()
