"""When one curve passes another for the last time, on curves whose crossings are known."""

import numpy as np
import pytest

from jaxattn.theory.last_crossing import last_pass

TIMES = np.geomspace(0.01, 100.0, 40)[None]


def log(times):
    return np.log(times)


def flat(level):
    return lambda times: np.full_like(times, level)


@pytest.mark.parametrize("at", [0.0123, 1.0, 47.11])
def test_the_crossing_of_a_logarithm_and_a_constant_is_found(at):
    # Straight in log t, so that the last straight line is exact: what is left is rounding.
    found = last_pass(log, flat(np.log(at)), TIMES)
    np.testing.assert_allclose(found, at, rtol=1e-12)


def test_a_crossing_at_one_of_the_times_is_found_too():
    at = TIMES[0, 17]
    np.testing.assert_allclose(last_pass(log, flat(np.log(at)), TIMES), at, rtol=1e-9)


def test_of_several_it_is_the_last_one_in_which_the_lead_is_taken_and_not_lost():
    # sin(log t) rises through 0 at 1 and at e^(2 pi) > 100, and falls through it at e^pi.
    def wave(times):
        return np.sin(np.log(times))

    np.testing.assert_allclose(last_pass(wave, flat(0.0), TIMES), 1.0, rtol=1e-9)
    # The other way round the lead is taken twice, at e^-pi and at e^pi.
    np.testing.assert_allclose(last_pass(flat(0.0), wave, TIMES), np.exp(np.pi), rtol=1e-5)


@pytest.mark.parametrize("level", [np.log(0.001), np.log(1000.0)])
def test_a_curve_that_always_leads_or_never_does_takes_no_lead(level):
    assert np.isnan(last_pass(log, flat(level), TIMES)).all()


def test_equal_curves_and_what_rounding_sets_apart_take_no_lead():
    def rough(times):
        return 5.0 * (1 + 1e-13 * np.cos(1e4 * times))

    assert np.isnan(last_pass(rough, flat(5.0), TIMES)).all()


def test_a_tie_at_the_start_is_no_lead_and_one_on_the_way_is_bridged():
    def late(times):
        return np.maximum(times - 10.0, 0.0)

    assert np.isnan(last_pass(late, flat(0.0), TIMES)).all()

    def resting(times):  # behind, then equal from 1 to 10, then ahead
        return np.minimum(times - 1.0, 0.0) + late(times)

    found = last_pass(resting, flat(0.0), TIMES)
    assert 1.0 <= found[0] <= 10.0 * (1 + 1e-9)


def test_rows_do_not_know_of_each_other():
    levels = np.log([[0.5], [5.0], [5000.0]])
    times = np.repeat(TIMES, 3, axis=0)
    found = last_pass(log, lambda asked: np.broadcast_to(levels, asked.shape), times)
    np.testing.assert_allclose(found[:2], [0.5, 5.0], rtol=1e-12)
    assert np.isnan(found[2])


def test_what_is_not_known_is_no_lead():
    assert np.isnan(last_pass(log, flat(np.nan), TIMES)).all()
