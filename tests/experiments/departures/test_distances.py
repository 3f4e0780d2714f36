"""Distances from the reduced system and their orders, on a made-up result."""

import numpy as np
import pytest
from example_departures import AVERAGE, CONFIG, FACTOR, example_departures

from jaxattn.experiments.departures.distances import SMALL, distance, slope
from jaxattn.experiments.departures.rows import imbalances_of


@pytest.fixture(scope="module")
def soft():
    return example_departures(failed=1).sel(paradigm="soft")


def test_a_distance_is_the_root_mean_square_over_classes_at_its_largest_in_time(soft):
    far = distance(soft, "frequency", "nu")
    np.testing.assert_array_equal(far.amount, CONFIG.imbalances)
    # Squares of a mean of 0 and of what all classes share add up.
    both = np.hypot(FACTOR * far.amount, AVERAGE * far.amount**2)
    np.testing.assert_allclose(far.each[:, 0], both, rtol=1e-12)
    np.testing.assert_allclose(far.average[:, 0], AVERAGE * far.amount**2, rtol=1e-10)
    assert np.isnan(far.each[:, 1:]).all(), "there is one such row of each size"
    np.testing.assert_allclose(far.typical, both, rtol=1e-12)
    assert np.isnan(far.predicted).all()


def test_what_theory_predicts_is_as_far_as_its_path(soft):
    np.testing.assert_allclose(distance(soft, "equal", "mu").predicted, CONFIG.correlations)
    noise = distance(soft, "noise", "attention")
    np.testing.assert_allclose(noise.predicted, np.square(CONFIG.noises))
    assert np.isfinite(noise.each).sum(axis=1).tolist() == [2, 2]


def test_samples_are_predicted_by_their_own_imbalance_and_the_response_to_the_least(soft):
    far = distance(soft, "sample", "nu")
    np.testing.assert_allclose(far.amount, [1 / 16, 1 / 8, 1 / 4])
    factor = np.hypot(FACTOR, AVERAGE * CONFIG.imbalances[0])
    drawn = np.sqrt(np.mean(imbalances_of(CONFIG)[:, 1:] ** 2, axis=1))
    np.testing.assert_allclose(far.predicted, factor * drawn, rtol=1e-12)
    assert np.isnan(far.each[:, 0]).all(), "the first seed failed"
    assert np.isfinite(far.each[:, 1:]).all()


def test_slopes_are_the_powers_and_have_an_interval_over_seeds(soft):
    far = distance(soft, "frequency", "nu")
    assert slope(far.amount, far.average).mean == pytest.approx(2, abs=1e-9)
    assert slope(far.amount, far.each).mean == pytest.approx(1, abs=1e-3)
    assert np.isnan(slope(far.amount, far.each).low), "one row has no spread"
    noise = distance(soft, "noise", "nu")
    found = slope(noise.amount, noise.each)
    assert (found.low, found.mean, found.high) == pytest.approx((2, 2, 2))
    samples = distance(soft, "sample", "nu")
    found = slope(samples.amount, samples.average, np.inf)
    assert found.mean == pytest.approx(2, abs=1e-9)


def test_sizes_beyond_the_small_ones_do_not_count_and_one_size_has_no_slope():
    amount = np.array([0.01, 0.1, 1.0])
    cells = np.array([[1.0], [10.0], [1e6]])
    assert SMALL == 0.1
    assert slope(amount, cells).mean == pytest.approx(1)
    assert np.isnan(slope(amount, cells, small=0.05).mean)
    assert np.isnan(slope(amount, 0 * cells).mean), "no distance has no order"
    assert np.isnan(slope(amount, np.nan * cells).mean)
