"""How far the classes of an attention network are from the reduced system, and in which order.

For results of `jaxattn reproduce departures` at one paradigm. A distance is the largest over time.
What treats all classes alike moves them together; what only tells them apart moves them to first
order and their average to second: the average's first order would be the same for all directions
of the departure, which add up to none.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxattn.analysis.intervals import Interval, interval
from jaxattn.core.contracts import Status

__all__ = ["SMALL", "Distance", "distance", "over_seeds", "slope"]

SMALL = 0.1
"""Orders are fitted to departures up to this size; samples, which are all small, are all used."""

Cells = Float[np.ndarray, "size seed"]


class Distance(NamedTuple):
    """Distances by size and seed; NaN where a row is not there or failed.

    - ``amount``: size of the departure
    - ``each``: root mean square over classes
    - ``average``: of the average of the classes
    - ``predicted``: by an exact path, a path to order sigma^2, or linear response; NaN if by none
    """

    amount: Float[np.ndarray, " size"]
    each: Cells
    average: Cells
    predicted: Float[np.ndarray, " size"]

    @property
    def typical(self) -> Float[np.ndarray, " size"]:
        """``each``, root mean square over seeds."""
        return over_seeds(self.each)


def over_seeds(cells: Cells) -> Float[np.ndarray, " size"]:
    """Root mean square over the seeds that there are; NaN where there are none."""
    finite = np.isfinite(cells)
    total = np.sum(np.where(finite, cells, 0.0) ** 2, axis=1)
    with np.errstate(invalid="ignore"):
        return np.sqrt(total / finite.sum(axis=1))


def distance(one: xr.Dataset, departure: str, measure: str) -> Distance:
    """The distances of one departure.

    For samples, ``predicted`` is what unequal class counts alone do. To first order in
    ``C pi_c - 1`` that is one factor for all directions, as classes can be interchanged: the factor
    found for the least imbalance, times the imbalance of the samples, root mean square over seeds
    (expected: ``sqrt((C-1)/N)`` for N draws).

    Args:
        one: results at one paradigm.
        departure: one of ``one["departure"]``.
        measure: mu, nu or attention.
    """
    at = one.sel(departure=departure)
    known = np.isfinite(at["amount"].values)
    at = at.isel(size=np.flatnonzero(known))
    off = (
        (at[measure] - one[f"reduced_{measure}"]).transpose("size", "seed", "save", "class").values
    )
    off = np.where((at["status"] == Status.DONE).values[:, :, None, None], off, np.nan)
    planar = (at[f"planar_{measure}"] - one[f"reduced_{measure}"]).transpose("size", "save").values
    amount, predicted = at["amount"].values, np.max(np.abs(planar), axis=1)
    if departure == "sample":
        least = distance(one, "frequency", measure)
        factor = least.each[0, 0] / least.amount[0]
        drawn = one["imbalance"].transpose("size", "seed").values[: amount.size]
        predicted = factor * over_seeds(np.where(np.isfinite(off[:, :, 0, 0]), drawn, np.nan))
    return Distance(
        amount,
        np.max(np.sqrt(np.mean(off**2, axis=3)), axis=2),
        np.max(np.abs(np.mean(off, axis=3)), axis=2),
        predicted,
    )


def slope(amount: Float[np.ndarray, " size"], cells: Cells, small: float = SMALL) -> Interval:
    """The slope of log distance against log size, fitted for each seed: mean and 95 % interval.

    Args:
        amount: sizes.
        cells: distances, ``[size, seed]``; seeds that lack one are left out.
        small: the largest size that is fitted to.
    """
    used = amount <= small
    distances = cells[used][:, np.isfinite(cells[used]).all(axis=0)]
    if used.sum() < 2 or not distances.size or not (distances > 0).all():
        return Interval(np.nan, np.nan, np.nan, "nothing to fit")
    slopes = np.polyfit(np.log(amount[used]), np.log(distances), 1)[0]
    return interval(slopes)
