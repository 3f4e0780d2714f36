import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import jit
from theory import oracle

from jaxattn import theory
from jaxattn.theory.potentials import CLASS_BENDS, CLASS_RISES, CLASS_SLOPES

pytestmark = pytest.mark.needs_x64

NAMES = sorted(CLASS_RISES)


def sizes(rng, count):
    drawn = 10 ** rng.uniform(np.log10(2), 6, count)
    drawn[:4] = [2.0, 1e6, 2.0, 1e6]
    return drawn


def test_the_gain_over_guessing_keeps_its_digits(rng):
    mu, classes = 10 ** rng.uniform(-300, 2, 400), sizes(rng, 400)
    found = np.asarray(jit(theory.gain)(mu, classes))
    with mpmath.workdps(400):
        for x, c, got in zip(mu, classes, found, strict=True):
            grown = mpmath.exp(mpmath.mpf(x))
            exact = mpmath.log(c * grown / (grown + c - 1))
            assert abs(got - exact) < 8e-16 * exact


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_rise_of_the_class_potential_keeps_its_digits(paradigm, rng):
    count = 150
    delta, classes = 10 ** rng.uniform(-18, 1.6, count), sizes(rng, count)
    mu0 = rng.choice([0.0, 1.0], count) * 10 ** rng.uniform(-3, 1.5, count)
    found = np.asarray(jit(CLASS_RISES[paradigm])(delta, mu0, classes))
    zero = np.asarray(jit(theory.CLASS_POTENTIALS[paradigm])(delta, classes))
    with mpmath.workdps(90):
        for d, mu, c, got, from_zero in zip(delta, mu0, classes, found, zero, strict=True):
            d, mu, c = map(mpmath.mpf, (d, mu, c))
            exact = oracle.potential(paradigm, mu + d, c) - oracle.potential(paradigm, mu, c)
            assert abs(got - exact) < 4e-15 * exact
            exact = oracle.potential(paradigm, d, c)
            assert abs(from_zero - exact) < 4e-15 * exact


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_slope_of_the_class_potential_is_its_derivative_and_that_of_the_field(paradigm, rng):
    mu, classes = 10 ** rng.uniform(-9, 1.5, 300), sizes(rng, 300)
    slope = jit(CLASS_SLOPES[paradigm])(mu, classes)
    by_rule = jit(jax.vmap(jax.grad(theory.CLASS_POTENTIALS[paradigm])))(mu, classes)
    np.testing.assert_allclose(slope, by_rule, rtol=1e-13)
    mu_speed, nu_speed = theory.FIELDS[paradigm](mu, 0.4, 5.0, classes)
    background = 1 - theory.attention(0.4, 5.0)
    np.testing.assert_allclose(slope, nu_speed / mu_speed / background, rtol=1e-13)


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_bend_of_the_class_potential_is_the_derivative_of_its_slope(paradigm, rng):
    mu, classes = 10 ** rng.uniform(-9, 1.5, 300), sizes(rng, 300)
    by_rule = jit(jax.vmap(jax.grad(CLASS_SLOPES[paradigm])))(mu, classes)
    np.testing.assert_allclose(CLASS_BENDS[paradigm](mu, classes), by_rule, rtol=1e-13)


@pytest.mark.parametrize("paradigm", NAMES)
def test_a_rise_from_anywhere_is_differentiable_in_all_it_depends_on(paradigm):
    where = [(0.0, 0.0, 2.0), (1e-9, 0.0, 1e6), (0.999, 3.0, 50.0), (1.001, 3.0, 50.0), (30, 0, 5)]
    args = tuple(jnp.array(part, float) for part in zip(*where, strict=True))
    slopes = jit(jax.vmap(jax.grad(CLASS_RISES[paradigm], argnums=(0, 1, 2))))(*args)
    assert all(np.isfinite(part).all() for part in slopes)
    by_mu0 = CLASS_SLOPES[paradigm](args[0] + args[1], args[2]) - CLASS_SLOPES[paradigm](*args[1:])
    np.testing.assert_allclose(slopes[1], by_mu0, rtol=1e-12, atol=1e-15)
