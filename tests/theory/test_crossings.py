from functools import lru_cache

import jax
import mpmath as mp
import numpy as np
import pytest
from helpers import jit
from theory import oracle

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.theory.crossings import crossing_time

pytestmark = pytest.mark.needs_x64

SIZES = np.array([(100.0, 1000.0), (20.0, 20.0), (5.0, 3.0), (2.0, 2.0), (1e6, 1e6), (1.0, 3.0)])
ORACLE = [0, 2]
"""The rows of SIZES that are held against the oracle."""


@lru_cache
def rows(first, second, quantity="nu"):
    """Times, and their slopes by segments and by classes, row by row of SIZES."""

    def row(m, c):
        return crossing_time(first, second, quantity, segments=m, classes=c)

    found = jit(jax.vmap(jax.value_and_grad(row, (0, 1))))(*SIZES.T)
    return jax.tree.map(np.asarray, found)


def exact_gap(first, second, quantity, time, m, c):
    """``log(t_zero / time)``, by which the crossing misses: two orbits by mpmath, 25 digits."""
    gap, slope = mp.mpf(0), mp.mpf(0)
    for sign, name in ((1, first), (-1, second)):
        size = {"segments": float(m), "classes": float(c)}
        mu = mp.mpf(float(theory.trajectory(name, float(time), **size).mu))
        for _ in range(2):  # by Newton's method, from 1e-14 away
            nu = oracle.focus(name, mu, oracle.ZERO, m, c)
            pace = oracle.pace(name, mu, nu, m, c)
            mu -= (oracle.time(name, mu, oracle.ZERO, m, c) - time) / pace
            if quantity == "mu":
                break
        rates = theory.FIELDS[name](float(mu), float(nu), float(m), float(c))
        at = mu if quantity == "mu" else oracle.focus(name, mu, oracle.ZERO, m, c)
        gap += sign * at
        slope += sign * float(rates[0 if quantity == "mu" else 1])
    return -gap / slope / time


def held_against_the_oracle(first, second, quantity):
    times, _ = rows(first, second, quantity)
    with mp.workdps(25):
        for time, size in zip(times[ORACLE], SIZES[ORACLE], strict=True):
            number = (mp.mpf(float(x)) for x in (time, *size))
            assert abs(exact_gap(first, second, quantity, *number)) < 1e-12


def test_hard_attention_passes_soft_once_and_a_bad_row_has_no_crossing():
    find = jit(jax.vmap(lambda m, c: crossing_time("hard", "soft", segments=m, classes=c)))
    times = np.asarray(find(*SIZES.T)) / SIZES.prod(1)
    known = [1.331672, 1.694790, 3.307302, 2.738375, 1.253334, np.nan]
    np.testing.assert_allclose(times, known, rtol=1e-6)  # by the test below, of the oracle


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "quantity"),
    [("hard", "soft", "nu"), ("hard", "lvml", "nu"), ("soft", "lvml", "mu")],
)
def test_at_a_crossing_the_oracle_finds_both_alike(first, second, quantity):
    times, _ = rows(first, second, quantity)
    with mp.workdps(25):
        for time, size in zip(times[ORACLE], SIZES[ORACLE], strict=True):
            number = (mp.mpf(float(x)) for x in (time, *size))
            assert abs(exact_gap(first, second, quantity, *number)) < 1e-12


@pytest.mark.slow
def test_derivatives_of_a_crossing_by_the_sizes_are_central_differences():
    _, slopes = rows("hard", "soft")
    for place, slope in enumerate(slopes):
        step = 1e-5 * SIZES[0] * (np.arange(2) == place)
        ends = [
            crossing_time("hard", "soft", segments=m, classes=c)
            for m, c in (SIZES[0] + step, SIZES[0] - step)
        ]
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step[place]), slope[0], rtol=1e-6)


@pytest.mark.slow
def test_who_passes_whom_and_who_no_one():
    def found(first, second, quantity="nu"):
        return rows(first, second, quantity)[0][:5] / SIZES[:5].prod(1)

    at = {"rtol": 1e-4}
    np.testing.assert_allclose(
        found("hard", "lvml"), [1.41100, 1.86450, 3.86891, 2.91843, 1.29508], **at
    )
    np.testing.assert_allclose(
        found("soft", "lvml", "mu"), [4.24528, 2.55321, 1.50534, np.nan, 8.56779], **at
    )
    # Few segments or classes: soft attention's nu passes LVML's, and is passed again.
    np.testing.assert_allclose(found("soft", "lvml"), [np.nan] * 2 + [1.80168] + [np.nan] * 2, **at)
    np.testing.assert_allclose(
        found("lvml", "soft"), [np.nan] * 2 + [2.73082, 2.63249] + [np.nan], **at
    )
    for pair in (("hard", "soft", "mu"), ("hard", "lvml", "mu"), ("lvml", "soft", "mu")):
        assert np.isnan(found(*pair)).all()
    assert np.isnan(found("soft", "hard")).all()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: crossing_time("sofd", "hard", segments=2, classes=2), "did you mean 'soft'"),
        (lambda: crossing_time("soft", "soft", segments=2, classes=2), "got soft twice"),
        (lambda: crossing_time("soft", "hard", "un", segments=2, classes=2), "unknown quantity"),
        (lambda: crossing_time("soft", "hard", segments=1, classes=2), "bad segments: got 1, exp"),
        (lambda: crossing_time("soft", "hard", segments=2, classes=1e7), r"classes.*\[2, 1e\+06\]"),
        (lambda: crossing_time("soft", "hard", segments=np.nan, classes=2), "segments: got nan"),
    ],
)
def test_bad_requests_name_argument_value_and_range(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


def test_without_x64_it_says_how_to_switch_it_on():
    with jax.enable_x64(False), pytest.raises(InputError, match="JAX_ENABLE_X64=1"):
        crossing_time("soft", "hard", segments=2, classes=2)
