from functools import lru_cache

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import jit
from hypothesis import given
from hypothesis import strategies as st

from jaxattn import theory

pytestmark = pytest.mark.needs_x64

NAMES = sorted(theory.FIELDS)
SIZES = [(2, 2), (5, 3), (20, 20), (100, 300)]
EPS = float(np.finfo(np.float64).eps)


def _population_loss(paradigm, u, w, segments):
    """The full loss of the solvable setting, as it is defined: no symmetry, no log space."""
    classes = len(u)
    attended = jnp.exp(u) / (jnp.exp(u) + segments - 1)  # on the foreground, by class
    if paradigm == "soft":
        logits = attended[:, None] * w
        return -jnp.mean(jnp.diag(jax.nn.log_softmax(logits)))
    right = jnp.diag(jax.nn.softmax(w))
    if paradigm == "hard":
        read = attended * -jnp.log(right) + (1 - attended) * jnp.log(classes)
        return jnp.mean(read)
    return jnp.mean(-jnp.log(attended * right + (1 - attended) / classes))


@lru_cache
def _compiled(paradigm, classes):
    def both(mu, nu, segments):
        eye = jnp.eye(classes)
        u = jnp.full(classes, nu)
        w = mu * eye - mu / classes  # W_cc = (C-1) mu / C and W_cc' = -mu / C
        full, (to_u, to_w) = jax.value_and_grad(
            lambda u, w: _population_loss(paradigm, u, w, segments), (0, 1)
        )(u, w)
        size = (mu, nu, segments, float(classes))
        return full, to_u, to_w, theory.LOSSES[paradigm](*size), theory.FIELDS[paradigm](*size)

    return jit(both)


@pytest.mark.parametrize(("segments", "classes"), SIZES)
@pytest.mark.parametrize("paradigm", NAMES)
def test_the_reduced_field_is_the_gradient_of_the_full_loss_at_a_symmetric_point(
    paradigm, segments, classes
):
    for mu, nu in [(0.0, 0.0), (0.01, 0.02), (0.7, 0.3), (2.0, 5.0), (6.0, 3.0)]:
        full, to_u, to_w, loss, (mu_speed, nu_speed) = _compiled(paradigm, classes)(
            mu, nu, float(segments)
        )
        # The naive loss cancels, and sums C terms: about C * EPS against terms of size 1/C.
        near = {"rtol": 1e-11, "atol": 10 * EPS}
        np.testing.assert_allclose(loss, full, **near)
        np.testing.assert_allclose(-to_u, np.full(classes, nu_speed), **near)
        # The gradient points along the symmetric ray: again (C-1)/C and -1/C times mu'.
        ray = np.eye(classes) - 1 / classes
        np.testing.assert_allclose(-to_w, float(mu_speed) * ray, **near)


@lru_cache
def _drifting(paradigm):
    def slopes(mu, nu, segments, classes):
        speed = theory.FIELDS[paradigm](mu, nu, segments, classes)

        def path(mu, nu):
            return theory.invariant(paradigm, mu, nu, segments, classes)

        def level(nu):
            return theory.attention_potential(nu, segments)

        _, whole = jax.jvp(path, (mu, nu), speed)
        _, part = jax.jvp(level, (nu,), (speed[1],))
        weight = jnp.exp(mu) + classes - 1.0
        return whole, part, weight * (1.0 + mu) / classes * speed[0]

    return jit(slopes)


@pytest.mark.parametrize("paradigm", NAMES)
@given(
    mu=st.floats(0.0, 20.0),
    nu=st.floats(0.0, 20.0),
    segments=st.integers(2, 10**6),
    classes=st.integers(2, 10**6),
)
def test_the_field_conserves_attention_potential_minus_class_potential(
    paradigm, mu, nu, segments, classes
):
    whole, part, terms = _drifting(paradigm)(mu, nu, float(segments), float(classes))
    # The slope of the class potential sums terms of size (e^mu + C - 1)(1 + mu)/C, rounded.
    assert abs(whole) <= 1e-13 * abs(part) + 100 * EPS * terms


@pytest.mark.parametrize("paradigm", NAMES)
@pytest.mark.parametrize("classes", [2, 3, 1000, 10**6])
def test_the_class_potential_is_the_integral_of_its_definition(paradigm, classes):
    # R' = nu' / (mu' (1 - alpha)), from the textbook forms of the fields at 40 digits; it does not
    # depend on nu, so any will do.
    def slope(mu):
        mu_speed, nu_speed = _textbook(paradigm, mu, mpmath.mpf(0.4), mpmath.mpf(5), classes)
        return nu_speed / mu_speed * (1 + mpmath.exp(mpmath.mpf(0.4)) / 4)

    for mu in (0.05, 1.5, 14.0):
        with mpmath.workdps(40):
            exact = float(mpmath.quad(slope, [0, mu / 2, mu]))
        found = float(theory.CLASS_POTENTIALS[paradigm](mu, float(classes)))
        assert abs(found - exact) < 2e-14 * abs(exact) + 2e-15


@pytest.mark.parametrize(("segments", "classes"), [(2.0, 2.0), (5.0, 3.0), (1e3, 1e6)])
def test_em_loses_more_than_lvml_by_its_doubt_about_the_foreground(segments, classes):
    for mu, nu in [(0.0, 0.0), (0.7, 0.3), (2.0, 5.0), (16.0, 9.0)]:
        size = (mu, nu, segments, classes)
        with mpmath.workdps(30):
            odds = mpmath.exp(nu) * classes * mpmath.exp(mu) / (mpmath.exp(mu) + classes - 1)
            share = odds / (odds + segments - 1)
            rest = (1 - share) / (segments - 1)
            doubt = -share * mpmath.log(share) - (segments - 1) * rest * mpmath.log(rest)
        more = theory.LOSSES["em"](*size) - theory.LOSSES["lvml"](*size)
        np.testing.assert_allclose(more, float(doubt), rtol=0, atol=200 * EPS)


def _textbook(paradigm, mu, nu, segments, classes):
    """The fields as one writes them, in mpmath numbers, which do not overflow."""
    mu, nu, c = mpmath.mpf(mu), mpmath.mpf(nu), mpmath.mpf(classes)
    alpha = mpmath.exp(nu) / (mpmath.exp(nu) + segments - 1)
    w = mpmath.exp(mu) + c - 1
    beta = mpmath.exp(mu) / w
    z = alpha * beta + (1 - alpha) / c
    spread = alpha * (1 - alpha) / c
    if paradigm == "soft":
        read = mpmath.exp(alpha * mu) + c - 1
        return alpha / read, spread * (c - 1) * mu / read
    if paradigm == "hard":
        return alpha / w, spread * mpmath.log(c * beta)
    return alpha * beta / (z * w), spread * (beta - 1 / c) / z


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_fields_keep_their_digits_where_the_textbook_forms_overflow(paradigm):
    field = jit(theory.FIELDS[paradigm])
    for segments, classes in [(2, 2), (2, 10**6), (10**6, 2), (10**6, 10**6)]:
        for mu in (0.0, 1e-9, 0.999, 1.001, 30.0, 700.0):
            for nu in (0.0, 1e-9, 30.0, 700.0):
                found = field(mu, nu, float(segments), float(classes))
                with mpmath.workdps(700):
                    exact = _textbook(paradigm, mu, nu, segments, classes)
                assert np.isfinite(found).all()
                for one, other in zip(found, exact, strict=True):
                    # exp(x) is off by x * EPS where x is rounded; below 1e-290 digits run out.
                    assert abs(one - float(other)) <= 1e-12 * float(other) + 1e-290


@pytest.mark.parametrize("paradigm", NAMES)
def test_every_potential_and_loss_is_finite_and_starts_where_it_should(paradigm):
    for segments, classes in [(2.0, 2.0), (1e6, 1e6)]:
        for size in (0.0, 1e-3, 1.0, 30.0, 700.0):
            loss = theory.LOSSES[paradigm](size, size, segments, classes)
            assert np.isfinite(loss)
            assert loss >= 0
            assert np.isfinite(theory.CLASS_POTENTIALS[paradigm](size, classes))
            assert np.isfinite(theory.attention_potential(size, segments))
        guess = np.log(classes)
        assert theory.LOSSES[paradigm](0.0, 0.0, segments, classes) == pytest.approx(guess)
        assert abs(theory.CLASS_POTENTIALS[paradigm](0.0, classes)) < 4 * EPS
    assert theory.attention_potential(0.0, 5.0) == 0.0
    assert theory.attention(0.0, 5) == pytest.approx(0.2)
    assert theory.right_class(0.0, 4) == pytest.approx(0.25)


@given(
    mu=st.floats(0.0, 30.0),
    nu=st.floats(0.0, 30.0),
    segments=st.integers(2, 10**6),
    classes=st.integers(2, 10**6),
)
def test_lvml_never_exceeds_hard_attention_and_all_agree_at_full_attention(
    mu, nu, segments, classes
):
    size = (float(segments), float(classes))
    hard, lvml = (theory.LOSSES[name](mu, nu, *size) for name in ("hard", "lvml"))
    assert lvml <= hard + 4 * EPS * hard
    full = [theory.LOSSES[name](mu, 700.0, *size) for name in NAMES]
    np.testing.assert_allclose(full, full[0], rtol=1e-12, atol=4 * EPS)


def test_the_slope_of_the_attention_potential_is_one_over_the_background():
    nu = jnp.linspace(0.0, 20.0, 21)
    by_rule = jax.vmap(jax.grad(lambda nu: theory.attention_potential(nu, 7.0)))(nu)
    slope = theory.attention_potential_slope(nu, 7.0)
    np.testing.assert_allclose(slope, by_rule, rtol=1e-14)
    background = 1 - theory.attention(nu, 7.0)  # keeps EPS absolutely
    np.testing.assert_allclose(1 / slope, background, atol=2 * EPS)


@pytest.mark.parametrize("paradigm", NAMES)
def test_a_potential_reduced_over_many_rows_is_that_of_its_rows(paradigm):
    # JAX 0.10.2 and 0.12.0 on a CPU take expm1(-x) for expm1(x) in such a reduction.
    mu = np.linspace(0.1, 12.0, 256 * 100).reshape(256, 100)
    potential = theory.CLASS_POTENTIALS[paradigm]
    largest = jax.jit(jax.vmap(lambda mu: jnp.max(potential(mu, 50.0) - mu)))(mu)
    plain = np.max(np.asarray(potential(mu, 50.0)) - mu, axis=1)
    np.testing.assert_allclose(largest, plain, rtol=1e-12)
