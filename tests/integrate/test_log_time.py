"""Solvers beyond the plain one: log time, an implicit method, a limit of rtol."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit, slow_but

from jaxattn.core.contracts import InputError, Status
from jaxattn.integrate import SOLVERS, integrate
from jaxattn.integrate.log_time import LogClock, time_on_its_side

pytestmark = pytest.mark.needs_x64

NAN, INF = float("nan"), float("inf")
EPS = float(np.finfo(np.float64).eps)


def decaying(time, y, args):
    """A power law in the end: ``y = 1 / (1 + rate t)``, times a factor from the jump on."""
    rate, jump = args
    return jnp.where(time < jump, -1.0, -2.0) * rate * y**2


def exact(times, rate, jump):
    slowly = np.minimum(times, jump) + 2 * np.maximum(times - jump, 0.0)
    return 1 / (1 + rate * slowly)


TIMES = np.array([0.0, 1e-3, 1.0, 3.0, 1e3, 1e6, 1e9])


def is_turned_back_late(time):
    """Whether the last reading before a time is still turned back to it, or to a later one."""
    return bool(jnp.expm1(jnp.nextafter(jnp.log1p(time), 0.0)) >= time)


def turned_back_late():
    # One by one: releases of XLA round these functions differently, and those of arrays again.
    return next(float(time) for time in np.linspace(1.1, 2.9, 1_000) if is_turned_back_late(time))


TURN = turned_back_late() if jax.config.jax_enable_x64 else NAN


@jit
@jax.vmap
def in_log_time(unit, rate, level):
    return integrate(
        decaying, jnp.ones(1), TIMES, (rate, TURN), jumps=np.array([TURN]), log_time_unit=unit,
        atol=1e-20, until=lambda time, y, args: level - y[0],
        save=lambda time, y, args: {"y": y[0], "time": time},
    )  # fmt: skip


ROWS = {
    "plain": (1.0, 1.0, 0.0),
    "another unit": (20.0, 1.0, 0.0),
    "until y is 0.01": (1.0, 1.0, 0.01),
    "no unit": (0.0, 1.0, 0.0),
    "NaN as the unit": (NAN, 1.0, 0.0),
    "a unit below 0": (-1.0, 1.0, 0.0),
    "a unit without reach": (1e-300, 1.0, 0.0),
    "NaN as the rate": (1.0, NAN, 0.0),
}


@lru_cache(maxsize=1)
def rows():
    batch = in_log_time(*np.array(list(ROWS.values())).T)
    return {name: jax.tree.map(lambda leaf, i=i: leaf[i], batch) for i, name in enumerate(ROWS)}


@pytest.mark.parametrize("name", slow_but(["plain"], ["plain", "another unit"]))
def test_log_time_solves_twelve_decades_and_stays_in_t(name):
    run = rows()[name]
    assert run.status == Status.DONE
    assert run.time_reached == TIMES[-1]
    # rtol 1e-8 a step; errors of a power law do not grow relative to it.
    np.testing.assert_allclose(run.values["y"], exact(TIMES, 1.0, TURN), rtol=1e-6)
    # The clock is read and turned back: log and exp of up to ln 1e12 = 28.
    np.testing.assert_allclose(run.values["time"], TIMES, rtol=60 * EPS)


def test_a_jump_in_log_time_costs_no_more_than_a_few_rejections():
    # It is met exactly, though the last reading before it is turned back to a time not before it:
    # a miss by one unit in the last place takes dozens.
    assert is_turned_back_late(TURN)
    assert rows()["plain"].stats["rejected"] < 10


def test_an_event_in_log_time_is_found_and_told_in_t():
    run = rows()["until y is 0.01"]
    assert run.status == Status.DONE
    assert run.event_occurred
    end = (99 + TURN) / 2  # where 1 + TURN + 2 (t - TURN) = 100
    np.testing.assert_allclose(run.time_reached, end, rtol=1e-6)
    assert np.array_equal(np.isnan(run.values["y"]), end < TIMES)


@pytest.mark.parametrize("name", list(ROWS)[3:7])
def test_a_unit_that_makes_no_sense_fails_without_a_step(name):
    run = rows()[name]
    assert run.status == Status.SOLVER_FAILED
    assert run.stats["steps"] + run.stats["rejected"] == 0
    assert np.isnan(run.values["y"]).all()


def test_a_field_of_nan_fails_in_log_time_too():
    assert rows()["NaN as the rate"].status == Status.SOLVER_FAILED


def test_no_time_is_rounded_across_a_jump(rng):
    end = 1e4
    jumps = jnp.sort(jnp.asarray(rng.uniform(0.0, end, 200)))
    clock = LogClock(jnp.zeros(()), jnp.asarray(300.0))
    marks = clock.at(jumps)
    read = jax.vmap(lambda reading: time_on_its_side(clock, reading, jumps, jnp.asarray(end)))
    assert np.all(read(marks) >= jumps)
    assert np.all(read(jnp.nextafter(marks, 0.0)) < jumps)
    # The clock alone does round across some, either way.
    assert np.any(clock.time(marks) < jumps)
    assert np.any(clock.time(jnp.nextafter(marks, 0.0)) >= jumps)


@pytest.mark.slow
def test_the_implicit_solver_steps_over_what_is_fast_and_over():
    """The method of Prothero and Robinson: what is left of a stiff problem is its slow solution."""

    def stiff(time, y, args):
        return {"y": -args * (y["y"] - jnp.cos(time)) - jnp.sin(time)}

    @jit
    def run(rate):
        times, start = jnp.linspace(0.0, 5.0, 6), {"y": jnp.ones(2)}
        return integrate(stiff, start, times, rate, solver="kvaerno5", rtol=1e-6, atol=1e-8)

    for rate in (1e4, 1e6):
        done = run(rate)
        assert done.status == Status.DONE
        np.testing.assert_allclose(done.values["y"][:, 0], np.cos(np.arange(6)), atol=1e-5)
        # On the real axis an explicit step of order 5 is stable up to about 3.3 / rate.
        assert done.stats["steps"] < 200 < 5 * rate / 3.3 / 50


def test_a_tolerance_below_the_reach_of_the_dtype_is_refused_in_one_line():
    start = jnp.ones(2, jnp.float32)
    with pytest.raises(InputError, match=r"float32: got 1e-09, expected at least 1.2e-06") as told:
        integrate(decaying, start, np.array([0.0, 1.0]), (1.0, INF), rtol=1e-9)
    assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="float64"):
        integrate(decaying, jnp.ones(2), np.array([0.0, 1.0]), (1.0, INF), rtol=1e-16)


def test_every_solver_has_a_name_that_is_that_of_its_paper():
    assert set(SOLVERS) == {"bosh3", "tsit5", "dopri8", "kvaerno5"}
