"""The reduced system by scipy: fields in bare Python floats, which its loops call fastest."""

from collections.abc import Callable
from math import exp, log, log1p

import numpy as np
from scipy.integrate import odeint, solve_ivp

Field = Callable[[float, np.ndarray], tuple[float, float]]

IVP = ("LSODA", "DOP853", "Radau")
METHODS = (*IVP, "odeint")
"""`solve_ivp`'s by name, and `odeint`: LSODA again, its loop in Fortran and not in Python."""


def field(paradigm: str, m: float, c: float) -> Field:
    """As fast as Python allows; nothing overflows below mu = nu = 700."""
    others, rest, guess = c - 1.0, m - 1.0, log(c)

    def soft(_: float, state: np.ndarray) -> tuple[float, float]:
        mu, nu = state
        grown = exp(nu)
        total = grown + rest
        alpha = grown / total
        fast = alpha / (exp(alpha * mu) + others)
        return fast, rest / total * others / c * mu * fast

    def hard(_: float, state: np.ndarray) -> tuple[float, float]:
        mu, nu = state
        grown, right = exp(nu), exp(mu)
        total = grown + rest
        alpha, gain = grown / total, guess - log1p(others / right)
        return alpha / (right + others), alpha * rest / total * gain / c

    def lvml(_: float, state: np.ndarray) -> tuple[float, float]:
        mu, nu = state
        grown, right = exp(nu), exp(mu)
        total, w = grown + rest, right + others
        alpha, beta = grown / total, right / w
        z = alpha * beta + rest / total / c
        return alpha * beta / (z * w), alpha * rest / total * (beta - 1.0 / c) / (c * z)

    return {"soft": soft, "hard": hard, "lvml": lvml}[paradigm]


def path(
    method: str, paradigm: str, m: float, c: float, times: np.ndarray, rtol: float
) -> tuple[np.ndarray, int]:
    """``[save, (mu, nu)]`` from zero at ``times[0]``, and how often the field was evaluated."""
    of = field(paradigm, m, c)
    if method == "odeint":
        found, facts = odeint(
            of, (0.0, 0.0), times, tfirst=True, rtol=rtol, atol=rtol, mxstep=10**6, full_output=True
        )
        return found, int(facts["nfe"][-1])
    span = (times[0], times[-1])
    solved = solve_ivp(of, span, (0.0, 0.0), method, times, rtol=rtol, atol=rtol)
    # Radau and LSODA build their Jacobians from the field, too, and count that.
    return solved.y.T, int(solved.nfev)


def paths(
    method: str, paradigm: str, m: np.ndarray, c: np.ndarray, times: np.ndarray, rtol: float
) -> np.ndarray:
    """``[row, save, (mu, nu)]``, one after the other."""
    sizes = zip(m.tolist(), c.tolist(), strict=True)
    return np.array([path(method, paradigm, *size, times, rtol)[0] for size in sizes])
