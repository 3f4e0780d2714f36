"""When one curve passes another for the last time, found by looking closer and closer."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

__all__ = ["last_pass"]

Rows = Float[np.ndarray, "row save"]

TIE = 1e-12
"""Curves this close, relative to themselves, are not told apart: both may be rounding."""


def last_pass(
    one: Callable[[Rows], Rows], other: Callable[[Rows], Rows], times: Rows, looks: int = 5
) -> Float[np.ndarray, " row"]:
    """The last time at which `one` takes the lead from `other`; NaN where it never does.

    Each look asks for as many times as the first, spread evenly in their logarithm over the two
    between which the lead changed last. A curve that leads from the start takes no lead. What
    happens twice between two times of the first look is not seen.

    Args:
        one: its values at times.
        other: those of the curve to be passed.
        times: positive and increasing along each row.
        looks: how often, the first time included. The error is that of a straight line between two
            neighbours of the last look.
    """
    for _ in range(looks):
        seen = times
        mine, others = one(seen), other(seen)
        lead = mine - others
        lead[np.abs(lead) <= TIE * np.abs(others)] = 0.0
        before, after = _last_change(lead)
        low, high = _at(seen, before), _at(seen, after)
        times = np.geomspace(low, high, seen.shape[1], axis=1)
        # Powers and logarithms do not give back their ends to the last bit.
        times[:, 0], times[:, -1] = low, high
    lag, ahead = -_at(lead, before), _at(lead, after)
    share = lag / np.where(ahead + lag > 0, ahead + lag, 1.0)
    passed = np.exp(np.log(low) + share * np.log(high / low))
    return np.where((lag > 0) & (ahead > 0), passed, np.nan)


def _last_change(lead: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Places of the last time behind and of the first time ahead since, without ties between.

    Where the lead is not taken, the first and the last place.
    """
    count = lead.shape[1]
    place = np.arange(count)
    behind = np.maximum.accumulate(np.where(lead != 0, place, 0), axis=1)  # last known, per place
    known = np.take_along_axis(lead, behind, axis=1)
    taken = (lead[:, 1:] > 0) & (known[:, :-1] < 0)
    after = np.where(taken.any(axis=1), count - 1 - np.argmax(taken[:, ::-1], axis=1), count - 1)
    before = np.take_along_axis(behind, (after - 1)[:, None], axis=1)[:, 0]
    return np.where(taken.any(axis=1), before, 0), after


def _at(rows: Rows, place: np.ndarray) -> Float[np.ndarray, " row"]:
    return np.take_along_axis(rows, place[:, None], axis=1)[:, 0]
