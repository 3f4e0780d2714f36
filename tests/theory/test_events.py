import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit, slow_but
from theory import oracle

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.theory.events import fit_mark, focus_mark, time_to_fit, time_to_focus

pytestmark = pytest.mark.needs_x64

PUBLISHED = {"segments": 100.0, "classes": 1000.0}
BOTH = {"mu": time_to_fit, "nu": time_to_focus}


@pytest.mark.parametrize("paradigm", slow_but(["hard"], sorted(oracle.POINTS)))
def test_the_times_of_passage_are_those_of_the_oracle(paradigm):
    rows = [row for row in oracle.read() if row["paradigm"] == paradigm][::5]
    names = ("time", "segments", "classes", "switch_time", "mu", "nu", "kappa")
    table = {name: np.array([float(row[name] or 0) for row in rows]) for name in names}
    for name, ask in BOTH.items():
        size = table["segments" if name == "nu" else "classes"]
        level = np.exp(table[name]) / (np.exp(table[name]) + size - 1)
        # A level rounds: late it is near 1, early near the start's, and both hide where it is.
        seen = (level < 0.999) & (table[name] > 1e-3)
        assert np.sum(seen) > 15

        @jax.vmap
        def find(level, m, c, switch, ask=ask):
            given = {"switch_time": switch} if paradigm == "hybrid" else {}
            return ask(paradigm, level, segments=m, classes=c, **given)

        found = jit(find)(level, *(table[key] for key in ("segments", "classes", "switch_time")))
        # d ln t = d ln mu / kappa, and a level of 0.999 says mu to 1e-13, nu of 1e-3 itself too.
        np.testing.assert_allclose(found[seen], table["time"][seen], rtol=3e-12)


def test_a_level_is_passed_where_the_trajectory_says():
    @jit
    @jax.vmap
    def back(switch, mu0, nu0):
        given = {**PUBLISHED, "switch_time": switch, "mu0": mu0, "nu0": nu0}
        times = [
            ask("hybrid", level, **given)
            for ask, level in ((time_to_focus, 0.5), (time_to_fit, 0.9))
        ]
        at = [trajectory_at(time, given) for time in times]
        return theory.attention(at[0].nu, 100.0), theory.right_class(at[1].mu, 1000.0)

    def trajectory_at(time, given):
        # A second time, as the switch has to lie within the horizon.
        path = theory.trajectory("hybrid", jnp.stack([time, jnp.asarray(1e7)]), **given)
        return jax.tree.map(lambda leaf: leaf[0], path)

    # Passed under soft attention, under hard attention from a late switch, and almost from zero.
    focus, fit = back(np.array([1e7, 1.3e5, 1e3]), np.array([0.0, 0.3, 0.0]), np.zeros(3))
    np.testing.assert_allclose(focus, 0.5, rtol=1e-12)
    np.testing.assert_allclose(fit, 0.9, rtol=1e-12)


def test_a_level_below_the_start_takes_no_time_and_one_beyond_the_clock_is_unknown():
    assert time_to_focus("soft", 0.01, **PUBLISHED) == 0.0
    assert time_to_focus("soft", 0.0, **PUBLISHED) == 0.0
    assert time_to_fit("hybrid", 0.5, **PUBLISHED, mu0=8.0, switch_time=10.0) == 0.0
    assert np.isnan(time_to_focus("soft", 1 - 1e-14, **PUBLISHED))
    np.testing.assert_allclose(theory.attention(focus_mark(0.3, 7.0), 7.0), 0.3, rtol=1e-15)
    np.testing.assert_allclose(theory.right_class(fit_mark(0.3, 7.0), 7.0), 0.3, rtol=1e-15)


@pytest.mark.slow
def test_the_time_to_focus_has_its_derivatives_by_the_implicit_function():
    # t(a, m, C, t_s) is where alpha(t, m, C, t_s) = a: its slopes are those of the trajectory.
    def alpha(time, m, c, switch):
        # A second time beyond the switch, which has to lie within the horizon.
        times = jnp.stack([time, jnp.asarray(1e6)])
        state = theory.trajectory("hybrid", times, segments=m, classes=c, switch_time=switch)
        return theory.attention(state.nu[0], m)

    def time_to(level, m, c, switch):
        return time_to_focus("hybrid", level, segments=m, classes=c, switch_time=switch)

    place = (100.0, 1000.0, 1.3e5)
    time = time_to(0.7, *place)
    by_level, *found = jit(jax.grad(time_to, argnums=(0, 1, 2, 3)))(0.7, *place)
    by_time, *slopes = jit(jax.jacfwd(alpha, argnums=(0, 1, 2, 3)))(time, *place)
    np.testing.assert_allclose(by_level, 1 / by_time, rtol=1e-9)
    np.testing.assert_allclose(found, [-slope / by_time for slope in slopes], rtol=1e-9)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: time_to_focus("sofd", 0.5, **PUBLISHED), "did you mean 'soft'"),
        (lambda: time_to_focus("soft", 1.0, **PUBLISHED), r"bad level: got 1, .*\[0, 1\]"),
        (lambda: time_to_fit("soft", -0.1, **PUBLISHED), "bad level: got -0.1"),
        (lambda: time_to_fit("soft", 0.5, segments=1, classes=3), "bad segments: got 1"),
        (lambda: time_to_fit("hybrid", 0.5, **PUBLISHED), "switch_time: got None for hybrid"),
        (lambda: time_to_fit("soft", 0.5, **PUBLISHED, switch_time=1), "expected none"),
        (lambda: time_to_fit("hybrid", 0.5, **PUBLISHED, switch_time=-1), "switch_time: got -1"),
    ],
)
def test_bad_requests_name_argument_value_and_range(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


def test_a_bad_row_that_is_traced_is_nan_and_leaves_the_others_alone():
    level, m = np.array([0.5, 1.0, 0.5, np.nan]), np.array([100.0, 100.0, 1.0, 100.0])
    found = jax.vmap(lambda level, m: time_to_focus("hard", level, segments=m, classes=1e3))(
        level, m
    )
    assert np.array_equal(np.isnan(found), [False, True, True, True])


def test_in_float32_digits_are_lost_and_nothing_else():
    exact = time_to_focus("lvml", 0.5, **PUBLISHED)
    with jax.enable_x64(False):
        found = time_to_focus("lvml", 0.5, **PUBLISHED)
        assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=1e-5)
