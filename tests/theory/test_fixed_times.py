from functools import lru_cache

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from helpers import jit

from jaxattn.core.contracts import InputError
from jaxattn.theory import fixed_focus
from jaxattn.theory.fixed_times import fixed_focus_time, fixed_focus_trajectory

pytestmark = pytest.mark.needs_x64

NAMES = sorted(fixed_focus.LOSSES)
CLASSES = 20.0


@lru_cache
def at(paradigm):
    def state(time, alpha, classes):
        return fixed_focus_trajectory(paradigm, time, alpha=alpha, classes=classes)

    return state


@lru_cache
def rows(paradigm):
    return jit(jax.vmap(at(paradigm)))


# What is held against it, as one writes it, in mpmath's numbers.


def exact_time(paradigm, mu, alpha, c):
    if paradigm == "soft":
        return (mp.expm1(alpha * mu) + (c - 1) * alpha * mu) / alpha**2
    whole = mp.expm1(mu) + (c - 1) * mu
    if paradigm == "hard":
        return whole / alpha
    more = mp.expm1(mu) + 2 * (c - 1) * mu - (c - 1) ** 2 * mp.expm1(-mu)
    return whole + (1 - alpha) / (alpha * c) * more


def exact_state(paradigm, mu, alpha, c):
    """mu', the loss and minus its slope in alpha."""
    w = mp.exp(mu) + c - 1
    beta = mp.exp(mu) / w
    if paradigm == "soft":
        read = mp.exp(alpha * mu) + c - 1
        return alpha / read, mp.log1p((c - 1) * mp.exp(-alpha * mu)), mu * (c - 1) / read
    if paradigm == "hard":
        loss = -alpha * mp.log(beta) + (1 - alpha) * mp.log(c)
        return alpha / w, loss, mp.log(c * beta)
    z = alpha * beta + (1 - alpha) / c
    return alpha * beta / (z * w), -mp.log(z), (beta - 1 / c) / z


def exact(paradigm, time, alpha, c, guess):
    """mu, loss, force and gap at this time, and kappa; mu by Newton's method from near it."""
    time, alpha, c, mu = (mp.mpf(float(x)) for x in (time, alpha, c, guess))
    for _ in range(6):
        mu -= (exact_time(paradigm, mu, alpha, c) - time) * exact_state(paradigm, mu, alpha, c)[0]
    speed, loss, force = exact_state(paradigm, mu, alpha, c)
    ahead = min(mp.mpf(fixed_focus.AHEAD), 1 - alpha)
    gap = loss - exact_state(paradigm, mu, alpha + ahead, c)[1]
    return (mu, loss, force, gap), max(1, time * speed / mu)


def drawn(rng, count):
    """Times, attention and classes over the whole box; in the second half where LVML takes off."""
    alpha = 10 ** rng.uniform(-2, 0, count)
    classes = 10 ** rng.uniform(np.log10(2), 6, count)
    alpha[:4], classes[:4] = [0.01, 1.0, 0.01, 1.0], [2.0, 2.0, 1e6, 1e6]
    time = 10 ** rng.uniform(-6, 12, count)
    half = count // 2
    time[half:] = (classes / alpha * rng.uniform(0.8, 1.3, count))[half:]
    return time, alpha, classes


@pytest.mark.parametrize("paradigm", NAMES)
def test_mu_at_a_fixed_focus_is_that_of_fifty_digits(paradigm, rng):
    time, alpha, classes = drawn(rng, 200)
    found = rows(paradigm)(time, alpha, classes)
    back = fixed_focus_time(paradigm, found.mu, alpha=alpha, classes=classes)
    steepest = 1
    with mp.workdps(50):
        for i, row in enumerate(zip(time, alpha, classes, found.mu, strict=True)):
            values, kappa = exact(paradigm, *row)
            steepest = max(steepest, kappa)
            for mine, other in zip(found, values, strict=True):
                # Asked for: 1e-12. The last gap of all, at alpha = 1, is 0.
                assert abs(float(mine[i]) - other) <= 1e-14 * kappa * other
            known = exact_time(paradigm, *(mp.mpf(float(x)) for x in (row[3], row[1], row[2])))
            assert abs(float(back[i]) - known) <= 3e-15 * known
    assert steepest > (8 if paradigm == "lvml" else 0)


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_derivative_of_mu_by_time_is_the_rate_and_by_the_others_the_implicit_one(paradigm, rng):
    time, alpha, classes = drawn(rng, 60)
    inside = (alpha > 0.02) & (alpha < 0.98)
    time, alpha, classes = time[inside], alpha[inside], classes[inside]

    def mu(time, alpha, classes):
        return at(paradigm)(time, alpha, classes).mu

    def back(mu, alpha, classes):
        return fixed_focus_time(paradigm, mu, alpha=alpha, classes=classes)

    value, slopes = jit(jax.vmap(jax.value_and_grad(mu, (0, 1, 2))))(time, alpha, classes)
    forward = jit(jax.vmap(jax.jacfwd(mu)))(time, alpha, classes)
    speed = fixed_focus.SPEEDS[paradigm](value, alpha, classes)
    np.testing.assert_allclose(slopes[0], speed, rtol=1e-13)
    np.testing.assert_allclose(forward, slopes[0], rtol=1e-13)
    # t(mu, alpha, C) = t: dmu = -mu' dt. The time is elementary, and differenced by its own rule.
    known = jit(jax.vmap(jax.grad(back, (0, 1, 2))))(value, alpha, classes)
    np.testing.assert_allclose(slopes[0], 1 / known[0], rtol=1e-13)
    for mine, other in zip(slopes[1:], known[1:], strict=True):
        np.testing.assert_allclose(mine, -speed * other, rtol=1e-11, atol=1e-13 * np.max(value))


@lru_cache
def curves(paradigm):
    return jit(jax.vmap(at(paradigm), (None, 0, 0)))


TIMES = np.append(0.0, np.geomspace(1e-9, 1e15, 240))
ALPHAS = np.array([1e-9, 0.2, 0.5, 0.8, 1.0, 0.0])
SHARES = ALPHAS[1:4]


@lru_cache
def curve(paradigm, classes=CLASSES):
    """Each quantity by alpha and time."""
    return jax.tree.map(np.asarray, curves(paradigm)(TIMES, ALPHAS, np.full(ALPHAS.shape, classes)))


@pytest.mark.parametrize("paradigm", NAMES)
def test_loss_force_and_gap_go_to_their_limits_as_they_are_said_to(paradigm):
    late = TIMES > 1e8
    loss, force, gap = (part[1:4, late] for part in curve(paradigm)[1:])
    alpha, times = SHARES[:, None], TIMES[late]
    share = alpha**2 if paradigm == "soft" else 1.0
    left = (loss - np.asarray(fixed_focus.LIMITS[paradigm](SHARES, CLASSES))[:, None]) * share
    # The next term is smaller by C log(t) / t; of the loss itself 1e-16 is kept.
    room = 10 * CLASSES * np.log(times) / (share * times) + 1e-15 * times / CLASSES
    assert np.all(np.abs(left * times / (CLASSES - 1) - 1) < room)
    assert np.min(room) < 1e-5
    ends = {
        "soft": 0 * SHARES,
        "hard": np.log(CLASSES) + 0 * SHARES,
        "lvml": (CLASSES - 1) / (1 + SHARES * (CLASSES - 1)),
    }
    np.testing.assert_allclose(force[:, -1], ends[paradigm], rtol=1e-12, atol=1e-10)
    limit = fixed_focus.gap_limit(paradigm, SHARES, CLASSES)
    np.testing.assert_allclose(gap[:, -1], limit, rtol=1e-12, atol=1e-12)


def test_the_force_fades_under_soft_attention_and_grows_under_the_others():
    # The published signature of the paradigms (PAPER 3.1).
    for place in (1, 2, 3):
        for name in ("hard", "lvml"):
            force = curve(name).force[place]
            assert np.all(np.diff(force) > -1e-15 * force[1:])
        force = curve("soft").force[place]
        turn = np.argmax(force)
        assert 100 < turn < 180
        assert np.all(np.diff(force)[:turn] > 0)
        assert np.all(np.diff(force)[turn:] < 0)
        assert force[-1] < 1e-4 * force[turn]


def test_with_all_attention_on_the_foreground_the_paradigms_learn_as_one():
    first, *others = (curve(name) for name in NAMES)
    for other in others:
        np.testing.assert_allclose(other.mu[4], first.mu[4], rtol=1e-14)
        np.testing.assert_allclose(other.loss[4], first.loss[4], rtol=1e-13)


@pytest.mark.parametrize("paradigm", NAMES)
def test_nothing_is_learnt_without_attention_or_without_time(paradigm):
    found = curve(paradigm)
    np.testing.assert_allclose(found.loss[:, 0], np.log(CLASSES), rtol=1e-15)
    np.testing.assert_allclose(found.loss[5], np.log(CLASSES), rtol=1e-15)
    for quantity in (found.mu, found.force, found.gap):
        assert not quantity[:, 0].any()
        assert not quantity[5].any()


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_first_of_what_is_learnt_is_attention_times_time_by_the_classes(paradigm):
    both = jit(jax.value_and_grad(lambda alpha: at(paradigm)(3.0, alpha, CLASSES).mu))
    for alpha in (0.0, 1e-200):
        value, slope = both(alpha)
        np.testing.assert_allclose(value, 3 * alpha / CLASSES, rtol=1e-15)
        np.testing.assert_allclose(slope, 3 / CLASSES, rtol=1e-15)
    for alpha, mu, time in ((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 1.0, np.nan)):
        found = fixed_focus_time(paradigm, mu, alpha=alpha, classes=CLASSES)
        np.testing.assert_equal(float(found), time)


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_corners_of_the_domain_are_finite_and_rise(paradigm):
    for classes in (2.0, 1e3, 1e9):
        found = curve(paradigm, classes)
        for quantity in found:
            assert np.isfinite(quantity).all()
            assert np.all(quantity >= 0)
        assert np.all(np.diff(found.mu[:5], axis=1) > 0)
        # To the rounding of a loss that has reached its limit.
        assert np.all(np.diff(found.loss, axis=1) <= 1e-15 * found.loss[:, :-1])


@pytest.mark.parametrize("paradigm", NAMES)
def test_in_float32_a_fixed_focus_loses_digits_and_nothing_else(paradigm, rng):
    asked = drawn(rng, 200)
    exact = rows(paradigm)(*asked)
    steep = np.maximum(
        1.0, asked[0] * fixed_focus.SPEEDS[paradigm](exact.mu, *asked[1:]) / exact.mu
    )
    with jax.enable_x64(False):
        found = jit(jax.vmap(at(paradigm)))(*(jnp.asarray(x, jnp.float32) for x in asked))
        assert found.mu.dtype == np.float32
    for name, mine, other in zip(found._fields, found, exact, strict=True):
        mine, other = np.asarray(mine, float), np.asarray(other)
        assert np.isfinite(mine).all()
        wrong = np.abs(mine - other) / np.where(other > 0, other, 1.0)
        assert np.max(wrong / steep) < 2e-6, name


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: fixed_focus_trajectory("sofd", 1.0, alpha=0.5, classes=3), "did you mean 'soft'"),
        (
            lambda: fixed_focus_trajectory("soft", 1.0, alpha=1.5, classes=3),
            r"bad alpha: got 1.5, expected a number in \[0, 1\]",
        ),
        (lambda: fixed_focus_trajectory("soft", 1.0, alpha=-0.1, classes=3), "bad alpha: got -0.1"),
        (
            lambda: fixed_focus_trajectory("soft", 1.0, alpha=np.nan, classes=3),
            "bad alpha: got nan",
        ),
        (lambda: fixed_focus_trajectory("soft", 1.0, alpha=0.5, classes=1), "bad classes: got 1"),
        (lambda: fixed_focus_trajectory("soft", -1.0, alpha=0.5, classes=3), "bad times: got -1"),
        (lambda: fixed_focus_trajectory("soft", np.inf, alpha=0.5, classes=3), "times: got inf"),
        (
            lambda: fixed_focus_trajectory("soft", np.array([2.0, 1.0]), alpha=0.5, classes=3),
            "got 1 after 2, .* sort them",
        ),
        (
            lambda: fixed_focus_trajectory("soft", 1.0, alpha=0.5, classes=3, ahead=-1.0),
            "bad ahead: got -1",
        ),
        (lambda: fixed_focus_time("soft", -1.0, alpha=0.5, classes=3), "bad mu: got -1, expected"),
        (lambda: fixed_focus_time("sfot", 1.0, alpha=0.5, classes=3), "did you mean 'soft'"),
    ],
)
def test_bad_requests_name_argument_value_and_range(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


@pytest.mark.parametrize("paradigm", NAMES)
def test_a_bad_row_that_is_traced_is_nan_and_leaves_the_others_alone(paradigm):
    time = np.array([10.0, 10.0, 10.0, -1.0, np.nan, 10.0, 1e16])
    alpha = np.array([0.5, 1.5, 0.5, 0.5, 0.5, np.nan, 0.5])
    classes = np.array([9.0, 9.0, 1.0, 9.0, 9.0, 9.0, 9.0])
    found = rows(paradigm)(time, alpha, classes)
    alone = at(paradigm)(10.0, 0.5, 9.0)
    for quantity, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(np.isnan(quantity), [False] + [True] * 6)
        np.testing.assert_allclose(quantity[0], other, rtol=1e-14)
