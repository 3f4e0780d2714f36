"""Paths of two numbers beside the solvable setting: limits, and what is refused.

That they are what all parameters do is in tests/experiments/departures/test_limits.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.contracts import InputError, Status
from jaxattn.reduced import PARADIGMS, log_times, solve_reduced
from jaxattn.reduced.planar import solve_planar

pytestmark = pytest.mark.needs_x64

TIMES = log_times(500.0, 12)
SIZES = {"segments": 5, "classes": 4, "switch_time": 40.0}


# One shape of rows for all tests: compiling takes longer than solving.
CORRELATION = jnp.asarray([0.0, 1.0, -0.4, 0.2, 0.0])
VARIANCE = jnp.asarray([0.0, 0.0, 0.0, -0.1, 0.01])


def solved(name):
    """Rows with neither, three out of their range, and one with noise."""

    def of_one(rho, variance):
        return solve_planar(name, TIMES, correlation=rho, variance=variance, **SIZES)

    return jax.vmap(of_one)(CORRELATION, VARIANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARADIGMS)
def test_without_correlation_and_noise_it_is_the_reduced_system(name):
    expected, found = solve_reduced(name, TIMES, **SIZES), solved(name)
    for key in ("mu", "nu", "attention"):
        np.testing.assert_allclose(getattr(found, key)[0], getattr(expected, key), atol=1e-9)


def test_a_nu_that_is_small_is_as_right_as_one_that_is_large():
    # At m = 1000 and C = 1e5 nu is 1e-10 while mu is 1e-3: no absolute error suits both.
    sizes, times = {"segments": 1000.0, "classes": 1e5}, np.asarray([0.0, 0.1, 10.0, 1e3, 1e5])
    expected, found = solve_reduced("soft", times, **sizes), solve_planar("soft", times, **sizes)
    assert 0 < expected.nu[2] < 1e-9
    for key in ("mu", "nu"):
        np.testing.assert_allclose(getattr(found, key), getattr(expected, key), rtol=1e-9)


@pytest.mark.slow
def test_a_row_that_is_out_of_range_fails_and_leaves_the_others_alone():
    found = solved("soft")
    done = found.status == Status.DONE
    assert done.tolist() == [True, False, False, False, True]
    assert np.isfinite(found.nu).all(axis=1).tolist() == done.tolist()
    assert abs(found.nu[4, -1] - found.nu[0, -1]) > 1e-3


@pytest.mark.slow
def test_its_derivative_by_the_variance_is_what_little_noise_changes():
    def end(variance):
        return solve_planar("hybrid", TIMES, variance=variance, **SIZES).nu

    _, found = jax.jvp(end, (jnp.asarray(0.01),), (jnp.asarray(1.0),))
    step = 1e-4
    around = (end(0.01 + step) - end(0.01 - step)) / (2 * step)
    # Central differences: the third derivative times step^2, and 1e-10 / step of solving.
    np.testing.assert_allclose(found, around, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"segments": 1}, "bad segments: got 1, expected 2 or more"),
        ({"classes": np.nan}, "bad classes: got nan"),
        ({"variance": -0.1}, "bad variance: got -0.1, expected 0 or more"),
        ({"correlation": 1.0}, "bad correlation: got 1.0, expected it between -1/"),
        ({"correlation": -0.4}, r"bad correlation: got -0.4, .* -0.333333 and 1"),
    ],
)
def test_numbers_out_of_their_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        solve_planar("soft", TIMES, **(SIZES | arguments))


def test_an_unknown_paradigm_is_refused():
    with pytest.raises(InputError, match="did you mean 'soft'"):
        solve_planar("sot", TIMES, **SIZES)
