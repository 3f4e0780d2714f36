import jax
import numpy as np
import pytest
from helpers import jit

from jaxattn import theory
from jaxattn.core.contracts import InputError, Status
from jaxattn.reduced import time_to_fit, time_to_focus

pytestmark = pytest.mark.needs_x64

ROWS = [(100.0, 1000.0), (5.0, 3.0), (2.0, 2.0), (1e4, 30.0), (7.0, 1e5)]
BOTH = {time_to_focus: theory.time_to_focus, time_to_fit: theory.time_to_fit}


@pytest.mark.parametrize(
    ("paradigm", "ask"),
    [("soft", time_to_fit), ("hybrid", time_to_focus)],
    ids=["soft fit", "hybrid focus"],
)
def test_an_event_of_the_solver_is_at_the_time_of_the_closed_form(paradigm, ask):
    m, c = np.array(ROWS).T
    switch, end = 0.8 * m * c, 1e4 * m * c

    @jax.vmap
    def both(level, m, c, switch, end):
        run = ask(paradigm, level, end, segments=m, classes=c, switch_time=switch)
        given = {"switch_time": switch} if paradigm == "hybrid" else {}
        return run, BOTH[ask](paradigm, level, segments=m, classes=c, **given)

    run, exact = jit(both)(np.array([0.6, 0.9, 0.7, 0.5, 0.8]), m, c, switch, end)
    assert np.all(run.status == Status.DONE)
    np.testing.assert_allclose(run.time, exact, rtol=1e-9)


def test_a_level_not_passed_is_nan_one_behind_the_start_is_zero_and_a_bad_row_fails_alone():
    rows = [
        ((0.5, 10.0, 0.0, 1e6), True, False),
        ((0.9, 10.0, 0.0, 1.0), True, True),  # the horizon comes first
        ((0.9, 10.0, 9.0, 1e6), True, False),
        ((1.0, 10.0, 0.0, 1e6), False, True),
        ((np.nan, 10.0, 0.0, 1e6), False, True),
        ((0.5, 1.0, 0.0, 1e6), False, True),
        ((0.5, 10.0, -1.0, 1e6), False, True),
        ((0.5, 10.0, 0.0, np.nan), False, True),
    ]

    @jit
    @jax.vmap
    def solved(level, m, nu0, end):
        return time_to_focus("hard", level, end, segments=m, classes=10.0, nu0=nu0)

    run = solved(*np.array([row for row, *_ in rows]).T)
    assert np.array_equal(run.status == Status.DONE, [done for _, done, _ in rows])
    assert np.array_equal(np.isnan(run.time), [missing for *_, missing in rows])
    assert run.time[0] > run.time[2] == 0.0


@pytest.mark.slow
def test_the_time_of_an_event_has_the_derivative_of_the_closed_form():
    def solved(level, m, c):
        return time_to_focus("lvml", level, 1e7, segments=m, classes=c, rtol=1e-12).time

    def exact(level, m, c):
        return theory.time_to_focus("lvml", level, segments=m, classes=c)

    place = (0.7, 100.0, 1000.0)
    found = jit(jax.jacfwd(solved, argnums=(0, 1, 2)))(*place)
    by = jit(jax.jacfwd(exact, argnums=(0, 1, 2)))(*place)
    np.testing.assert_allclose(found, by, rtol=1e-6)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: time_to_focus("sofd", 0.5, 1.0, segments=3, classes=3), "did you mean 'soft'"),
        (lambda: time_to_focus("soft", 1.0, 1.0, segments=3, classes=3), "bad level: got 1"),
        (lambda: time_to_fit("soft", 0.5, -1.0, segments=3, classes=3), "bad times: got -1"),
        (lambda: time_to_fit("soft", 0.5, 1.0, segments=3, classes=1), "bad classes: got 1"),
        (lambda: time_to_fit("hybrid", 0.5, 1.0, segments=3, classes=3), "got None for hybrid"),
    ],
)
def test_bad_requests_say_what_was_got_and_expected(ask, message):
    with pytest.raises(InputError, match=message):
        ask()
