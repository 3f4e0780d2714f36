from functools import lru_cache

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers import jit, slow_but
from theory import oracle

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.theory.times import time_of_mu, trajectory

pytestmark = pytest.mark.needs_x64

NAMES = sorted(oracle.POINTS)
PURE = sorted(theory.FIELDS)
PUBLISHED = {"segments": 100.0, "classes": 1000.0}
# Closed forms against an ODE solver of order 8 at rtol 1e-12 agreed to 1e-13.
REFERENCE = {
    "soft": (12.649238649825994, 8.858825858862872),
    "hard": (12.468108437925913, 12.11119618268063),
    "lvml": (12.66279476384701, 10.353216747638928),
}


@lru_cache
def columns(paradigm):
    """The oracle's points of one paradigm, column by column."""
    rows = [row for row in oracle.read() if row["paradigm"] == paradigm]
    names = ("time", "segments", "classes", "switch_time", "mu", "nu", "kappa")
    return {name: np.array([float(row[name] or 0) for row in rows]) for name in names}


@lru_cache
def at(paradigm):
    """The trajectory of one row at one time, its switch ignored where there is none."""

    def state(time, segments, classes, switch_time):
        switch = {"switch_time": switch_time} if paradigm == "hybrid" else {}
        return trajectory(paradigm, time, segments=segments, classes=classes, **switch)

    return state


@lru_cache
def rows(paradigm):
    return jit(jax.vmap(at(paradigm)))


def asked(table):
    return (table[name] for name in ("time", "segments", "classes", "switch_time"))


def test_the_oracle_holds_2000_points_half_of_them_steep():
    found = oracle.read()
    assert len(found) == 2000
    kappa = np.array([float(row["kappa"]) for row in found])
    assert np.sum(kappa > 10) >= 1000
    assert np.max(kappa) > 1e5
    assert oracle.TABLE.stat().st_size < 300_000


@pytest.mark.slow
def test_the_generator_still_gives_the_table():
    found = oracle.read()
    # From every paradigm, steep and not; those with the fewest panels, which take a second.
    for row in sorted(found, key=lambda row: float(row["mu"]) + float(row["nu"]))[:1990:105]:
        again = oracle.again(row)
        assert again == row


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_trajectory_is_that_of_the_oracle(paradigm):
    table = columns(paradigm)
    found = rows(paradigm)(*asked(table))
    for name in ("mu", "nu"):
        wrong = np.abs(getattr(found, name) - table[name]) / table[name]
        assert np.max(wrong / np.maximum(1.0, table["kappa"])) < 2e-14  # asked for: 1e-12


@pytest.mark.parametrize("paradigm", PURE)
def test_time_is_that_of_the_oracle(paradigm):
    table = columns(paradigm)
    find = jit(jax.vmap(lambda mu, m, c: time_of_mu(paradigm, mu, segments=m, classes=c)))
    found = find(table["mu"], table["segments"], table["classes"])
    np.testing.assert_allclose(found, table["time"], rtol=1e-14)


@pytest.mark.parametrize("paradigm", PURE)
def test_the_published_figure_ends_at_its_reference_values(paradigm):
    state = trajectory(paradigm, 4e5, **PUBLISHED)
    np.testing.assert_allclose(state, REFERENCE[paradigm], rtol=0, atol=2e-13)
    np.testing.assert_allclose(time_of_mu(paradigm, state.mu, **PUBLISHED), 4e5, rtol=1e-14)


@pytest.mark.parametrize("paradigm", slow_but(["hybrid"], NAMES))
def test_the_corners_of_the_box_are_finite_and_rise(paradigm):
    sizes = np.array([(m, c) for m in (2.0, 1e3, 1e6) for c in (2.0, 1e3, 1e6)])
    times = np.append(0.0, np.geomspace(1e-6, 1e12, 200))
    switch = {"switch_time": 1e4} if paradigm == "hybrid" else {}
    found = jit(
        jax.vmap(lambda m, c: trajectory(paradigm, times, segments=m, classes=c, **switch))
    )(*sizes.T)
    for quantity in found:
        assert np.isfinite(quantity).all()
        assert np.array_equal(quantity[:, 0], np.zeros(len(sizes)))
        assert np.all(np.diff(quantity, axis=1) > 0)


@pytest.mark.parametrize("paradigm", slow_but(["soft"], PURE))
def test_an_orbit_begun_again_halfway_goes_on_as_it_would_have(paradigm):
    # Also from a late start, where nu follows R at a distance that mu alone would not resolve.
    for halfway in (1e3, 1.2e5, 1e9):
        turn = trajectory(paradigm, halfway, **PUBLISHED)
        later = halfway * np.array([1.001, 1.1, 3.0, 100.0])
        whole = trajectory(paradigm, later, **PUBLISHED)
        rest = trajectory(paradigm, later - halfway, **PUBLISHED, mu0=turn.mu, nu0=turn.nu)
        steep = np.max(later * theory.FIELDS[paradigm](*whole, 100.0, 1000.0)[0] / whole.mu)
        np.testing.assert_allclose(rest.mu, whole.mu, rtol=1e-14 * max(1.0, 10 * steep))
        np.testing.assert_allclose(rest.nu, whole.nu, rtol=1e-14 * max(1.0, 10 * steep))


def test_em_is_lvml_in_every_closed_form():
    size = {**PUBLISHED, "mu0": 0.1, "nu0": 0.2}
    for function, at in (
        (trajectory, 2e5), (time_of_mu, 7.0), (theory.nu_of_mu, 7.0), (theory.mu_of_nu, 7.0)
    ):  # fmt: skip
        assert np.array_equal(function("em", at, **size), function("lvml", at, **size))


@pytest.mark.slow
def test_a_hybrid_is_soft_before_its_switch_and_hard_attention_from_that_state_after():
    times = np.append(np.geomspace(1e3, 4e5, 30), 4e5)
    switch = 1.4e5
    hybrid = trajectory("hybrid", times, **PUBLISHED, switch_time=switch)
    soft = trajectory("soft", times, **PUBLISHED)
    before = times < switch
    for mine, other in zip(hybrid, soft, strict=True):
        np.testing.assert_allclose(mine[before], other[before], rtol=1e-14)
    turn = trajectory("soft", switch, **PUBLISHED)
    start = {"mu0": turn.mu, "nu0": turn.nu}
    hard = trajectory("hard", times[~before] - switch, **PUBLISHED, **start)
    for mine, other in zip(hybrid, hard, strict=True):
        np.testing.assert_allclose(mine[~before], other, rtol=1e-13)
    for switch, same in ((0.0, "hard"), (4e5, "soft")):
        edge = trajectory("hybrid", times, **PUBLISHED, switch_time=switch)
        np.testing.assert_allclose(edge, trajectory(same, times, **PUBLISHED), rtol=1e-13)


@pytest.mark.parametrize("paradigm", slow_but(["hard"], NAMES))
def test_gradients_are_central_differences_of_the_oracle(paradigm):
    # A point each on the way up, at take-off and after it; the oracle is differenced in mu, m and
    # C where mu, nu and t are known, and gives those at fixed t by the implicit function.
    table = columns(paradigm)
    steep = np.argsort(table["kappa"])
    by_state = jit(jax.jacrev(at(paradigm), argnums=(0, 1, 2)))
    for place in (steep[len(steep) // 3], steep[2 * len(steep) // 3]):
        row = {name: float(column[place]) for name, column in table.items()}
        found = by_state(*asked(row))
        exact = oracle_gradients(paradigm, row)
        for quantity in ("mu", "nu"):
            np.testing.assert_allclose(getattr(found, quantity), exact[quantity], rtol=1e-6)


def oracle_gradients(paradigm, row):
    """``d(mu, nu) / d(t, m, C)`` at fixed others, by central differences at 50 digits."""
    with mpmath.workdps(oracle.DIGITS):
        centre = [mpmath.mpf(row[name]) for name in ("mu", "segments", "classes")]

        def of(mu, m, c):
            start, earlier, after = oracle.ZERO, mpmath.mpf(0), paradigm
            if paradigm == "hybrid":
                earlier, after = mpmath.mpf(row["switch_time"]), "hard"
                size = (mpmath.nstr(m, 45), mpmath.nstr(c, 45))
                guess = trajectory(
                    "soft", row["switch_time"], segments=float(m), classes=float(c)
                ).mu
                start = oracle.switched(repr(row["switch_time"]), repr(float(guess)), *size)
            nu = oracle.focus(after, mu, start, m, c)
            return oracle.time(after, mu, start, m, c) + earlier, nu

        slopes = []
        for k in range(3):
            gap = centre[k] * mpmath.mpf(10) ** -12
            up, down = (
                of(*(value + sign * gap * (i == k) for i, value in enumerate(centre)))
                for sign in (1, -1)
            )
            slopes.append([(a - b) / (2 * gap) for a, b in zip(up, down, strict=True)])
        (t_mu, n_mu), *sizes = slopes
        mu = [1 / t_mu, *(-t / t_mu for t, _ in sizes)]
        nu = [n_mu * mu[0], *(n + n_mu * m for (_, n), m in zip(sizes, mu[1:], strict=True))]
        return {"mu": [float(x) for x in mu], "nu": [float(x) for x in nu]}


@pytest.mark.slow
def test_the_derivative_by_a_hybrids_switch_is_its_central_difference():
    def end(switch):
        return trajectory("hybrid", 4e5, **PUBLISHED, switch_time=switch).nu

    for switch in (2e4, 1.3e5, 2e5):
        gap = 1e-4 * switch  # to fourth order, as the take-off bends it
        near, far = (end(switch + k * gap) - end(switch - k * gap) for k in (1, 2))
        difference = (8 * near - far) / (12 * gap)
        forward = jax.jvp(end, (switch,), (1.0,))[1]
        np.testing.assert_allclose(jax.grad(end)(switch), difference, rtol=1e-6)
        np.testing.assert_allclose(forward, difference, rtol=1e-6)


@pytest.mark.slow
def test_the_derivative_by_a_switch_beyond_the_horizon_is_nan_and_no_error():
    def end(switch):
        return trajectory("hybrid", 10.0, segments=5, classes=3, switch_time=switch).nu

    assert np.isnan(jax.grad(end)(30.0))
    assert jax.grad(end)(5.0) > 0


@pytest.mark.parametrize("paradigm", slow_but(["hard"], PURE))
def test_the_derivative_by_time_is_the_field(paradigm):
    times = np.geomspace(1e-6, 1e9, 40)
    slope = jit(jax.vmap(jax.jacfwd(lambda t: trajectory(paradigm, t, **PUBLISHED))))(times)
    state = trajectory(paradigm, times, **PUBLISHED)
    field = theory.FIELDS[paradigm](*state, 100.0, 1000.0)
    for mine, other in zip(slope, field, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: trajectory("sofd", 1.0, **PUBLISHED), "did you mean 'soft'"),
        (lambda: trajectory("soft", 1.0, segments=1, classes=3), "bad segments: got 1, expected"),
        (lambda: trajectory("soft", 1.0, segments=3, classes=1.9), r"classes: got 1.9, .*\[2, 1e"),
        (
            lambda: trajectory("soft", np.array([1.0, -2.0]), **PUBLISHED),
            "bad times: got -2, expected",
        ),
        (lambda: trajectory("soft", np.nan, **PUBLISHED), "bad times: got nan"),
        (
            lambda: trajectory("soft", np.array([np.inf]), **PUBLISHED),
            r"times: got inf, .*\[0, 1e\+15\]",
        ),
        (
            lambda: trajectory("soft", np.array([0.0, 2.0, 1.0]), **PUBLISHED),
            "got 1 after 2, .* sort them",
        ),
        (lambda: trajectory("soft", 1.0, **PUBLISHED, mu0=-1), r"mu0: got -1, .*\[0, 40\]"),
        (lambda: trajectory("soft", 1.0, **PUBLISHED, nu0=np.inf), "bad nu0: got inf"),
        (
            lambda: trajectory("hybrid", np.array([1.0, 3.0]), **PUBLISHED, switch_time=4),
            r"4, .*\[0, 3\]",
        ),
        (lambda: trajectory("hybrid", 1.0, **PUBLISHED, switch_time=-1), "switch_time: got -1"),
        (lambda: trajectory("hybrid", 1.0, **PUBLISHED), "switch_time: got None for hybrid"),
        (lambda: trajectory("soft", 1.0, **PUBLISHED, switch_time=1), "expected none"),
        (lambda: time_of_mu("soft", 1.0, **PUBLISHED, mu0=2.0), "bad mu - mu0: got -1"),
    ],
)
def test_bad_requests_name_argument_value_and_range(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


def test_a_bad_row_that_is_traced_is_nan_and_leaves_the_others_alone():
    good = (np.array([1.0, 2e5]), 100.0, 1000.0, 1e4)
    bad = [
        (good[0], 1.0, 1000.0, 1e4),
        (good[0], 100.0, np.nan, 1e4),
        (np.array([2e5, 1.0]), 100.0, 1000.0, 1.0),
        (np.array([-1.0, 2e5]), 100.0, 1000.0, 1e4),
        (good[0], 100.0, 1000.0, 3e5),
        (good[0], 100.0, 1000.0, -1.0),
    ]
    columns = [np.array(part) for part in zip(good, *bad, good, strict=True)]
    found = rows("hybrid")(*columns)
    for quantity in found:
        assert np.array_equal(np.isnan(quantity).any(axis=1), [False, *[True] * len(bad), False])
        assert np.array_equal(quantity[0], quantity[-1])
        # One negative time is that time's own failure; all the rest of it fails as a whole.
        assert np.array_equal(
            np.isnan(quantity[1:-1]).all(axis=1), [True] * 3 + [False] + [True] * 2
        )


def test_beyond_the_last_panel_there_is_no_time():
    found = time_of_mu("soft", np.array([30.0, 34.0, 60.0]), **PUBLISHED)
    assert np.array_equal(np.isnan(found), [False, False, True])


@pytest.mark.parametrize("paradigm", slow_but(["hard"], NAMES))
def test_in_float32_digits_are_lost_and_nothing_else(paradigm):
    table = columns(paradigm)
    with jax.enable_x64(False):
        found = jit(jax.vmap(at(paradigm)))(*(jnp.asarray(part) for part in asked(table)))
        assert found.mu.dtype == np.float32
    for name in ("mu", "nu"):
        quantity = np.asarray(getattr(found, name), float)
        assert np.isfinite(quantity).all()
        # Late, nu answers to the mu that float32 resolves; before, kappa says what a time does.
        wrong = np.abs(quantity - table[name]) / table[name]
        assert np.max(wrong / np.maximum(1.0, table["kappa"])) < 1e-4
