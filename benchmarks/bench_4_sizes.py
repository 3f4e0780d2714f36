"""What do 4,096 sizes (m, C) cost, by closed form and by ODE, against a loop of scipy's solvers?

For each comparison at equal measured accuracy: both errors are taken against the closed form on the
same rows, and every solver but the one that sets the goal gets the loosest tolerance at which its
largest and its root mean square error are no larger than the goal's.
"""

import jax
import numpy as np
import pytest
from reduced_cases import (
    CLASSES,
    ENDS,
    PARADIGMS,
    SEGMENTS,
    TIMES,
    closed_form,
    error,
    no_worse,
    ode,
    orbit,
)
from reduced_peer import path, paths

from jaxattn import theory
from jaxattn.reduced import log_times

GOAL = ("LSODA", 1e-10)
LADDER = 10.0 ** -np.arange(6.0, 13.1, 0.25)
TIGHTEST = 1e-13  # rtol; below it rounding wins
SAMPLE = 128  # of the rows, which scipy's loop is timed on and extrapolated from
ROUNDS = 7
ROWS = np.sort(np.random.default_rng(0).choice(SEGMENTS.size, SAMPLE, replace=False))
PEERS = {
    "LSODA": "scipy solve_ivp, LSODA",
    "DOP853": "scipy solve_ivp, DOP853",
    "odeint": "scipy odeint",
}
ONE = {"segments": 100.0, "classes": 1000.0}


@pytest.fixture(scope="module")
def exact():
    """``[row, save, (mu, nu)]`` by closed form."""
    made = {}

    def get(paradigm):
        if paradigm not in made:
            made[paradigm] = np.stack(closed_form(paradigm)(TIMES, SEGMENTS, CLASSES), -1)
        return made[paradigm]

    return get


def by_ode(paradigm, times, rtol):
    return jax.block_until_ready(ode(paradigm)(times, rtol, SEGMENTS, CLASSES))


def error_of_ode(paradigm, times, rtol, truth, rows=slice(None)):
    found = np.stack(by_ode(paradigm, times, rtol).values, -1)
    return error(found[rows], truth[rows])


def loosest(errors_at, goal):
    """The first tolerance of the ladder that is as good as the goal, and its errors."""
    for rtol in LADDER:
        found = errors_at(float(rtol))
        if no_worse(found, goal):
            return float(rtol), found
    raise AssertionError(f"no tolerance reaches {goal}; the last one {found}")


@pytest.mark.parametrize("what", ["100 times", "end"])
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_ode(in_64_bits, in_turn, exact, paradigm, what):
    times = TIMES if what == "100 times" else ENDS
    truth = exact(paradigm) if what == "100 times" else exact(paradigm)[:, [0, -1]]
    sizes = SEGMENTS[ROWS], CLASSES[ROWS]

    def run(method, rtol):
        return paths(method, paradigm, *sizes, times, rtol)

    method, rtol = GOAL
    goal = error(run(method, rtol), truth[ROWS])
    chosen = {method: (rtol, goal)}
    for other in PEERS:
        if other != method:
            chosen[other] = loosest(
                lambda rtol, other=other: error(run(other, rtol), truth[ROWS]), goal
            )
    mine, ours = loosest(lambda rtol: error_of_ode(paradigm, times, rtol, truth, ROWS), goal)
    steps = np.asarray(by_ode(paradigm, times, mine).work["steps"])
    in_turn(
        lambda: by_ode(paradigm, times, mine),
        {
            PEERS[name]: (lambda name=name, rtol=rtol: run(name, rtol), SAMPLE)
            for name, (rtol, _) in chosen.items()
        },
        units=SEGMENTS.size,
        rounds=ROUNDS,
        question="sizes",
        paradigm=paradigm,
        what=what,
        rtol={"jaxattn": mine} | {PEERS[name]: rtol for name, (rtol, _) in chosen.items()},
        errors={"jaxattn": ours} | {PEERS[name]: found for name, (_, found) in chosen.items()},
        steps=[int(steps.min()), float(np.median(steps)), int(steps.max())],
    )


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_orbit_and_closed_form(in_64_bits, in_turn, exact, paradigm):
    """Both against the ODE at its most accurate, which they exceed, and at the goal's accuracy."""
    truth = exact(paradigm)
    goal = error(
        paths(GOAL[0], paradigm, SEGMENTS[ROWS], CLASSES[ROWS], TIMES, GOAL[1]), truth[ROWS]
    )
    loose, rough = loosest(lambda rtol: error_of_ode(paradigm, TIMES, rtol, truth, ROWS), goal)
    fine = error_of_ode(paradigm, TIMES, TIGHTEST, truth)
    mu = truth[..., 0]
    along = orbit(paradigm)
    off_orbit = error(along(mu, SEGMENTS, CLASSES), truth[..., 1])
    assert off_orbit["largest"] < fine["largest"]
    units = SEGMENTS.size
    in_turn(
        lambda: jax.block_until_ready(closed_form(paradigm)(TIMES, SEGMENTS, CLASSES)),
        {
            "orbit": (lambda: jax.block_until_ready(along(mu, SEGMENTS, CLASSES)), units),
            "ODE, most accurate": (lambda: by_ode(paradigm, TIMES, TIGHTEST), units),
            "ODE, LSODA's accuracy": (lambda: by_ode(paradigm, TIMES, loose), units),
        },
        units=units,
        rounds=ROUNDS,
        question="closed form",
        paradigm=paradigm,
        rtol={"ODE, most accurate": TIGHTEST, "ODE, LSODA's accuracy": loose},
        errors={
            "ODE, most accurate": fine,
            "ODE, LSODA's accuracy": rough,
            "orbit": off_orbit,
        },
    )


@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_one_trajectory(in_64_bits, in_turn, paradigm):
    times = log_times(4e5, 4000)

    def closed():
        return jax.block_until_ready(theory.trajectory(paradigm, times, **ONE))

    truth = np.stack(closed(), -1)
    peers, errors = {}, {}
    for method, rtol in (("LSODA", 1e-8), ("LSODA", 1e-10), ("odeint", 1e-8), ("odeint", 1e-10)):
        name = f"{PEERS[method]}, rtol {rtol:.0e}"

        def run(method=method, rtol=rtol):
            return path(method, paradigm, *ONE.values(), times, rtol)[0]

        errors[name] = error(run(), truth)
        peers[name] = (run, 1)
    in_turn(
        closed,
        peers,
        units=1,
        rounds=25,
        question="one trajectory",
        paradigm=paradigm,
        errors=errors,
    )
