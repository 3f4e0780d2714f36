import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, jit

from jaxattn import theory
from jaxattn.theory.panels import PACES, cut, series

pytestmark = pytest.mark.needs_x64


@pytest.mark.parametrize("terms", [2, 3, 19, 20])
def test_a_series_is_the_sum_of_its_chebyshev_polynomials(terms, rng):
    coefficients, x = jnp.array(rng.normal(size=(30, terms))), jnp.array(rng.uniform(0, 1, 30))
    exact = [
        np.polynomial.chebyshev.chebval(2 * at - 1, row)
        for at, row in zip(x, coefficients, strict=True)
    ]
    # Near the ends the recurrences add a rounding of each term at every step.
    np.testing.assert_allclose(series(coefficients, x), exact, rtol=0, atol=terms**2 * EPS)


@pytest.mark.parametrize("paradigm", sorted(PACES))
def test_panels_that_are_not_asked_for_are_empty_and_change_no_other(paradigm):
    orbit = [jnp.array(part) for part in (100.0, 1000.0, 0.0, 0.0)]
    make = jit(lambda last_time: cut(paradigm, *orbit, last_time))
    short, whole = make(jnp.array(4e5)), make(jnp.array(np.inf))
    asked = np.asarray(whole.time) <= 4e5
    assert 5 < np.sum(asked) < asked.size / 2
    for part, other in zip(short, whole, strict=True):
        assert np.array_equal(part[asked], other[asked])
    assert np.all(np.isinf(short.end[~asked]))
    assert np.all(np.isfinite(whole.end))


@pytest.mark.default_xla
@pytest.mark.parametrize("paradigm", sorted(PACES))
def test_a_row_has_the_same_bits_beside_one_that_asks_for_more_panels(paradigm):
    rows = jit(
        jax.vmap(lambda t: theory.trajectory(paradigm, t, segments=100.0, classes=1000.0)[0])
    )
    early = np.geomspace(1.0, 1e3, 8)
    alone, beside = rows(np.stack([early, early])), rows(np.stack([early, 1e8 * early]))
    assert np.array_equal(alone[0], beside[0])
    assert np.isfinite(beside).all()


def test_rows_that_ask_for_different_panels_have_their_own_slopes():
    def end(t):
        return theory.trajectory("hard", t, segments=100.0, classes=1000.0).nu

    times = jnp.array([10.0, 3e5])
    single = [float(jax.grad(end)(t)) for t in times]
    np.testing.assert_allclose(jit(jax.vmap(jax.grad(end)))(times), single, rtol=1e-12)
    total = jax.grad(lambda t: jnp.sum(jax.vmap(end)(t)))(times)
    np.testing.assert_allclose(total, single, rtol=1e-12)


def test_a_row_outside_the_domain_has_no_slope_either():
    def end(switch):
        return theory.trajectory("hybrid", 4e5, segments=9.0, classes=9.0, switch_time=switch)

    slopes = jit(jax.vmap(jax.jacfwd(end)))(jnp.array([1e5, 8e5, 2e5]))
    for slope in slopes:
        assert np.array_equal(np.isnan(slope), [False, True, False])
