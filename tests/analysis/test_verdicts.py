"""One rule for three verdicts: p, interval and verdict say the same, whatever the pairs are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxattn.analysis.intervals import sign_limits
from jaxattn.analysis.max_t import critical_values, max_t
from jaxattn.analysis.pairs import paired
from jaxattn.analysis.verdicts import verdicts

END = 10.0


def judged(a, b, delta=np.nan, end=np.inf, level=0.05):
    a, b = np.atleast_2d(np.asarray(a, float)), np.atleast_2d(np.asarray(b, float))
    pairs = paired(a, b, np.full(a.shape, end), 1e-12)
    return verdicts(pairs, np.broadcast_to(np.asarray(delta, float), len(a)), level)


@given(
    st.integers(2, 9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.sampled_from([np.inf, 1.0]),
)
def test_p_interval_and_verdict_never_contradict_each_other(seeds, seed, effect, end):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 5, seeds))
    a[:2] += effect
    table = judged(a, b, delta=0.5, end=end)
    excludes = (table["low"] > 0) | (table["high"] < 0)
    differs = table["verdict"] == "differs"
    assert (excludes == differs).all()
    assert ((table["p"] <= 0.05) == differs).all()
    inside = (table["low"] >= -0.5) & (table["high"] <= 0.5)
    assert ((table["verdict"] == "equal") == (inside & ~differs)).all()
    known = np.isfinite(table["estimate"]) & ~np.isnan(table["low"])
    assert (table["low"][known] <= table["estimate"][known] + 1e-12).all()
    assert (table["estimate"][known] <= table["high"][known] + 1e-12).all()
    assert (table["favour"] <= table["seeds"]).all()
    decided = np.isnan(table["needed"])
    assert decided[table["verdict"] != "undecided"].all()
    assert (table["needed"][~decided] > table["seeds"][~decided]).all()


@given(st.integers(3, 9), st.integers(0, 2**32 - 1), st.sampled_from([np.inf, 1.0]))
def test_which_paradigm_is_called_a_does_not_matter(seeds, seed, end):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 4, seeds)) + np.array([1.0, 0.0])[:, None, None]
    one, other = judged(a, b, 0.3, end), judged(b, a, 0.3, end)
    np.testing.assert_array_equal(one["p"], other["p"])
    np.testing.assert_array_equal(one["verdict"], other["verdict"])
    np.testing.assert_allclose(one["low"], -other["high"])
    np.testing.assert_allclose(one["estimate"], -other["estimate"])
    np.testing.assert_array_equal(one["favour"], other["favour"])


def test_the_three_verdicts_by_hand():
    seeds = np.linspace(-1, 1, 10)
    table = judged(
        [1.0 + 0.1 * seeds, 0.001 + 0.01 * seeds, 0.1 + seeds, 0.0 * seeds],
        np.zeros((4, 10)),
        delta=0.2,
    )
    assert table["verdict"].tolist() == ["differs", "equal", "undecided", "equal"]
    assert table["same"].tolist() == [False, False, False, True]
    assert table["favour"].tolist() == [10, 5, 5, 0]
    assert np.isnan(table["p"][3])
    assert np.isfinite(table["needed"]).tolist() == [False, False, True, False]
    # Nothing is equal that has no delta; nor is what is the same undecided.
    table = judged([0.01 * seeds, 0.0 * seeds], np.zeros((2, 10)))
    assert table["verdict"].tolist() == ["undecided", "equal"]


def test_contrasts_that_are_the_same_are_not_counted(rng):
    a, b = rng.normal(size=(2, 3, 8)) + np.array([0.9, 0.0])[:, None, None]
    alone = judged(a, b)
    more = judged(np.concatenate([a, b[:1]]), np.concatenate([b, b[:1]]))
    for name in ("p", "low", "high"):
        np.testing.assert_array_equal(more[name][:3], alone[name])
    assert more["same"].tolist() == [False, False, False, True]


def test_fewer_than_two_seeds_decide_nothing_and_say_so():
    table = judged([[1.0, np.nan, np.nan], [np.nan] * 3], [[0.0, 1.0, 2.0]] * 2, delta=9.0)
    assert table["seeds"].tolist() == [1, 0]
    assert set(table["verdict"]) == {"undecided"}
    assert np.isnan([*table["p"], *table["low"], *table["needed"]]).all()


def test_five_seeds_cannot_reject_and_their_intervals_have_no_end():
    table = judged(np.ones((1, 5)) + np.arange(5), np.zeros((1, 5)))
    assert table["p"] == 0.0625
    assert table["verdict"] == "undecided"
    assert (table["low"], table["high"]) == (-np.inf, np.inf)


def test_the_interval_of_means_holds_what_the_statistic_does_not_tell_apart(rng):
    a, b = rng.normal(size=(2, 4, 9))
    table, d = judged(a, b), a - b
    centred = d - d.mean(-1, keepdims=True)
    critical = critical_values(centred, 0.05)
    for row, end in enumerate(table["high"]):
        if table["verdict"][row] == "undecided" and end > 0:
            assert max_t(d[row : row + 1] - end, 0.05).statistic == pytest.approx(critical)


# Censored times.


def test_a_time_that_one_never_reaches_is_later_in_every_seed_and_its_size_is_open():
    table = judged([[np.inf] * 8], [np.arange(1.0, 9.0)], end=END)
    assert table["p"] == 2 / 2**8
    assert table["verdict"] == "differs"
    assert table["favour"] == 8
    assert np.isnan(table["estimate"])
    # 10 - 8: the least that it can be in any seed; nothing is known of the most.
    assert (table["low"], table["high"]) == (2.0, np.inf)


def test_pairs_that_neither_reaches_say_nothing():
    a = [np.inf, np.inf, *np.arange(1.0, 9.0)]
    b = [np.inf, np.inf, *np.arange(2.0, 10.0)]
    table, less = judged([a], [b], end=END), judged([a[2:]], [b[2:]], end=END)
    assert table["p"] == less["p"] == 2 / 2**8
    assert (table["favour"], table["seeds"]) == (8, 10)
    never = judged([[np.inf] * 8], [[np.inf] * 8], end=END)
    assert never["verdict"] == "undecided"
    assert not never["same"]


def test_runs_that_are_the_same_where_they_arrive_and_where_they_do_not_are_the_same():
    times = np.array([1.0, 2.0, np.inf, 4.0])
    table = judged([times], [times], end=END)
    assert table["same"]
    assert table["verdict"] == "equal"


def test_limits_of_a_median_are_the_order_statistics_of_the_sign_test(rng):
    d = np.sort(rng.normal(size=(1, 11)))
    # Two-sided, 1 of 11 on one side: (11 - 2) / sqrt 11.
    low, high = sign_limits(d, d, 9 / np.sqrt(11) - 1e-6)
    assert (low, high) == (d[0, 1], d[0, -2])
    low, high = sign_limits(d, d, np.sqrt(11))
    assert (low, high) == (-np.inf, np.inf)


@given(st.integers(4, 9), st.integers(0, 2**32 - 1))
def test_a_median_outside_its_limits_is_refuted_and_inside_is_not(seeds, seed):
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(1, seeds))
    least = middle - np.where(rng.random((1, seeds)) < 0.3, np.inf, 0.0)
    most = middle + np.where(rng.random((1, seeds)) < 0.3, np.inf, 0.0)
    critical = 1.9
    (low,), (high,) = sign_limits(least, most, critical)
    for at in rng.normal(size=30) * 2:
        side = max(np.sum(least > at), np.sum(most < at))
        refuted = 2 * side - seeds > critical * np.sqrt(seeds)
        assert refuted == (not low <= at <= high)
