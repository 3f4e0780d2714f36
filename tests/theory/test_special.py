import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import EPS, jit
from scipy.special import wrightomega

from jaxattn.theory.special import (
    exp_climb,
    exp_dilogarithm,
    exp_excess,
    gauss_legendre,
    wright_omega,
)

pytestmark = pytest.mark.needs_x64


def exact_omega(x: float) -> mpmath.mpf:
    """Lambert's W0(e^x), where e^x is no number any more by Newton's method."""
    x = mpmath.mpf(float(x))
    if x < 1000:
        return mpmath.lambertw(mpmath.exp(x)).real
    omega = x - mpmath.log(x)
    for _ in range(8):
        omega *= (1 + x - mpmath.log(omega)) / (1 + omega)
    return omega


@pytest.fixture
def arguments(rng):
    return np.concatenate(
        [
            rng.uniform(-708, 0, 100),
            rng.uniform(-40, 40, 300),
            rng.uniform(-2, 2, 200),
            10 ** rng.uniform(0, 13, 100),
            [-37.0, -36.0, 0.0, 1.0, 1e13],
        ]
    )


def test_wright_omega_is_lambert_w_of_the_exponential(arguments):
    found = np.asarray(jit(wright_omega)(arguments))
    with mpmath.workdps(40):
        exact = [exact_omega(x) for x in arguments]
        wrong = [abs(a - b) / b for a, b in zip(found, exact, strict=True)]
    assert max(wrong) < 2 * EPS
    np.testing.assert_allclose(found, wrightomega(arguments), rtol=1e-14)  # which is no better


def test_wright_omega_keeps_to_its_equation_over_the_whole_range():
    x = np.concatenate([np.linspace(-1e6, 800, 10_001), np.geomspace(1.0, 1e13, 10_001)])
    omega = np.asarray(jit(wright_omega)(x))
    assert np.isfinite(omega).all()
    assert np.all(omega >= 0)
    assert np.all(np.diff(omega[:10_001]) >= 0)
    alive = x > -700
    np.testing.assert_allclose(
        omega[alive] + np.log(omega[alive]), x[alive], rtol=1e-15, atol=1e-15
    )
    assert np.array_equal(omega[x < -746], np.zeros(np.sum(x < -746)))
    ends = wright_omega(jnp.array([-jnp.inf, jnp.inf, jnp.nan, 1e300]))
    np.testing.assert_array_equal(ends, [0.0, np.inf, np.nan, 1e300])


def test_wright_omega_has_two_derivatives_everywhere(arguments):
    x = np.concatenate([arguments, [-1e6, -746.0]])
    omega = wrightomega(x)
    slope = jit(jax.vmap(jax.grad(wright_omega)))(x)
    bend = jit(jax.vmap(jax.grad(jax.grad(wright_omega))))(x)
    np.testing.assert_allclose(slope, omega / (1 + omega), rtol=1e-14)
    bent = omega / (1 + omega) / (1 + omega) / (1 + omega)
    np.testing.assert_allclose(bend, bent, rtol=1e-13, atol=1e-300)
    forward = jit(lambda x: jax.jvp(wright_omega, (x,), (jnp.ones_like(x),))[1])(x)
    np.testing.assert_allclose(forward, slope, rtol=1e-15)


def test_wright_omega_reduced_over_many_rows_is_that_of_its_rows():
    x = np.linspace(-30.0, 30.0, 256 * 100).reshape(256, 100)
    largest = jax.jit(jax.vmap(lambda x: jnp.max(wright_omega(x) - x)))(x)
    np.testing.assert_allclose(largest, np.max(wrightomega(x) - x, axis=1), rtol=1e-13)


@pytest.fixture
def climbs(rng):
    """Shares, and heights of etas that are known to all digits."""
    share = 10 ** rng.uniform(-9, 30, 600)
    eta = np.concatenate([10 ** rng.uniform(-200, 0, 200), rng.uniform(0, 60, 396), [0, 0, 60, 60]])
    share[-4:] = [1e-9, 1e30, 1e-9, 1e30]
    with mpmath.workdps(330):
        height = [
            float(e + mpmath.mpf(s) * mpmath.expm1(e)) for e, s in zip(eta, share, strict=True)
        ]
    return eta, np.array(height), share


def test_the_climb_of_an_exponential_keeps_its_digits(climbs):
    eta, height, share = climbs
    # That the height is rounded changes eta by no more than itself, as eta is concave in it.
    np.testing.assert_allclose(jit(exp_climb)(height, share), eta, rtol=2e-15, atol=0)
    shifted = height + share + np.log(share)
    grown = (eta > 1.0) & (share < 1.0)  # where the logarithms do not cancel
    np.testing.assert_allclose(
        np.log(wrightomega(shifted[grown]) / share[grown]), eta[grown], rtol=1e-13
    )
    assert np.isnan(exp_climb(np.nan, 1.0))
    assert np.isnan(exp_climb(1.0, np.nan))


def test_the_climb_of_an_exponential_has_two_derivatives_everywhere(climbs):
    eta, height, share = climbs
    bent = share * np.exp(eta)
    steep = 1 + bent
    by_both = jit(jax.vmap(jax.grad(exp_climb, argnums=(0, 1))))(height, share)
    np.testing.assert_allclose(by_both[0], 1 / steep, rtol=1e-13)
    np.testing.assert_allclose(by_both[1], -np.expm1(eta) / steep, rtol=1e-13)
    bend = jit(jax.vmap(jax.grad(jax.grad(exp_climb))))(height, share)
    np.testing.assert_allclose(bend, -bent / steep / steep / steep, rtol=1e-12)


def test_what_is_left_of_the_exponential_keeps_its_digits(rng):
    x = np.concatenate([rng.choice([-1, 1], 200) * 10 ** rng.uniform(-150, 0, 200), [0.0, 0.999]])
    found = np.asarray(jit(exp_excess)(x))
    with mpmath.workdps(400):
        exact = [float(mpmath.expm1(mpmath.mpf(v)) - mpmath.mpf(v)) for v in x]
    np.testing.assert_allclose(found, exact, rtol=2 * EPS)
    far = np.concatenate([rng.uniform(1, 30, 100), rng.uniform(-30, -1, 100)])
    np.testing.assert_allclose(jit(exp_excess)(far), np.expm1(far) - far, rtol=8 * EPS)


def test_the_dilogarithm_of_an_exponential_is_that_of_mpmath(rng):
    y = np.concatenate([rng.uniform(-40, 40, 60), rng.uniform(-1, 1, 40), [0.0, 800.0, -800.0]])
    found = np.asarray(jit(exp_dilogarithm)(y))
    with mpmath.workdps(30):
        exact = [float(mpmath.polylog(2, -mpmath.exp(mpmath.mpf(v))).real) for v in y]
    assert np.max(np.abs(found - exact) / (1 + np.abs(exact))) < 1e-15
    slope = jit(jax.vmap(jax.grad(exp_dilogarithm)))(y)
    np.testing.assert_allclose(slope, -np.logaddexp(0.0, y), rtol=1e-14)


def test_a_gauss_rule_is_exact_to_twice_its_degree():
    nodes, weights = gauss_legendre(6)
    for power in range(12):
        assert weights @ nodes**power == pytest.approx(1 / (power + 1), rel=1e-14)
    assert abs(weights @ nodes**12 - 1 / 13) > 1e-9


@pytest.mark.parametrize("function", [wright_omega, exp_excess, exp_dilogarithm])
def test_in_float32_digits_are_lost_and_nothing_else(function):
    x = np.linspace(-80.0, 80.0, 641)
    with jax.enable_x64(False):
        found = np.asarray(jax.jit(function)(x.astype(np.float32)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, function(x), rtol=3e-6, atol=2e-7)
