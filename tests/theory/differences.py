"""Derivatives of the reduced system by central differences of the oracle, at fixed time."""

from typing import NamedTuple

import mpmath as mp
from theory import oracle

GAP = mp.mpf(10) ** -10
"""The error is its square times the third derivative; the digits of the oracle are five times so
many."""


class Place(NamedTuple):
    """A point of an orbit: where it is and where it comes from; a hybrid comes from zero."""

    mu: float
    segments: float
    classes: float
    mu0: float = 0.0
    nu0: float = 0.0
    switch_time: float = 0.0
    switch_mu: float = 0.0  # roughly


def time_and_nu(paradigm: str, at: dict[str, mp.mpf], guess: float) -> tuple[mp.mpf, mp.mpf]:
    m, c = at["segments"], at["classes"]
    start, earlier, after = oracle.State(at["mu0"], at["nu0"]), mp.mpf(0), paradigm
    if paradigm == "hybrid":
        earlier, after = at["switch_time"], "hard"
        numbers = [mp.nstr(number, 45) for number in (earlier, m, c)]
        start = oracle.switched(numbers[0], repr(guess), *numbers[1:])
    nu = oracle.focus(after, at["mu"], start, m, c)
    return earlier + oracle.time(after, at["mu"], start, m, c), nu


def slopes(paradigm: str, place: Place) -> tuple[float, dict[str, tuple[float, float]]]:
    """The time there, and ``d(mu, nu)`` by each argument, the others and time held."""
    with mp.workdps(oracle.DIGITS):
        centre = {name: mp.mpf(value) for name, value in place._asdict().items()}
        guess = float(centre.pop("switch_mu"))
        if paradigm != "hybrid":
            centre.pop("switch_time")
        by = {}
        for name, value in centre.items():
            if paradigm == "hybrid" and name in ("mu0", "nu0"):
                continue
            gap = GAP * (abs(value) or 1)
            up, down = (
                time_and_nu(paradigm, {**centre, name: value + sign * gap}, guess)
                for sign in (1, -1)
            )
            by[name] = [(a - b) / (2 * gap) for a, b in zip(up, down, strict=True)]
        t_mu, n_mu = by.pop("mu")
        found = {
            name: (float(-t / t_mu), float(n - n_mu * t / t_mu)) for name, (t, n) in by.items()
        }
        return float(time_and_nu(paradigm, centre, guess)[0]), found
