import numpy as np
import pytest
from scipy import stats

from jaxattn.analysis.intervals import interval, kaplan_meier, share_interval

EXPERIMENTS = 2_000


@pytest.mark.parametrize("seeds", [8, 16, 64])
def test_a_95_percent_interval_holds_the_mean_in_95_percent_of_experiments(rng, seeds):
    # Of 2,000 the count has a standard deviation of 0.5 %: 93 to 97 % are four of them.
    found = interval(3 + 2 * rng.normal(size=(EXPERIMENTS, seeds)))
    assert 0.93 <= np.mean((found.low <= 3) & (found.high >= 3)) <= 0.97


def test_a_skewed_measure_is_missed_less_on_its_bad_side_than_by_student(rng):
    # Edgeworth: of n exponential values (skewness 2) Student's upper limit falls short of the
    # mean with probability a/2 + 2 (2 z^2 + 1) phi(z) / (6 sqrt n) = 4.6 %; resampling takes the
    # second term away. Three standard deviations of a count of 2.5 % are 1 %.
    n, z = 64, stats.norm.isf(0.025)
    student = 0.025 + 2 * (2 * z**2 + 1) * stats.norm.pdf(z) / (6 * np.sqrt(n))
    found = interval(rng.exponential(size=(EXPERIMENTS, n)))
    assert np.mean(found.high < 1) < student - 0.01 + 0.004
    assert 0.93 <= np.mean((found.low <= 1) & (found.high >= 1)) <= 0.97


def test_heavy_tails_do_not_make_the_interval_bold(rng):
    found = interval(rng.standard_t(3, size=(1_000, 30)))
    held = np.mean((found.low <= 0) & (found.high >= 0))
    assert held >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 1_000)


def test_below_30_seeds_the_interval_is_students(rng):
    values = rng.normal(size=(5, 29))
    found = interval(values, confidence=0.9)
    wanted = stats.ttest_1samp(values, 0, axis=-1).confidence_interval(0.9)
    np.testing.assert_allclose(found.low, wanted.low, rtol=1e-10)
    np.testing.assert_allclose(found.high, wanted.high, rtol=1e-10)
    assert set(found.method) == {"t"}


def test_from_30_seeds_on_t_is_resampled_and_follows_the_skew(rng):
    values = rng.exponential(size=(5, 30))
    found = interval(values)
    assert set(found.method) == {"bootstrap-t"}
    assert np.all(found.high - found.mean > found.mean - found.low)


def test_a_row_has_the_same_interval_alone_and_among_others(rng):
    values = rng.normal(size=(3, 2, 40))
    alone = interval(values[2, 1])
    together = interval(values)
    assert alone.low == pytest.approx(together.low[2, 1], rel=1e-12)
    assert alone.high == pytest.approx(together.high[2, 1], rel=1e-12)


def test_one_seed_has_no_interval_and_equal_seeds_have_a_point():
    one = interval([2.0])
    assert (one.mean, one.method) == (2.0, "too few seeds")
    assert np.isnan(one.low)
    assert np.isnan(one.high)
    assert interval([0.1] * 40) == (pytest.approx(0.1), 0.1, 0.1, "no spread")


def test_seeds_that_failed_are_left_out_of_an_interval(rng):
    values = rng.normal(size=9)
    assert interval([*values, np.nan, np.inf]) == interval(values)


def test_where_one_of_many_seeds_differs_student_stands_in():
    values = [1.0] + [0.0] * 63
    found = interval(values)
    assert found.method == "t (resamples degenerate)"
    wanted = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_a_median_time_is_known_where_each_seed_was_watched_until_an_end_of_its_own():
    never = np.inf
    times = np.array([1.0, never, 3.0, never])
    # At risk: 4 at time 1, 2 at time 3 (one was last seen at 2): 3/4, then 3/8 are left.
    assert kaplan_meier(times, np.array([9.0, 2.0, 9.0, 9.0])) == 3.0
    # All watched to the end: half are left from time 3 on, for good.
    assert np.isnan(kaplan_meier(times, 9.0))
    assert np.isnan(kaplan_meier(times, np.full(4, 9.0)))


@pytest.mark.parametrize("seeds", [1, 8, 20])
def test_the_interval_of_a_share_holds_it_in_95_percent_of_experiments_or_more(seeds):
    found = [share_interval(count, seeds) for count in range(seeds + 1)]
    for share in np.linspace(0, 1, 101):
        held = [one.low <= share <= one.high for one in found]
        assert stats.binom.pmf(np.arange(seeds + 1), seeds, share) @ held >= 0.95 - 1e-12
    # (a / 2)^(1 / n) of none that did not.
    assert found[-1][:3] == (1, pytest.approx(0.025 ** (1 / seeds)), 1)


def test_of_no_seeds_no_share_is_known():
    assert np.isnan(share_interval(0, 0)[:3]).all()
