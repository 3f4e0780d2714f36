"""What smaller learning rates predict of the distance from a limit, by the order expected of it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from jaxattn.analysis.edge_of_stability import edge_saves
from jaxattn.analysis.limit_gaps import WELL_ABOVE, own_errors, watched
from jaxattn.core.contracts import Status
from jaxattn.flow import LIMITS
from jaxattn.results.dataset import spec_of

__all__ = ["Prediction", "Predictor", "expected_order"]


class Prediction(NamedTuple):
    """A distance against what a smaller rate predicts of it; NaN where none does.

    - ``rate [seed]``: the smallest of which a distance is known
    - ``predicted [seed]``: the distance that it makes expect
    - ``excess [seed]``: the distance there is, over that
    """

    rate: Float[np.ndarray, " seed"]
    predicted: Float[np.ndarray, " seed"]
    excess: Float[np.ndarray, " seed"]


def expected_order(ds: xr.Dataset, limit: str) -> float:
    """The power of the learning rate by which a distance from a limit is expected to fall.

    That of the limit where all that it holds for is given; 1 of a model with kinks, and where what
    is to be held fixed is not. NaN where none is: of a stochastic limit, and of minibatches around
    whose mean paths spread.
    """
    known, spec = LIMITS.get(limit), spec_of(ds)
    if known is None:
        return 1.0
    if known.stochastic or (spec.get("batch_size") is not None and not known.batch_orders):
        return np.nan
    is_held = set(known.held_fixed) <= set(spec.get("hypers", {}))
    return float(known.convergence_order) if is_held and spec.get("smooth", True) else 1.0


class Predictor:
    """The distances of all learning rates from one limit, and which of them can be relied on.

    One that can: the row ended well under both, never reached the edge of stability, and its
    distance is at least `WELL_ABOVE` times the limit's own error.
    """

    def __init__(self, ds: xr.Dataset, limit: str) -> None:
        """Nothing can be predicted where the learning rate is no axis."""
        self._order = expected_order(ds, limit)
        self._rates = ds["learning_rate"].values if "learning_rate" in ds.dims else None
        distance = ds["distance"].sel(dynamics=limit, drop=True)
        trained = Status.ended_well(ds["status"].sel(dynamics="train", drop=True))
        reached = edge_saves(ds)
        valid = watched(ds, limit) & trained & (True if reached is None else reached < 0)
        floor = WELL_ABOVE * own_errors(ds, limit)
        # Where no own error is known, no distance is below it.
        self._valid = valid & ~(distance < floor)
        self._distance = distance
        self._time = ds["time"].broadcast_like(distance)

    def at(self, place: Mapping[str, int], saves: Int[np.ndarray, " seed"]) -> Prediction:
        """What is predicted of the distance of each row at a place, at a save of its own.

        In proportion to the power of the rate that is expected, from the smallest rate that can be
        relied on, at the same time: linear between its saves, where it has none at that time.

        Args:
            place: an index of every axis but the seeds, the learning rate among them.
            saves: by number; below 0: none.
        """
        nothing = np.full(saves.shape, np.nan)
        if self._rates is None or not np.isfinite(self._order):
            return Prediction(nothing, nothing, nothing)
        others, ours = dict(place), place["learning_rate"]
        del others["learning_rate"]
        distance, valid, time = (
            values.isel(others).transpose("learning_rate", "seed", "save").values
            for values in (self._distance, self._valid, self._time)
        )
        rate, source, predicted, excess = self._rates[ours], nothing, nothing.copy(), nothing.copy()
        smaller = [number for number in np.argsort(self._rates) if self._rates[number] < rate]
        for seed in np.flatnonzero(saves >= 0):
            save = saves[seed]
            for number in smaller:
                there = np.interp(
                    time[ours, seed, save], time[number, seed], distance[number, seed]
                )
                if valid[number, seed, save] and there > 0:
                    source[seed] = self._rates[number]
                    predicted[seed] = there * (rate / self._rates[number]) ** self._order
                    excess[seed] = distance[ours, seed, save] / predicted[seed]
                    break
        return Prediction(source, predicted, excess)
