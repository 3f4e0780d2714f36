"""Fixed focus in formulas: loss, rate and limits at a constant attention."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import jit

from jaxattn import theory
from jaxattn.theory import fixed_focus

pytestmark = pytest.mark.needs_x64

NAMES = sorted(fixed_focus.LOSSES)
EPS = float(np.finfo(np.float64).eps)
ALPHAS = np.array([0.2, 0.4, 0.6, 0.8, 1.0])
CLASSES = 20.0


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


def test_loss_and_rate_are_those_of_the_reduced_system_where_its_attention_is_alpha(name):
    segments, mu = 5.0, np.linspace(0, 30, 13)[:, None]
    alpha = ALPHAS[None, :-1]  # the whole system never gets to alpha = 1
    nu = np.log(alpha / (1 - alpha) * (segments - 1))
    loss, speed = jit(
        lambda mu, alpha: (
            fixed_focus.LOSSES[name](mu, alpha, CLASSES),
            fixed_focus.SPEEDS[name](mu, alpha, CLASSES),
        )
    )(mu, alpha)
    # Alpha and the logits it becomes there are off by a few EPS; mu multiplies that.
    near = {"rtol": 300 * EPS, "atol": 300 * EPS}
    np.testing.assert_allclose(loss, theory.LOSSES[name](mu, nu, segments, CLASSES), **near)
    expected, _ = theory.FIELDS[name](mu, nu, segments, CLASSES)
    np.testing.assert_allclose(speed, expected, rtol=300 * EPS)


def test_the_rate_is_the_downward_slope_of_the_loss_over_one_less_than_the_classes(name):
    slope = jit(
        jax.vmap(jax.vmap(jax.grad(fixed_focus.LOSSES[name]), (0, None, None)), (None, 0, None))
    )
    mu = np.linspace(0, 30, 13)
    found = fixed_focus.SPEEDS[name](mu[None, :], ALPHAS[:, None], CLASSES)
    # A slope is the difference of terms of order 1 and keeps their absolute error.
    near = {"rtol": 1e-12, "atol": 10 * EPS}
    np.testing.assert_allclose(found, -slope(mu, ALPHAS, CLASSES) / (CLASSES - 1), **near)


def test_loss_and_slopes_are_finite_however_large_mu_is_and_at_the_ends_of_alpha(name):
    both = jit(jax.vmap(jax.value_and_grad(fixed_focus.LOSSES[name], (0, 1)), (0, None, None)))
    for alpha in (0.0, 0.2, 1.0):
        for value in jax.tree.leaves(both(np.array([0.0, 1.0, 1e3, 1e5]), alpha, CLASSES)):
            assert np.all(np.isfinite(value)), alpha


def test_with_all_attention_on_the_foreground_the_paradigms_are_one():
    mu = np.linspace(0, 30, 13)
    for table in (fixed_focus.LOSSES, fixed_focus.SPEEDS):
        first, *others = (table[name](mu, 1.0, CLASSES) for name in NAMES)
        for other in others:
            np.testing.assert_allclose(other, first, rtol=4 * EPS)


def test_without_attention_on_the_foreground_nothing_is_learnt(name):
    np.testing.assert_allclose(fixed_focus.LOSSES[name](3.0, 0.0, CLASSES), np.log(CLASSES))
    assert fixed_focus.SPEEDS[name](3.0, 0.0, CLASSES) == 0


def test_loss_and_gap_go_to_their_limits_as_mu_grows(name):
    mu = 400.0  # at alpha = 0.2 what is missing is (C - 1) e^-80
    found = fixed_focus.LOSSES[name](mu, ALPHAS, CLASSES)
    limit = fixed_focus.LIMITS[name](ALPHAS, CLASSES)
    np.testing.assert_allclose(found, limit, rtol=0, atol=8 * EPS)
    # What is known of the limits without this package (PAPER 3.1, computed by its writer).
    known = {
        "soft": [0, 0, 0, 0, 0],
        "hard": [2.397, 1.797, 1.198, 0.599, 0],
        "lvml": [1.427, 0.844, 0.478, 0.211, 0],
    }
    np.testing.assert_allclose(limit, known[name], rtol=0, atol=6e-4)
    found = fixed_focus.gap(name, mu, ALPHAS, CLASSES)
    limit = fixed_focus.gap_limit(name, ALPHAS, CLASSES)
    np.testing.assert_allclose(found, limit, rtol=0, atol=16 * EPS)
    hard = 0.01 * np.log(CLASSES)
    known = {
        "soft": [0, 0, 0, 0, 0],
        "hard": [hard, hard, hard, hard, 0],
        "lvml": [0.0396, 0.0221, 0.0153, 0.0117, 0],
    }
    # Known for LVML by the slope in alpha, 0.0095 / Z; the next term is at most 0.0095 / (2 Z).
    np.testing.assert_allclose(limit, known[name], rtol=0.0095 / (2 * 0.24), atol=1e-16)


def test_the_gap_is_a_hundredth_of_the_slope_of_the_loss_in_alpha(name):
    mu, alpha, ahead = 2.0, 0.4, 1e-5
    slope = jax.grad(fixed_focus.LOSSES[name], 1)(mu, alpha, CLASSES)
    found = fixed_focus.gap(name, mu, alpha, CLASSES, ahead) / ahead
    # The second derivative is of order mu^2; the difference loses EPS / ahead.
    np.testing.assert_allclose(found, -slope, rtol=0, atol=10 * ahead)


def test_the_force_is_minus_the_slope_of_the_loss_in_alpha(name):
    alpha, classes = np.array([0.0, 0.01, 0.3, 0.9, 1.0])[:, None], np.array([2.0, 20.0, 1e6])
    slope = jit(
        jax.vmap(jax.vmap(jax.grad(fixed_focus.LOSSES[name], 1), (None, 0, None)), (None, None, 0))
    )
    for mu in (0.0, 1e-9, 0.5, 7.0, 40.0, 3000.0):
        found = fixed_focus.FORCES[name](mu, np.broadcast_to(alpha, (5, 3)), classes[None])
        expected = -slope(mu, alpha[:, 0], classes).T
        # A slope is the difference of terms of order log(C), or mu, and keeps their EPS.
        np.testing.assert_allclose(found, expected, rtol=2e-14, atol=20 * EPS * (1 + mu))


def test_the_gap_keeps_its_digits_where_the_losses_are_all_but_equal(name):
    alpha, classes = 0.4, 1000.0
    gaps = jit(lambda mu: fixed_focus.gap(name, mu, alpha, classes))
    for mu in (1e-12, 1e-6, 0.1, 5.0, 70.0):
        with mpmath.workdps(60):
            x, a, c = mpmath.mpf(mu), mpmath.mpf(alpha), mpmath.mpf(classes)
            ahead = a + mpmath.mpf(fixed_focus.AHEAD)
            exact = textbook_loss(name, x, a, c) - textbook_loss(name, x, ahead, c)
            assert abs(float(gaps(mu)) - exact) < 1e-14 * exact


def textbook_loss(name, mu, alpha, c):
    if name == "soft":
        return mpmath.log1p((c - 1) * mpmath.exp(-alpha * mu))
    beta = mpmath.exp(mu) / (mpmath.exp(mu) + c - 1)
    if name == "hard":
        return -alpha * mpmath.log(beta) + (1 - alpha) * mpmath.log(c)
    return -mpmath.log(alpha * beta + (1 - alpha) / c)


def test_the_loss_keeps_its_digits_where_it_is_small(name):
    for alpha, mu in ((1.0, 30.0), (1 - 1e-9, 30.0), (1 - 1e-9, 0.5), (0.3, 200.0), (0.3, 0.0)):
        with mpmath.workdps(60):
            exact = textbook_loss(name, *map(mpmath.mpf, (mu, alpha, CLASSES)))
        found = float(fixed_focus.LOSSES[name](mu, alpha, CLASSES))
        assert abs(found - exact) < 1e-14 * exact


def test_there_is_nothing_to_gain_beyond_all_attention(name):
    assert fixed_focus.ahead_of(1.0) == 1
    assert fixed_focus.ahead_of(0.995) == 1
    assert fixed_focus.gap(name, 2.0, 1.0, CLASSES) == 0
    assert fixed_focus.gap_limit(name, 1.0, CLASSES) == 0


def test_a_float32_stays_one(name):
    mu, alpha = jnp.float32(2.0), jnp.float32(0.4)
    assert fixed_focus.LOSSES[name](mu, alpha, 20).dtype == jnp.float32
    assert fixed_focus.SPEEDS[name](mu, alpha, 20).dtype == jnp.float32
    assert fixed_focus.gap(name, mu, alpha, 20).dtype == jnp.float32
