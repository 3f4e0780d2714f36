"""What the closed forms are held against: 2,000 points of the reduced system, by mpmath.

Each point draws sizes and mu, and has nu from the conserved quantity and t from one quadrature of
``1 / mu'`` along the orbit, both at 50 digits; nothing here is shared with jaxattn. A hybrid's
switch is a time in float64, the mu of which is found by a Newton step on top of its quadrature.

    python tests/theory/oracle.py    # writes oracle.csv beside this file: some ten minutes
"""

import csv
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import mpmath as mp
import numpy as np
from scipy.special import wrightomega

TABLE = Path(__file__).with_name("oracle.csv")
FIELDS = ("paradigm", "segments", "classes", "switch_time", "mu", "nu", "time", "kappa")
DIGITS = 50
POINTS = {"soft": 500, "hard": 500, "lvml": 500, "hybrid": 500}
POINTS_A_PANEL = 32
"""Of Gauss: what they leave is below 1e-45."""
EARLIEST, LATEST = 1e-6, 1e12


class State(NamedTuple):
    """A place on an orbit; numbers of mpmath."""

    mu: mp.mpf
    nu: mp.mpf


# The equations, as one writes them.


def dilogarithm(y: mp.mpf) -> mp.mpf:
    """``Li2(-e^y)``: a series of Bernoulli numbers, eighty times faster than mpmath's polylog."""
    if y > 0:
        return -(mp.pi**2) / 6 - y**2 / 2 - dilogarithm(-y)
    u = -mp.log1p(mp.exp(y))
    square, term, total = u * u, u, u - u * u / 4
    for k in range(1, 2 * mp.mp.dps):
        term *= square
        step = term * _bernoulli(2 * k, mp.mp.dps)
        total += step
        if abs(step) <= abs(total) * mp.eps:
            break
    return total


@lru_cache(maxsize=4096)
def _bernoulli(n: int, dps: int) -> mp.mpf:
    return mp.bernoulli(n) / mp.factorial(n + 1)


def potential(paradigm: str, mu: mp.mpf, c: mp.mpf) -> mp.mpf:
    """R(mu); cancels for small mu, where it needs more digits than it gives."""
    if paradigm == "soft":
        return (c - 1) / (2 * c) * mu**2
    grown = mp.exp(mu)
    if paradigm == "lvml":
        inner = (c - 1) / c * (grown - 1) + (c - 1) * (1 - 2 / c) * mu
        return (inner - (c - 1) ** 2 / c * (1 - 1 / grown)) / c
    w, base = grown + c - 1, mp.log(c - 1)
    first = mp.log(c) * (grown - 1 + (c - 1) * mu) + (mu - 1) * grown + 1 + (c - 1) * mu**2 / 2
    second = w * mp.log(w) - w - c * mp.log(c) + c
    third = mu * base - dilogarithm(mu - base) + dilogarithm(-base)
    return (first - second - (c - 1) * third) / c


def pace(paradigm: str, mu: mp.mpf, nu: mp.mpf, m: mp.mpf, c: mp.mpf) -> mp.mpf:
    """``1 / mu'``."""
    alpha = 1 / (1 + (m - 1) * mp.exp(-nu))
    if paradigm == "soft":
        return (mp.exp(alpha * mu) + c - 1) / alpha
    grown = mp.exp(mu)
    w = grown + c - 1
    if paradigm == "hard":
        return w / alpha
    beta = grown / w
    return (alpha * beta + (1 - alpha) / c) * w / (alpha * beta)


def focus(paradigm: str, mu: mp.mpf, start: State, m: mp.mpf, c: mp.mpf) -> mp.mpf:
    """The nu at which ``A(nu) - A(nu0) = R(mu) - R(mu0)``."""
    level = start.nu + mp.exp(start.nu) / (m - 1)
    level += potential(paradigm, mu, c) - potential(paradigm, start.mu, c)
    # level = nu + e^nu / (m-1)
    nu = mp.mpf(float(level) - float(wrightomega(float(level - mp.log(m - 1)))))
    while True:
        grown = mp.exp(nu) / (m - 1)
        step = (nu + grown - level) / (1 + grown)
        nu -= step
        if abs(step) < mp.mpf(10) ** (-mp.mp.dps // 2 - 2):  # which the next one would square
            return nu


@lru_cache
def _gauss(points: int, dps: int) -> list[tuple[mp.mpf, mp.mpf]]:
    """Nodes in (0, 1) and weights, by Newton's method from those of NumPy."""
    rule = []
    for guess in np.polynomial.legendre.leggauss(points)[0]:
        x = mp.mpf(float(guess))
        for _ in range(4):
            last, now = mp.mpf(1), x
            for n in range(2, points + 1):
                last, now = now, ((2 * n - 1) * x * now - (n - 1) * last) / n
            slope = points * (x * now - last) / (x * x - 1)
            x -= now / slope
        rule.append(((1 + x) / 2, 1 / ((1 - x * x) * slope**2)))
    return rule


def time(paradigm: str, mu: mp.mpf, start: State, m: mp.mpf, c: mp.mpf) -> mp.mpf:
    """The time from `start` to mu: Gauss's rule, split where mu + nu has moved by one."""
    total = mp.mpf(0)
    edges = [start.mu, *map(mp.mpf, _splits(paradigm, mu, start, m, c)), mu]
    for left, right in pairwise(edges):
        for node, weight in _gauss(POINTS_A_PANEL, mp.mp.dps):
            at = left + (right - left) * node
            rate = pace(paradigm, at, focus(paradigm, at, start, m, c), m, c)
            total += (right - left) * weight * rate
    return total


# In float64: where to draw, and where to split. It decides nothing about the values.


class Sketch(NamedTuple):
    """An orbit from a start to a few digits."""

    mu: np.ndarray
    nu: np.ndarray
    time: np.ndarray
    kappa: np.ndarray


def sketch(paradigm: str, start: State, m: float, c: float, earlier: float = 0.0) -> Sketch:
    mu0, nu0 = float(start.mu), float(start.nu)
    mu = mu0 + np.append(0.0, np.geomspace(1e-9, 45.0, 8000))
    grown = np.exp(mu)
    w = grown + c - 1
    if paradigm == "soft":
        slope = (c - 1) / c * mu
    elif paradigm == "hard":
        slope = w * np.log1p((c - 1) * np.expm1(mu) / w) / c
    else:
        slope = (c - 1) / c**2 * np.expm1(mu) * (1 + (c - 1) / grown)
    height = _summed(slope, mu) + nu0 + np.exp(nu0) / (m - 1)
    nu = height - wrightomega(height - np.log(m - 1)).real
    odds = np.exp(nu) / (m - 1)
    if paradigm == "soft":
        rate = (np.exp(mu * odds / (1 + odds)) + c - 1) * (1 + 1 / odds)
    elif paradigm == "hard":
        rate = w * (1 + 1 / odds)
    else:
        rate = w * (1 + w / grown / c / odds)
    time = earlier + _summed(rate, mu)
    return Sketch(mu, nu, time, time / np.maximum(mu, 1e-300) / rate)


def _summed(slope: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.append(0.0, np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(x)))


def _splits(paradigm: str, mu: mp.mpf, start: State, m: mp.mpf, c: mp.mpf) -> list[float]:
    path = sketch(paradigm, start, float(m), float(c))
    moved = path.mu + path.nu - path.mu[0] - path.nu[0]
    edges = np.interp(np.arange(1.0, moved[-1]), moved, path.mu)
    return [edge for edge in edges.tolist() if float(start.mu) < edge < float(mu)]


# A point, and two thousand of them.

ZERO = State(mp.mpf(0), mp.mpf(0))


@lru_cache(maxsize=8)
def switched(switch_time: str, guess: str, m: str, c: str) -> State:
    """The state of soft attention at `switch_time`, from a mu near it."""
    with mp.workdps(DIGITS):
        size = (mp.mpf(m), mp.mpf(c))
        mu = mp.mpf(guess)
        miss = mp.mpf(switch_time) - time("soft", mu, ZERO, *size)
        # A Newton step leaves second derivatives: the gap is 1e-6 at first, so iterate on a
        # quadrature of the gap alone.
        for _ in range(6):
            step = miss / pace("soft", mu, focus("soft", mu, ZERO, *size), *size)
            now = mu + step
            for node, weight in _gauss(POINTS_A_PANEL, mp.mp.dps):
                at = mu + step * node
                rate = pace("soft", at, focus("soft", at, ZERO, *size), *size)
                miss -= step * weight * rate
            mu = now
        return State(mu, exact_focus("soft", mu, ZERO, *size))


def exact_focus(paradigm: str, mu: mp.mpf, start: State, m: mp.mpf, c: mp.mpf) -> mp.mpf:
    """`focus` to 50 digits of itself, where nu is as small as mu^2 = 1e-36."""
    with mp.workdps(2 * DIGITS + 10):
        return +focus(paradigm, mu, start, m, c)


def point(paradigm: str, m: str, c: str, switch_time: str, guess: str, mu: str) -> dict[str, str]:
    """A row of the table; `guess` is mu at the switch, roughly."""
    with mp.workdps(DIGITS):
        size = (mp.mpf(m), mp.mpf(c))
        start, earlier, after = ZERO, mp.mpf(0), paradigm
        if paradigm == "hybrid":
            start, earlier = switched(switch_time, guess, m, c), mp.mpf(switch_time)
            after = "hard"
        place = mp.mpf(mu)
        nu = exact_focus(after, place, start, *size)
        passed = earlier + time(after, place, start, *size)
        kappa = passed / (place * pace(after, place, nu, *size))
        text = [mp.nstr(value, 25) for value in (place, nu, passed)]
        return dict(
            zip(FIELDS, (paradigm, m, c, switch_time, *text, mp.nstr(kappa, 6)), strict=True)
        )


def again(row: dict[str, str]) -> dict[str, str]:
    """The row of the table with this mu, made anew."""
    m, c, switch_time = row["segments"], row["classes"], row["switch_time"]
    guess = ""
    if switch_time:
        path = sketch("soft", ZERO, float(m), float(c))
        guess = repr(float(np.interp(float(switch_time), path.time, path.mu)))
    return point(row["paradigm"], m, c, switch_time, guess, row["mu"])


def draw(rng: np.random.Generator, paradigm: str, steep: bool) -> tuple[str, ...] | None:
    """The arguments of a `point`: its time log-uniform, or its kappa above 10; None if it has none.

    Sizes are log-uniform in [2, 1e6], now and then an end of it.
    """
    m, c = (
        float(f"{x:.6g}")
        for x in np.where(
            rng.random(2) < 0.1, rng.choice([2.0, 1e6], 2), 10 ** rng.uniform(np.log10(2), 6, 2)
        )
    )
    start, switch_time, earlier, guess, after = ZERO, "", 0.0, "", paradigm
    if paradigm == "hybrid":
        path = sketch("soft", ZERO, m, c)
        # Around the take-off, which a switch changes most, or anywhere.
        near = rng.random() < 0.7
        earlier = float(m * c * rng.uniform(0.1, 2.0) if near else 10 ** rng.uniform(-3, 11.5))
        if not earlier < 0.9 * LATEST:
            return None
        mu0 = float(np.interp(earlier, path.time, path.mu))
        start = State(mp.mpf(mu0), mp.mpf(float(np.interp(mu0, path.mu, path.nu))))
        switch_time, guess, after = repr(earlier), repr(mu0), "hard"
    path = sketch(after, start, m, c, earlier)
    inside = (path.time > 1.001 * max(earlier, EARLIEST)) & (path.time < 0.999 * LATEST)
    if steep:
        inside &= path.kappa > 11.0
        if not inside.any():
            return None
        # Between two places of the sketch, evenly in mu over the steep part.
        low, high = path.mu[inside][[0, -1]]
        mu = float(rng.uniform(low, high))
    else:
        low, high = np.log(max(EARLIEST, 1.001 * earlier)), np.log(0.999 * LATEST)
        wanted = np.exp(rng.uniform(low, high))
        mu = float(np.interp(wanted, path.time, path.mu))
    if not float(guess or 0.0) < mu:
        return None
    return paradigm, repr(m), repr(c), switch_time, guess, repr(mu)


def table() -> list[dict[str, str]]:
    rng = np.random.default_rng(2026)
    rows = []
    for paradigm, count in POINTS.items():
        for steep in (True, False):
            found = 0
            while found < count // 2:
                if (asked := draw(rng, paradigm, steep)) is None:
                    continue
                row = point(*asked)
                if not EARLIEST <= float(row["time"]) <= LATEST:
                    continue
                if steep and not float(row["kappa"]) > 10.0:
                    continue
                found += 1
                rows.append(row)
    return rows


def read() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table())


if __name__ == "__main__":
    main()
