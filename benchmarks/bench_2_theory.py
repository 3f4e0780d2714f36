"""How long does the published theory figure take (PAPER 4: m = 100, C = 1000, t = 4e5)?

Three paradigms, 4,000 saves each, against explicit Euler as published (dt = 0.01, so 4e7 steps, of
which 1e5 are run and the rest extrapolated) and against scipy's solvers of the same equations.
"""

import time

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit, log_expit

from jaxattn.reduced import log_times, solve_reduced
from jaxattn.run.stopwatch import Stopwatch

SEGMENTS, CLASSES, T_END, POINTS = 100, 1000, 4e5, 4_000
DT, EULER_STEPS = 0.01, 100_000
END = {
    "soft": (12.649238649825994, 8.858825858862872),
    "hard": (12.468108437925913, 12.11119618268063),
    "lvml": (12.66279476384701, 10.353216747638928),
}


def stable_field(paradigm):
    """The equations in NumPy, in a form that overflows nowhere."""
    m, c = np.log(SEGMENTS - 1), np.log(CLASSES - 1)

    def field(_, state):
        mu, nu = state
        alpha, rest = expit(nu - m), expit(m - nu)
        if paradigm == "soft":
            wrong = expit(c - alpha * mu)
            return alpha * wrong / (CLASSES - 1), alpha * rest * mu * wrong / CLASSES
        wrong, gain = expit(c - mu), np.log(CLASSES) + log_expit(mu - c)
        if paradigm == "hard":
            return alpha * wrong / (CLASSES - 1), alpha * rest * gain / CLASSES
        posterior = expit(nu - m + gain)
        away = expit(m - nu - gain) * np.expm1(gain)
        return posterior * wrong / (CLASSES - 1), alpha * away / CLASSES

    return field


def euler():
    """All three side by side, each step written as the equations are printed."""
    m, c, exp, log = SEGMENTS, CLASSES, np.exp, np.log
    (mu, nu), (hmu, hnu), (lmu, lnu) = [(np.float64(0), np.float64(0))] * 3
    for _ in range(EULER_STEPS):
        a = exp(nu) / (exp(nu) + m - 1)
        wrong = a / (exp(a * mu) + c - 1)
        mu, nu = mu + DT * wrong, nu + DT * (c - 1) / c * (1 - a) * mu * wrong

        a, e = exp(hnu) / (exp(hnu) + m - 1), exp(hmu)
        b = e / (e + c - 1)
        hmu, hnu = hmu + DT * a / (e + c - 1), hnu + DT / c * a * (1 - a) * log(c * b)

        a, e = exp(lnu) / (exp(lnu) + m - 1), exp(lmu)
        b = e / (e + c - 1)
        z = a * b + (1 - a) / c
        lmu, lnu = (
            lmu + DT * a * b / ((e + c - 1) * z),
            lnu + DT * a / c * (1 - a) * (b - 1 / c) / z,
        )
    return {"soft": (mu, nu), "hard": (hmu, hnu), "lvml": (lmu, lnu)}


def scipy_ends(method, rtol, t_end=T_END):
    times = log_times(t_end, POINTS)
    return {
        name: solve_ivp(
            stable_field(name), (0, t_end), (0.0, 0.0), method, times, rtol=rtol, atol=rtol
        ).y[:, -1]
        for name in END
    }


def error(ends, reference):
    return max(float(np.max(np.abs(np.subtract(ends[name], reference[name])))) for name in END)


@pytest.mark.parametrize("rtol", [1e-8, 1e-11])
def test_figure(in_64_bits, in_turn, rtol):
    times = log_times(T_END, POINTS)

    def figure():
        paths = {
            name: solve_reduced(
                name, times, segments=SEGMENTS, classes=CLASSES, rtol=rtol, atol=rtol
            )
            for name in END
        }
        return jax.block_until_ready(paths)

    jax.clear_caches()
    watch, began = Stopwatch(), time.perf_counter()
    with watch.compiling("first"):
        figure()
    first = time.perf_counter() - began
    ends = {name: (path.mu[-1], path.nu[-1]) for name, path in figure().items()}
    errors, peers = {"jaxattn": error(ends, END)}, {}
    for method in ("LSODA", "DOP853"):
        name = f"scipy {method}, rtol {rtol:.0e}"
        errors[name] = error(scipy_ends(method, rtol), END)
        peers[name] = (lambda method=method: scipy_ends(method, rtol), 1)
    if rtol == 1e-8:
        name = "NumPy Euler, dt 0.01, extrapolated from 1e5 steps to 4e7"
        # Where its 1e5 steps end, t = 1000, which is where its error is taken.
        early = scipy_ends("DOP853", 1e-12, EULER_STEPS * DT)
        errors[name] = error(euler(), early)
        peers[name] = (euler, EULER_STEPS * DT / T_END)
    in_turn(
        figure,
        peers,
        units=1,
        rounds=9,
        question="theory",
        rtol=rtol,
        compile_s=watch.seconds["first"]["compile"],
        first_call_s=first,
        errors=errors,
    )
