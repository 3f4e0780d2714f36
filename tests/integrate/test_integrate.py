from functools import lru_cache

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit, slow_but

from jaxattn.core.contracts import InputError, Status
from jaxattn.integrate import Solution, integrate

pytestmark = pytest.mark.needs_x64

NAN, INF = float("nan"), float("inf")
EPS = float(np.finfo(np.float64).eps)


START = jnp.array([0.0, 1.0])


def turning(time, y, args):
    """A rotation, whose exact solution is known, of norm 1."""
    return args * jnp.stack([y[1], -y[0]])


@pytest.mark.parametrize(
    ("solver", "order", "least"), [("bosh3", 3, 5), ("tsit5", 5, 9), ("dopri8", 8, 7)]
)
def test_the_error_falls_with_the_step_at_the_order_of_the_solver(solver, order, least):
    @jit
    def run(tolerance):
        return integrate(
            turning, START, jnp.array([0.0, 40.0]), 1.0, rtol=tolerance, atol=tolerance,
            solver=solver,
        )  # fmt: skip

    # Steps are about equal, as a rotation has one scale, so the error goes as steps ** -order; a
    # rotation is linear, which may cancel the leading term (dopri8 measures 9).
    runs = [run(10.0**-power) for power in range(least, least + 4)]
    steps = np.array([int(run.stats["steps"]) for run in runs])
    exact = np.array([np.sin(40.0), np.cos(40.0)])
    errors = np.array([np.linalg.norm(run.values[-1] - exact) for run in runs])
    slopes = -np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert np.all(slopes > order - 0.1)
    assert np.all(slopes < order + 2.0)
    assert errors.min() > EPS * steps.max()


@pytest.mark.parametrize(
    "solver", slow_but(["tsit5"], ["bosh3", "tsit5", "dopri8", diffrax.Dopri5()]), ids=str
)
def test_where_one_saves_changes_neither_the_steps_nor_the_end(solver):
    @jit
    def at(times):
        return integrate(turning, START, times, 1.0, rtol=1e-6, solver=solver)

    many = at(jnp.linspace(0.0, 3.0, 40))
    few = at(jnp.where(jnp.arange(40) > 0, 3.0, 0.0))
    assert few.stats == many.stats
    assert np.array_equal(few.values[-1], many.values[-1])
    assert np.array_equal(many.values[0], START)
    assert few.status == many.status == Status.DONE
    assert few.time_reached == 3.0


def test_the_unit_of_time_changes_no_step():
    @jit
    def run(unit):
        return integrate(turning, START, unit * jnp.array([0.0, 9.0]), 1 / unit)

    second = run(1.0)
    for unit in (2.0**-30, 2.0**30):
        other = run(unit)
        assert other.stats == second.stats
        assert np.max(np.abs(other.values - second.values)) < 1e-12


def falling(time, y, args):
    """Speed 1 before the first jump, -2 before the second and 4 after it."""
    first, second = args
    return jnp.where(time < first, 1.0, jnp.where(time < second, -2.0, 4.0)) + 0.0 * y


@jit
def fall(times, jumps, told):
    return integrate(falling, jnp.ones(1), times, (jumps[0], jumps[1]), jumps=told)


def test_a_step_ends_exactly_at_a_jump_and_a_save_may_lie_on_it():
    # The solver hops over a jump by two units in the last place, and sums a few rounded steps.
    first, second = 0.3, 1.7
    times = np.array([0.0, 0.1, first, 1.0, second, 2.0])
    jumps = np.array([first, second])
    exact = 1 + np.array([0.0, 0.1, first, first - 1.4, first - 2.8, first - 2.8 + 1.2])
    run = fall(times, jumps, jumps)
    assert run.status == Status.DONE
    assert np.max(np.abs(run.values[:, 0] - exact)) < 20 * EPS * 2.0
    assert run.stats["rejected"] == 0
    blind = fall(times, jumps, np.full(2, INF))
    assert blind.stats["rejected"] > 10
    assert np.max(np.abs(blind.values[:, 0] - exact)) > 1e-12


@pytest.mark.parametrize(
    "told",
    [
        (0.3, 0.3),
        (1.7, 0.3),
        (0.3, INF),
        (0.3, NAN),
        (0.3, -1.0),
        (0.3, 0.0),
        (0.3, 2.0),
        (0.3, 5.0),
        (0.3, np.nextafter(0.0, 1.0)),
        (0.3, np.nextafter(2.0, 0.0)),
        (0.3, np.nextafter(2.0, 3.0)),
        (0.3, np.nextafter(0.3, 1.0)),
    ],
    ids=str,
)
def test_a_jump_told_twice_or_out_of_order_or_outside_the_span_or_at_its_ends_does_no_harm(told):
    times = np.array([0.0, 0.1, 0.3, 1.0, 1.7, 2.0])
    run = fall(times, np.array([0.3, INF]), np.array(told))
    assert run.status == Status.DONE
    assert run.time_reached == 2.0
    exact = 1 + np.where(times < 0.3, times, 0.3 - 2 * (times - 0.3))
    assert np.max(np.abs(run.values[:, 0] - exact)) < 20 * EPS * 2.0


def test_a_run_that_starts_at_a_jump_follows_the_later_field():
    run = fall(np.array([0.3, 1.0, 1.7, 1.7, 1.7, 2.0]), np.array([0.3, INF]), np.array([0.3, 0.3]))
    assert run.status == Status.DONE
    assert abs(run.values[-1, 0] + 2.4) < 20 * EPS * 2.0


def test_a_jump_at_the_end_of_a_run_of_a_single_step_loses_no_save():
    end = 1e-11
    run = fall(np.linspace(0.0, end, 6), np.array([end, INF]), np.array([end, INF]))
    assert run.status == Status.DONE
    assert run.stats["steps"] == 1


# Every way to fail, each in a row of one batch beside sound ones.
SOUND = {"times": [0.0, 0.5, 1.0, 2.0], "start": [1.0, 2.0], "rate": 1.0, "square": 0.0}
ROWS = {
    "sound": {},
    "sound, another rate": {"rate": 3.0},
    "NaN in the times": {"times": [0.0, NAN, 1.0, 2.0]},
    "NaN as the horizon": {"times": [0.0, 0.5, 1.0, NAN]},
    "an infinite horizon": {"times": [0.0, 0.5, 1.0, INF]},
    "an infinite start time": {"times": [-INF, 0.5, 1.0, 2.0]},
    "decreasing times": {"times": [0.0, 1.0, 0.5, 2.0]},
    "backward times": {"times": [2.0, 1.0, 0.5, 0.0]},
    "NaN at the start": {"start": [1.0, NAN]},
    "an infinite start": {"start": [INF, 2.0]},
    "NaN in the field": {"rate": NAN},
    "NaN in the field from time 1.5 on": {"nan_from": 1.5},
    "a singularity at time 1": {"rate": 0.0, "square": 0.5},
    "too few steps allowed": {"rate": 1e6},
    "a measure that is not finite": {"measure": NAN},
}
MAX_STEPS = 1_000


def _growth(time, y, args):
    speed = args["square"] * y**2 - args["rate"] * y
    return jnp.where(time >= args["nan_from"], jnp.nan, speed)


def _doubled(time, y, args):
    return {"y": y, "double": 2 * y + args["measure"] * (time > 0.7)}


@jit
@jax.vmap
def _batch(times, start, args) -> Solution:
    jumps = jnp.array([0.25])
    return integrate(_growth, start, times, args, jumps=jumps, save=_doubled, max_steps=MAX_STEPS)


def _solve(rows):
    filled = [{**SOUND, "nan_from": INF, "measure": 0.0, **row} for row in rows]
    stacked = {name: np.array([row[name] for row in filled]) for name in filled[0]}
    return _batch(stacked.pop("times"), stacked.pop("start"), stacked)


def _row(batch, index):
    return jax.tree.map(lambda leaf: leaf[index], batch)


@lru_cache(maxsize=1)
def _all_rows():
    batch = _solve(ROWS.values())
    return {name: _row(batch, index) for index, name in enumerate(ROWS)}


@pytest.mark.parametrize("name", [name for name in ROWS if not name.startswith("sound")])
def test_a_failure_is_a_value(name):
    run = _all_rows()[name]
    assert run.status == Status.SOLVER_FAILED
    if name != "a measure that is not finite":
        assert not run.time_reached >= 2.0 or name == "backward times"
        assert np.isnan(run.values["y"][-1]).all()


def test_what_was_reached_before_a_failure_is_kept_and_the_rest_is_nan():
    run = _all_rows()["NaN in the field from time 1.5 on"]
    assert np.isfinite(run.values["y"][:3]).all()
    assert np.isnan(run.values["y"][3]).all()
    assert run.time_reached == pytest.approx(1.5, abs=1e-3)  # a step across is rejected
    assert run.time_reached < 1.5
    capped = _all_rows()["too few steps allowed"]
    assert 0 < capped.time_reached < 2.0
    assert capped.stats["steps"] + capped.stats["rejected"] == MAX_STEPS


@pytest.mark.parametrize(
    "name", [name for name in ROWS if name.startswith(("NaN", "an inf", "decr", "a sing"))]
)
def test_a_hopeless_row_ends_long_before_its_step_limit(name):
    work = _all_rows()[name].stats
    # A step shrinks by at least 0.9 and at most 0.2 when rejected: from 1 to 16 EPS takes 22 to
    # 315 rejections; towards a singularity steps are accepted as well.
    assert work["steps"] + work["rejected"] < 700


@pytest.mark.parametrize("name", list(ROWS)[2:10])
def test_a_row_that_cannot_be_solved_takes_no_step(name):
    work = _all_rows()[name].stats
    assert work["steps"] + work["rejected"] == 0


def test_a_run_that_saves_nothing_still_says_that_it_failed():
    @jit
    def run(rate, end):
        times = jnp.stack([0.0, end])
        return integrate(turning, START, times, rate, save=lambda *_: jnp.zeros(0), max_steps=300)

    assert run(1.0, 1.0).status == Status.DONE
    for rate, end in [(NAN, 1.0), (1.0, NAN), (1e9, 1.0)]:
        assert run(rate, end).status == Status.SOLVER_FAILED
    assert run(1e9, 1.0).time_reached < 1.0


@pytest.mark.default_xla
def test_failing_rows_leave_the_others_bit_for_bit_as_they_are():
    rows = _all_rows()
    sound = [name for name in ROWS if name.startswith("sound")]
    alone = _solve([ROWS[sound[i % 2]] for i in range(len(ROWS))])
    for i, name in enumerate(sound):
        jax.tree.map(np.testing.assert_array_equal, rows[name], _row(alone, i))
        assert rows[name].status == Status.DONE


def test_a_batch_gives_what_a_loop_gives():
    rows = _all_rows()
    for name in ("sound", "sound, another rate"):
        alone = _row(_solve([ROWS[name]]), 0)
        assert alone.stats == rows[name].stats
        assert np.max(np.abs(alone.values["y"] - rows[name].values["y"])) < 1e-12
        rate = ROWS[name].get("rate", 1.0)
        exact = np.exp(-rate * np.array(SOUND["times"]))
        # rtol 1e-8 a step, and errors decay with the solution.
        assert np.max(np.abs(alone.values["y"][:, 0] - exact)) < 1e-7
        assert np.array_equal(alone.values["double"], 2 * alone.values["y"])


@jit
def turn(times):
    return integrate(turning, START, times, 1.0)


@pytest.mark.parametrize("times", [[1.0], [1.0] * 6, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]], ids=str)
def test_spans_of_length_zero_are_solved(times):
    run, turned = turn(np.array(times)), np.array(times) - times[0]
    assert run.status == Status.DONE
    assert run.time_reached == times[-1]
    assert np.max(np.abs(run.values - np.stack([np.sin(turned), np.cos(turned)], 1))) < 1e-7
    assert np.array_equal(run.values[0], START)


def test_one_time_that_is_nan_is_a_failure():
    run = turn(np.array([NAN]))
    assert run.status == Status.SOLVER_FAILED
    assert np.isnan(run.values).all()


@pytest.mark.parametrize("solver", slow_but(["tsit5"], ["bosh3", "tsit5", "dopri8"]))
def test_work_counts_every_evaluation_of_the_field(solver):
    calls = []

    def counted(time, y, args):
        jax.debug.callback(lambda: calls.append(1))
        return jnp.where(time < 1.0, 1.0, -9.0) * turning(time, y, 20.0 * jnp.sin(9.0 * time))

    # A jump, and rejections: the swing reverses six times.
    times, jumps = np.array([0.0, 2.0]), np.array([1.0])
    run = jit(
        lambda start: integrate(counted, start, times, jumps=jumps, rtol=1e-6, solver=solver)
    )(START)
    jax.block_until_ready(run)
    jax.effects_barrier()
    assert run.status == Status.DONE
    assert run.stats["rejected"] > 3
    assert run.stats["gradients"] == len(calls)


@pytest.mark.parametrize("log_time_unit", [None, 0.1])
def test_a_field_is_traced_once_and_may_decide_by_what_is_no_array(log_time_unit):
    traced = []

    def field(time, y, args):
        traced.append(time)
        return -args[0] * y if args[1:] in ((), ("sinks",)) else y

    def end(rate, *more):
        found = integrate(
            field, jnp.ones(2), jnp.array([0.0, 1.0]), (rate, *more), log_time_unit=log_time_unit
        )
        return found.values[-1]

    falls = jit(end)(jnp.array(2.0))
    assert len(traced) == 1
    assert jnp.array_equal(jit(lambda rate: end(rate, "sinks"))(jnp.array(2.0)), falls)
    assert jit(lambda rate: end(rate, "rises"))(jnp.array(2.0))[0] > 2


def test_everything_runs_in_the_dtype_of_the_start():
    start = {"a": jnp.ones(2, jnp.float32), "b": (jnp.zeros((), jnp.float32),)}

    @jit
    def fade(start):
        times, jumps = np.linspace(0.0, 1.0, 3), np.array([0.5])

        def field(time, y, args):
            return jax.tree.map(jnp.negative, y)

        return integrate(field, start, times, jumps=jumps, rtol=1e-5, atol=1e-6)

    run = fade(start)
    assert {leaf.dtype for leaf in jax.tree.leaves(run.values)} == {np.dtype("float32")}
    assert run.time_reached.dtype == "float32"
    assert run.status == Status.DONE
    assert np.max(np.abs(run.values["a"][-1] - np.exp(-1.0))) < 1e-4


def test_the_end_has_the_derivative_of_the_exact_solution():
    def end(rate):
        times = jnp.array([0.0, 2.0])
        return integrate(lambda time, y, args: -args * y, jnp.ones(()), times, rate).values[-1]

    value, slope = jit(lambda rate: jax.jvp(end, (rate,), (1.0,)))(0.5)
    assert abs(value - np.exp(-1.0)) < 1e-7
    assert abs(slope + 2 * np.exp(-1.0)) < 1e-6


@jit
@jax.vmap
def until_it_turned(angle, rate):
    """A rotation that ends where it has turned by this angle, in (0, pi)."""

    def passed(time, y, args):
        return jnp.cos(args[1]) - y[1]

    times = jnp.array([0.0, 1.0, 2.0])
    return integrate(
        lambda time, y, args: turning(time, y, args[0]), START, times, (rate, angle),
        until=passed, rtol=1e-12, atol=1e-12,
    )  # fmt: skip


def test_a_run_ends_where_its_event_is_and_says_so():
    angle, rate = np.array([0.5, 2.5, 3.0, 1.0]), np.array([1.0, 1.4, 1.0, NAN])
    run = until_it_turned(angle, rate)
    done, failed = int(Status.DONE), int(Status.SOLVER_FAILED)
    assert np.array_equal(run.status, [done, done, done, failed])
    assert np.array_equal(run.event_occurred, [True, True, False, False])
    # The slope of what is watched is sin(angle); the dense output, of order 4, holds 1e-10.
    np.testing.assert_allclose(run.time_reached[:2], angle[:2] / rate[:2], rtol=1e-9)
    assert run.time_reached[2] == 2.0
    # What lies beyond the event was not reached, and a run without one is whole.
    missing = np.isnan(run.values[..., 0])
    assert np.array_equal(missing[:3], [[False, True, True], [False, False, True], [False] * 3])


def test_the_time_of_an_event_has_the_derivative_of_the_exact_solution():
    def end(rate):
        run = integrate(
            lambda time, y, args: -args * y, jnp.ones(()), jnp.array([0.0, 2.0]), rate,
            until=lambda time, y, args: 0.5 - y, rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        return run.time_reached

    value, slope = jit(lambda rate: jax.jvp(end, (rate,), (1.0,)))(0.7)
    assert abs(value - np.log(2.0) / 0.7) < 1e-8
    assert abs(slope + np.log(2.0) / 0.7**2) < 1e-7


def test_bad_requests_say_what_was_got_and_expected():
    with pytest.raises(InputError, match="did you mean 'tsit5'"):
        integrate(turning, jnp.ones(2), np.array([0.0, 1.0]), 1.0, solver="tsit")
    with pytest.raises(InputError, match="got 0 save times"):
        integrate(turning, jnp.ones(2), np.array([]), 1.0)
