import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from jaxattn import theory
from jaxattn.core.contracts import InputError, Status
from jaxattn.reduced import PARADIGMS, log_times, solve_reduced

pytestmark = pytest.mark.needs_x64

NAMES = sorted(theory.FIELDS)
# One number of times all through: one compilation of the solver and one of its batch.
POINTS = 60
PUBLISHED = {"segments": 100, "classes": 1000}
# Closed forms against an ODE solver of order 8 at rtol 1e-12 agreed to 1e-13.
REFERENCE = {
    "soft": (12.649238649825994, 8.858825858862872),
    "hard": (12.468108437925913, 12.11119618268063),
    "lvml": (12.66279476384701, 10.353216747638928),
}


def path(paradigm, t_end=4e5, **given):
    return solve_reduced(paradigm, log_times(t_end, POINTS), **{**PUBLISHED, **given})


def solved(times):
    return solve_reduced("soft", np.array(times), **PUBLISHED)


@pytest.mark.parametrize("paradigm", NAMES)
def test_the_published_figure_ends_at_its_reference_values(paradigm):
    run = path(paradigm)
    assert run.status == Status.DONE
    assert run.time_reached == 4e5
    mu, nu = REFERENCE[paradigm]
    assert abs(run.mu[-1] - mu) < 1e-9
    assert abs(run.nu[-1] - nu) < 1e-9


@pytest.mark.parametrize("paradigm", sorted(PARADIGMS))
@pytest.mark.parametrize(("segments", "classes"), [(100, 1000), (5, 3), (20, 20), (2, 2)])
def test_the_invariant_stays_on_the_whole_path(paradigm, segments, classes):
    switch_time = min(10.0 * segments * classes, 3e5)
    size = {"segments": segments, "classes": classes, "switch_time": switch_time}
    assert path(paradigm, **size, rtol=1e-10, atol=1e-10).invariant_drift < 1e-8
    loose = path(paradigm, **size, rtol=1e-3, atol=1e-3)
    assert loose.status == Status.DONE
    assert loose.invariant_drift > 1e-6  # it does see an inexact path


@pytest.mark.parametrize("paradigm", NAMES)
@pytest.mark.parametrize(("segments", "classes"), [(100, 1000), (5, 3), (2, 2)])
def test_the_path_is_that_of_another_solver_in_plain_time(paradigm, segments, classes):
    t_end = 40.0 * segments * classes
    run = path(paradigm, t_end, segments=segments, classes=classes)
    field = jax.jit(lambda state: jnp.stack(theory.FIELDS[paradigm](*state, segments, classes)))
    other = solve_ivp(
        lambda time, state: np.asarray(field(state)),
        (0.0, t_end),
        np.zeros(2),
        method="DOP853",
        t_eval=np.asarray(run.time),
        rtol=1e-12,
        atol=1e-12,
    )
    # Ours holds 1e-9; the dense output of DOP853, of order 7, about 1e-10.
    assert np.max(np.abs(other.y - np.stack([run.mu, run.nu]))) < 2e-9


@pytest.mark.parametrize("paradigm", NAMES)
def test_what_is_read_off_the_path_is_that_of_the_state(paradigm):
    run = path(paradigm)
    size = (100.0, 1000.0)
    assert np.array_equal(run.time, log_times(4e5, POINTS))
    np.testing.assert_allclose(run.attention, theory.attention(run.nu, size[0]), rtol=1e-14)
    np.testing.assert_allclose(run.right_class, theory.right_class(run.mu, size[1]), rtol=1e-14)
    loss = theory.LOSSES[paradigm](run.mu, run.nu, *size)
    np.testing.assert_allclose(run.loss, loss, rtol=1e-12)
    assert np.all(np.diff(run.loss) < 0)  # a gradient flow descends


@pytest.mark.slow
@pytest.mark.default_xla
def test_em_follows_the_path_of_lvml_to_the_last_bit_and_has_a_loss_of_its_own():
    em, lvml = path("em"), path("lvml")
    for name in ("mu", "nu", "attention", "right_class", "invariant_drift"):
        assert np.array_equal(getattr(em, name), getattr(lvml, name))
    expected = theory.LOSSES["em"](em.mu, em.nu, 100.0, 1000.0)
    np.testing.assert_allclose(em.loss, expected, rtol=1e-12)
    # Nothing is known at first, of class and segment, and everything at last.
    np.testing.assert_allclose(em.loss[0], np.log(100.0 * 1000.0), rtol=1e-14)
    assert em.loss[-1] < 1e-2


SERIES = {  # k and K of the early series, by segments m and classes C
    "soft": lambda m, c: (-1 + (1 - 1 / m), -1 + (1 - 3 / (2 * m))),
    "hard": lambda m, c: (-1.0, -1.0),
    "lvml": lambda m, c: (-1 + (c - 1) * (1 - 1 / m), -1 + (c - 1) * (1 - 3 / (2 * m))),
}


@pytest.mark.parametrize("paradigm", NAMES)
@pytest.mark.parametrize(("m", "c"), [(5, 3), (20, 20), (3, 10)])
def test_an_early_path_follows_its_series_to_third_and_fourth_order(paradigm, m, c):
    # In s = t / (m C): mu = s + k s^2/(2C) + O(s^3), nu = P s^2 (1 + 2 K s/(3C)) + O(s^4).
    k, big_k = SERIES[paradigm](m, c)
    prefactor = (c - 1) * (m - 1) / (2 * c * m)
    spans = np.array([0.04, 0.02, 0.01, 0.005])
    wrong = []
    for s in spans:
        run = path(paradigm, s * m * c, segments=m, classes=c, rtol=1e-13, atol=1e-16)
        mu = s + k * s**2 / (2 * c)
        nu = prefactor * s**2 * (1 + 2 * big_k * s / (3 * c))
        wrong.append([abs(run.mu[-1] - mu), abs(run.nu[-1] - nu)])
    slopes = np.diff(np.log(wrong), axis=0) / np.diff(np.log(spans))[:, None]
    assert np.all(np.abs(slopes[-1] - [3, 4]) < 0.1), slopes


def test_lvml_leads_and_hard_attention_lags_early_in_time():
    # From t = 0.02 m C, where the series puts nu apart by 3e-9, to 0.2 m C.
    times = log_times(2e4, POINTS)
    runs = {name: path(name, 2e4) for name in NAMES}
    for quantity in ("mu", "nu"):
        soft, hard, lvml = (
            getattr(runs[name], quantity)[times >= 2e3] for name in ("soft", "hard", "lvml")
        )
        assert np.all(lvml > soft)
        assert np.all(soft > hard)


def test_a_hybrid_is_soft_up_to_the_switch_and_then_hard_from_that_state():
    times = log_times(4e5, POINTS)
    turn = int(np.searchsorted(times, 1.5e5))  # soft attention is on its way
    switch = times[turn]  # a save on the switch itself
    hybrid, soft = path("hybrid", switch_time=switch), path("soft")
    assert np.max(np.abs(hybrid.mu[: turn + 1] - soft.mu[: turn + 1])) < 1e-9
    assert np.max(np.abs(hybrid.nu[: turn + 1] - soft.nu[: turn + 1])) < 1e-9

    rest = np.concatenate([times[turn:], np.full(turn, times[-1])])
    hard = solve_reduced("hard", rest, **PUBLISHED, mu0=soft.mu[turn], nu0=soft.nu[turn])
    # Each solve is right to 1e-9 where the path is steep.
    assert np.max(np.abs(hybrid.mu[turn:] - hard.mu[: POINTS - turn])) < 4e-9
    assert np.max(np.abs(hybrid.nu[turn:] - hard.nu[: POINTS - turn])) < 4e-9
    assert abs(hybrid.mu[-1] - path("hard").mu[-1]) > 1e-7  # which is not hard from zero

    assert hybrid.loss[turn - 1] == pytest.approx(float(soft.loss[turn - 1]), rel=1e-9)
    assert hybrid.loss[turn] == pytest.approx(float(hard.loss[0]), rel=1e-9)
    assert abs(hybrid.loss[turn] - soft.loss[turn]) > 1e-3


@pytest.mark.parametrize(
    ("switch", "same"), [(0.0, "hard"), (4e5, "soft")], ids=["at the start", "at the end"]
)
def test_a_hybrid_that_switches_at_an_end_of_the_path_is_one_paradigm(switch, same):
    hybrid, one = path("hybrid", switch_time=switch), path(same)
    assert hybrid.status == Status.DONE
    assert np.max(np.abs(hybrid.mu - one.mu)) < 1e-9
    assert np.max(np.abs(hybrid.nu - one.nu)) < 1e-9
    assert hybrid.invariant_drift < 1e-8


@pytest.mark.parametrize("paradigm", NAMES)
@pytest.mark.parametrize(("segments", "classes"), [(10**6, 10**6), (2, 10**6), (10**6, 2), (2, 2)])
def test_extreme_sizes_and_times_stay_finite_and_on_their_orbit(paradigm, segments, classes):
    run = path(paradigm, 1e12, segments=segments, classes=classes)
    assert run.status == Status.DONE
    assert all(np.isfinite(leaf).all() for leaf in run if not isinstance(leaf, dict))
    assert run.invariant_drift < 1e-8


def test_a_batch_gives_what_a_loop_gives_and_a_bad_row_leaves_the_others_alone():
    times = log_times(4e5, POINTS)

    @jax.vmap
    def hybrids(segments, classes, switch):
        return solve_reduced(
            "hybrid", times, segments=segments, classes=classes, switch_time=switch
        )

    segments = np.array([100.0, 5.0, 20.0, 2.0])
    classes = np.array([1000.0, 3.0, 20.0, 2.0])
    switch = np.array([1e4, 10.0, 4e5, 0.0])
    batch = hybrids(segments, classes, switch)
    for i, row in enumerate(zip(segments, classes, switch, strict=True)):
        alone = path("hybrid", segments=row[0], classes=row[1], switch_time=row[2])
        # Rounding differs between the two programs and moves the steps: they agree as two solves.
        assert np.max(np.abs(batch.mu[i] - alone.mu)) < 4e-9
        assert np.max(np.abs(batch.nu[i] - alone.nu)) < 4e-9
        assert batch.invariant_drift[i] < 1e-8

    worse = hybrids(np.array([100.0, 5.0, 1.0, 2.0]), classes, np.array([1e4, 5e5, 5.0, 0.0]))
    failed, done = int(Status.SOLVER_FAILED), int(Status.DONE)
    assert np.array_equal(worse.status, [done, failed, failed, done])
    assert np.isnan(worse.mu[1]).all()
    assert np.isnan(worse.invariant_drift[1:3]).all()
    for i in (0, 3):
        jax.tree.map(lambda a, b, i=i: np.testing.assert_array_equal(a[i], b[i]), batch, worse)


@pytest.mark.slow
def test_many_rows_reduce_to_the_drift_of_their_paths():
    segments, classes = jnp.linspace(3.0, 100.0, 256), jnp.linspace(3.0, 2000.0, 256)
    times = log_times(1e4, POINTS)
    run = jax.jit(
        jax.vmap(lambda m, c: solve_reduced("lvml", times, segments=m, classes=c, rtol=1e-9))
    )(segments, classes)
    each = np.array([np.asarray(part)[:, None] for part in (segments, classes)])
    level = theory.attention_potential(np.asarray(run.nu), np.repeat(each[0], POINTS, 1))
    level -= theory.CLASS_POTENTIALS["lvml"](np.asarray(run.mu), np.repeat(each[1], POINTS, 1))
    slope = theory.attention_potential_slope(np.asarray(run.nu), np.repeat(each[0], POINTS, 1))
    drift = np.max(np.abs(level - level[:, :1]) / slope, axis=1)
    np.testing.assert_allclose(run.invariant_drift, drift, rtol=1e-3, atol=1e-12)
    assert run.invariant_drift.max() < 1e-6


def test_a_second_call_compiles_nothing_whatever_its_paradigm_sizes_switch_and_times(monkeypatch):
    traced = []
    field = theory.FIELDS["soft"]
    monkeypatch.setitem(theory.FIELDS, "soft", lambda *size: traced.append(1) or field(*size))
    times = log_times(1.0, 7)  # a number of times that no other test has
    solve_reduced("soft", times, segments=3, classes=4)
    assert len(traced) > 0
    traced.clear()
    for paradigm in PARADIGMS:
        solve_reduced(paradigm, 2 * times, segments=5.0, classes=6, switch_time=1.5, rtol=1e-6)
    assert traced == []


def choices(program):
    """How often a program takes an entry of a table; functions of their own choose inside."""
    count = 0
    for equation in getattr(program, "jaxpr", program).eqns:
        if str(equation.primitive) == "custom_jvp_call":
            continue
        count += len(equation.params.get("branches", ())) >= 3
        for value in equation.params.values():
            parts = value if isinstance(value, list | tuple) else (value,)
            count += sum(choices(part) for part in parts if hasattr(part, "jaxpr"))
    return count


@pytest.mark.parametrize("paradigm", ["hard", "hybrid"])
def test_rows_of_many_sizes_evaluate_no_field_that_is_not_in_force(paradigm):
    def row(segments, classes, switch_time):
        size = {"segments": segments, "classes": classes, "switch_time": switch_time}
        return solve_reduced(paradigm, log_times(4e5, POINTS), **size)

    sizes = jnp.array([3.0, 7.0]), jnp.array([5.0, 2.0]), jnp.array([10.0, 20.0])
    one = jax.make_jaxpr(row)(*(each[0] for each in sizes))
    many = jax.make_jaxpr(jax.vmap(row))(*sizes)
    # Whatever a row chose for itself would be evaluated of every branch.
    assert choices(many) == choices(one) > 10


def test_times_are_zero_and_then_log_spaced():
    times = log_times(4e5, 400)
    assert times.shape == (400,)
    assert times[0] == 0.0
    assert times[1] == 1.0
    assert times[-1] == 4e5
    np.testing.assert_allclose(np.diff(np.log(times[1:])), np.log(4e5) / 398, rtol=1e-9)
    assert np.array_equal(log_times(5.0, 2), [0.0, 5.0])
    np.testing.assert_allclose(log_times(0.5, 3), [0.0, 5e-4, 0.5])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: log_times(0.0, 10), "bad t_end: got 0.0"),
        (lambda: log_times(np.nan, 10), "bad t_end: got nan"),
        (lambda: log_times(1.0, 1), "too few points: got 1, expected 2"),
        (lambda: path("sofd"), "did you mean 'soft'"),
        (lambda: path("soft", segments=1), r"bad segments: got 1, expected a number in \[2, 1e"),
        (lambda: path("soft", classes=float("nan")), "bad classes: got nan"),
        (lambda: path("soft", classes=np.array(1.5)), "bad classes: got 1.5"),
        (lambda: path("soft", mu0=-1.0), r"bad mu0: got -1, .*\[0, 40\]"),
        (lambda: path("soft", nu0=np.inf), "bad nu0: got inf"),
        (lambda: solved([0.0, np.nan]), "bad times: got nan"),
        (lambda: solved([0.0, np.inf]), r"times: got inf, .*\[0, 1e\+15\]"),
        (lambda: solved([-1.0, 2.0]), "bad times: got -1"),
        (lambda: solved([0.0, 2.0, 1.0]), "got 1 after 2, .* sort them"),
        (lambda: path("hybrid"), "bad switch_time: got None for hybrid"),
        (lambda: path("hybrid", switch_time=np.inf), "bad switch_time: got inf"),
        (lambda: path("hybrid", switch_time=5e5), r"switch_time: got 500000, .*\[0, 400000\]"),
        (lambda: path("hybrid", switch_time=-1.0), "bad switch_time: got -1"),
        (lambda: path("soft", solver="dopri9"), "did you mean 'dopri8'"),
    ],
)
def test_bad_requests_say_what_was_got_and_expected(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


def test_without_x64_it_says_how_to_switch_it_on():
    with jax.enable_x64(False), pytest.raises(InputError, match="JAX_ENABLE_X64=1") as raised:
        path("soft")
    assert "\n" not in str(raised.value)
