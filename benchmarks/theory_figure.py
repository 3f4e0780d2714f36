"""How long does the published theory figure take, and how does it compare with scipy?

Three paradigms, m = 100, C = 1000, to t = 4e5 with 4,000 saves each. Compilation is timed apart
(the first paradigm compiles for all). scipy solves the same equations, in NumPy, to about the same
error; LSODA in plain time.

    .venv/bin/python benchmarks/theory_figure.py [--runs 50]
"""

import argparse
import statistics
import time

import jax
import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expit, log_expit

from jaxattn.reduced import log_times, solve_reduced

SEGMENTS, CLASSES, T_END, POINTS = 100.0, 1000.0, 4e5, 4_000
END = {
    "soft": (12.649238649825994, 8.858825858862872),
    "hard": (12.468108437925913, 12.11119618268063),
    "lvml": (12.66279476384701, 10.353216747638928),
}


def numpy_field(paradigm):
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


def timed(work):
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def row(name, first, times, ends, extra=""):
    error = max(np.max(np.abs(np.subtract(ends[p], END[p]))) for p in END)
    middle = statistics.median(times)
    print(
        f"{name:<26}{first:>9}{1e3 * middle:>12.1f}{1e3 * min(times):>10.1f}{error:>11.0e}{extra}"
    )


def main(runs):
    jax.config.update("jax_enable_x64", True)
    times = log_times(T_END, POINTS)
    print(f"JAX {jax.__version__} on {jax.devices()[0].platform}, {runs} runs, {POINTS} saves")
    print(f"{'':<26}{'compile s':>9}{'median ms':>12}{'best ms':>10}{'end error':>11}     drift")

    for rtol in (1e-8, 1e-11):

        def figure(rtol=rtol):
            paths = {
                name: solve_reduced(
                    name, times, segments=SEGMENTS, classes=CLASSES, rtol=rtol, atol=rtol
                )
                for name in END
            }
            return jax.block_until_ready(paths)

        _, first = timed(figure)
        spent = []
        for _ in range(runs):
            paths, seconds = timed(figure)
            spent.append(seconds)
        ends = {name: (path.mu[-1], path.nu[-1]) for name, path in paths.items()}
        drift = max(float(path.invariant_drift) for path in paths.values())
        compiled = f"{first - statistics.median(spent):.2f}"
        row(f"jaxattn tsit5, rtol {rtol:.0e}", compiled, spent, ends, f"{drift:>10.0e}")

    for method, rtol in (("LSODA", 1e-8), ("LSODA", 1e-11), ("DOP853", 1e-11)):
        spent = []
        for _ in range(max(3, runs // 10)):
            start = time.perf_counter()
            solved = {
                name: solve_ivp(
                    numpy_field(name), (0, T_END), (0.0, 0.0), method, times, rtol=rtol, atol=rtol
                )
                for name in END
            }
            spent.append(time.perf_counter() - start)
        ends = {name: path.y[:, -1] for name, path in solved.items()}
        row(f"scipy {method}, rtol {rtol:.0e}", "-", spent, ends)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=50)
    main(parser.parse_args().runs)
