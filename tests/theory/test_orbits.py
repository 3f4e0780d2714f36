from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import jit
from theory import oracle

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.theory.orbits import hybrid_nu_of_mu, mu_of_nu, nu_of_mu

pytestmark = pytest.mark.needs_x64

NAMES = sorted(theory.FIELDS)
SIZE = {"segments": 100.0, "classes": 1000.0}


@lru_cache
def compiled(function, paradigm):
    return jit(partial(function, paradigm))


def drawn(rng, count=120):
    """Sizes, a start (from zero in half of the cases) and mu - mu0 over the whole range."""
    segments, classes = (10 ** rng.uniform(np.log10(2), 6, count) for _ in range(2))
    segments[:4], classes[:4] = [2, 1e6, 2, 1e6], [2, 2, 1e6, 1e6]
    started = rng.choice([0.0, 1.0], count)
    mu0, nu0 = (started * 10 ** rng.uniform(-3, 1.5, count) for _ in range(2))
    mu = mu0 + 10 ** rng.uniform(-18, 1.5, count)
    return mu, segments, classes, mu0, nu0


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_orbit_is_that_of_fifty_digits_both_ways(paradigm, rng):
    mu, segments, classes, mu0, nu0 = drawn(rng)
    where = {"segments": segments, "classes": classes, "mu0": mu0, "nu0": nu0}
    nu = np.asarray(compiled(nu_of_mu, paradigm)(mu, **where))
    for i, values in enumerate(zip(mu, segments, classes, mu0, nu0, strict=True)):
        x, m, c, x0, y0 = map(mpmath.mpf, values)
        exact = oracle.exact_focus(paradigm, x, oracle.State(x0, y0), m, c)
        assert abs(nu[i] - exact) < 4e-15 * exact
    # The way back starts at the nu that was found, whose rounding moves mu.
    back = np.asarray(compiled(mu_of_nu, paradigm)(nu, **where))
    slope = theory.CLASS_SLOPES[paradigm](mu, classes) / theory.attention_potential_slope(
        nu, segments
    )
    with np.errstate(divide="ignore"):
        moved = 4e-15 * nu / slope  # as much as one unit in the last place of nu, or ten
    assert np.all(np.abs(back - mu) <= 4e-15 * mu + moved)


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_way_back_from_zero_keeps_the_digits_of_mu(paradigm, rng):
    mu, segments, classes, _, _ = drawn(rng)
    size = {"segments": segments, "classes": classes}
    back = compiled(mu_of_nu, paradigm)(compiled(nu_of_mu, paradigm)(mu, **size), **size)
    np.testing.assert_allclose(back, mu, rtol=1e-14)  # steep on its way to take-off


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_invariant_is_the_same_all_along_an_orbit(paradigm):
    mu = jnp.linspace(2.0, 20.0, 50)
    nu = compiled(nu_of_mu, paradigm)(mu, **SIZE, mu0=2.0, nu0=3.0)
    kept = theory.invariant(paradigm, mu, nu, 100.0, 1000.0)
    slope = theory.attention_potential_slope(nu, 100.0)
    np.testing.assert_allclose((kept - kept[0]) / slope, 0.0, atol=1e-13)


def test_a_hybrid_follows_soft_and_then_hard_attention():
    mu = np.append(np.geomspace(1e-9, 20.0, 60), 4.0)
    found = jit(hybrid_nu_of_mu)(mu, 4.0, **SIZE)
    soft = compiled(nu_of_mu, "soft")(mu, **SIZE)
    before = mu <= 4.0
    np.testing.assert_allclose(found[before], soft[before], rtol=4e-15)
    turn = nu_of_mu("soft", 4.0, **SIZE)
    after = nu_of_mu("hard", mu[~before], **SIZE, mu0=4.0, nu0=turn)
    np.testing.assert_allclose(found[~before], after, rtol=4e-15)
    assert np.all(found[~before] > soft[~before] + 1e-4)  # its R is steeper there


@pytest.mark.parametrize("paradigm", NAMES)
def test_both_ways_have_the_derivatives_of_the_implicit_function(paradigm, rng):
    mu, *where = drawn(rng)

    def forward(mu, m, c, mu0, nu0):
        return nu_of_mu(paradigm, mu, segments=m, classes=c, mu0=mu0, nu0=nu0)

    def back(nu, m, c, mu0, nu0):
        return mu_of_nu(paradigm, nu, segments=m, classes=c, mu0=mu0, nu0=nu0)

    nu, ahead = jit(jax.vmap(jax.value_and_grad(forward, argnums=(0, 1, 2, 3, 4))))(mu, *where)
    behind = jit(jax.vmap(jax.grad(back, argnums=(0, 1, 2, 3, 4))))(nu, *where)
    assert all(np.isfinite(part).all() for part in (*ahead, *behind))
    # Where nu - nu0 is lost in nu0, or mu - mu0 in mu0, so are the slopes.
    clear = (nu - where[3] > 1e-6 * nu) & (mu - where[2] > 1e-6 * mu)
    slope = theory.CLASS_SLOPES[paradigm](mu, where[1]) / theory.attention_potential_slope(
        nu, where[0]
    )
    np.testing.assert_allclose(ahead[0], slope, rtol=1e-12)
    np.testing.assert_allclose(behind[0][clear], 1 / slope[clear], rtol=1e-8)
    for one, other in zip(ahead[1:], behind[1:], strict=True):
        np.testing.assert_allclose(
            other[clear], (-one / ahead[0])[clear], rtol=1e-7, atol=1e-9 * mu[clear].max()
        )


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: nu_of_mu("sofd", 1.0, **SIZE), "did you mean 'soft'"),
        (lambda: nu_of_mu("soft", -1.0, **SIZE), r"bad mu - mu0: got -1, expected .* \[0, 80\]"),
        (lambda: nu_of_mu("soft", 1.0, segments=1.5, classes=3), "bad segments: got 1.5, expected"),
        (lambda: nu_of_mu("soft", 1.0, segments=3, classes=np.nan), "bad classes: got nan"),
        (lambda: nu_of_mu("soft", 50.0, **SIZE, mu0=41.0), "bad mu0: got 41"),
        (lambda: nu_of_mu("soft", 1.0, **SIZE, nu0=-1.0), "bad nu0: got -1"),
        (lambda: mu_of_nu("hard", 1.0, **SIZE, nu0=2.0), "bad nu - nu0: got -1"),
        (lambda: hybrid_nu_of_mu(1.0, np.inf, **SIZE), "bad switch_mu: got inf"),
    ],
)
def test_bad_requests_name_argument_value_and_range(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


@pytest.mark.parametrize("function", [nu_of_mu, mu_of_nu])
def test_a_bad_row_that_is_traced_is_nan_and_leaves_the_others_alone(function):
    segments = np.array([100.0, 1.0, 5.0])
    values = np.array([1.0, 1.0, -1.0])
    rows = jit(jax.vmap(lambda value, m: function("hard", value, segments=m, classes=9.0)))(
        values, segments
    )
    np.testing.assert_array_equal(np.isnan(rows), [False, True, True])
    alone = function("hard", 1.0, segments=100.0, classes=9.0)
    np.testing.assert_allclose(rows[0], alone, rtol=4e-15)
