"""How far training is from its continuous limits: when it leaves them, of which order it is.

Orders are fitted seed by seed, and their interval is that of all other means here
(`jaxattn.analysis.intervals`): a bootstrap of a few seeds alone would be too narrow.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from jax import tree
from jaxtyping import Float

from jaxattn.analysis.edge_of_stability import edge_saves
from jaxattn.analysis.first_saves import NEVER, first_save, value_at
from jaxattn.analysis.intervals import Interval, interval
from jaxattn.analysis.places import places
from jaxattn.analysis.subject import is_trained, theories_in
from jaxattn.core.contracts import InputError, Status, Trajectory
from jaxattn.flow import LIMITS
from jaxattn.results.derived import WELL_ABOVE

__all__ = [
    "TOLERANCE",
    "WELL_ABOVE",
    "Gap",
    "Order",
    "departure_saves",
    "departures",
    "fit_order",
    "gap",
    "limits_in",
    "order_records",
    "orders",
    "orders_by_name",
    "own_errors",
    "watched",
]

TOLERANCE = 0.01
"""Training has left its limit where they are further apart than this share of the limit's way."""


class Gap(NamedTuple):
    """How far training is from a continuous limit of it; any axes in front.

    - ``time [..., save]``: of the saves
    - ``distance [..., save]``: Euclid's, between the parameters
    - ``way [...]``: the furthest that the limit came from its start
    - ``departure [...]``: time of the first save at which `distance` is at the tolerance or
      beyond; NaN: at none
    """

    time: Float[np.ndarray, "*row save"]
    distance: Float[np.ndarray, "*row save"]
    way: Float[np.ndarray, "*row"]
    departure: Float[np.ndarray, "*row"]


class Order(NamedTuple):
    """The power of the learning rate with which a distance goes to 0.

    `fit` is the mean over seeds of the slope of log distance against log rate, with its 95 %
    interval; `local` the slope from each rate to the next smaller one, mean over seeds. A
    coefficient that crosses zero fakes a slope: then the local ones differ. Both are of `rates`,
    falling, and of so many `seeds`.
    """

    fit: Interval
    local: Float[np.ndarray, " step"]
    rates: Float[np.ndarray, " rate"]
    seeds: int


def gap(train: Trajectory, flow: Trajectory, tolerance: float = TOLERANCE) -> Gap:
    """How far training is from a continuous limit beside it, and when it leaves it.

    Args:
        train: of `make_train` with ``keep_params=True``, or many of them stacked.
        flow: of `make_flow` with the same saves, for the same rows.
        tolerance: share of the limit's way at which training has left it.

    Raises:
        InputError: no parameters kept, or other times than those of training.
    """
    if train.params is None or flow.params is None:
        raise InputError("gap: got no parameters, expected them at every save; keep_params=True.")
    times, others = np.asarray(train.time), np.asarray(flow.time)
    if others.shape != times.shape or not np.allclose(others, times, rtol=1e-9, atol=0):
        ends = f"{np.max(others):g}", f"{np.max(times):g}"
        raise InputError(
            f"gap: got a flow of {others.shape[-1]} saves up to time {ends[0]}, expected the times "
            f"of training, {times.shape[-1]} saves up to {ends[1]}; make both with the same saves."
        )
    lead = times.ndim
    ours, theirs = (_flat(one.params, lead) for one in (train, flow))
    distance = np.linalg.norm(ours - theirs, axis=-1)
    way = np.asarray(np.max(np.linalg.norm(theirs - theirs[..., :1, :], axis=-1), axis=-1))
    left = first_save(_is_left(distance, way, tolerance))
    at = np.take_along_axis(times, np.maximum(left, 0)[..., None], axis=-1)[..., 0]
    return Gap(times, distance, way, np.where(left < 0, np.nan, at))


def _flat(params: Any, lead: int) -> np.ndarray:
    leaves = [np.asarray(leaf) for leaf in tree.leaves(params)]
    return np.concatenate([leaf.reshape(*leaf.shape[:lead], -1) for leaf in leaves], axis=-1)


def _is_left(distance: np.ndarray, way: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether training has left a limit at each save; never one that stays where it starts."""
    tolerated = tolerance * way[..., None]
    return (distance >= tolerated) & (distance > 0)


def fit_order(rates: Float[np.ndarray, " rate"], errors: Float[np.ndarray, "seed rate"]) -> Order:
    """The order of errors in the learning rate.

    Args:
        rates: learning rates, two or more.
        errors: of each seed. One that is not positive is not known. A rate that more than half of
            the seeds lack is left out, then seeds that lack one of the others.

    Raises:
        InputError: fewer than two rates.
    """
    if rates.size < 2:
        raise InputError(f"order: got {rates.size} learning rates, expected two or more.")
    by_size = np.argsort(-rates)
    rates, errors = rates[by_size], errors[:, by_size]
    known = np.isfinite(errors) & (errors > 0)
    # A rate at which runs diverge would else take all seeds, and so all other rates, with it.
    usable = known.any() & (2 * known.sum(axis=0) >= known.any(axis=1).sum())
    rates, errors, known = rates[usable], errors[:, usable], known[:, usable]
    errors = errors[known.all(axis=1)]
    if rates.size < 2 or not len(errors):
        nothing = Interval(np.nan, np.nan, np.nan, "nothing to fit")
        return Order(nothing, np.full(max(rates.size - 1, 0), np.nan), rates, 0)
    x, y = np.log(rates), np.log(errors)
    local = np.mean(np.diff(y, axis=1), axis=0) / np.diff(x)
    return Order(interval(np.polyfit(x, y.T, 1)[0]), local, rates, len(errors))


def limits_in(ds: xr.Dataset) -> list[str]:
    """The continuous limits that a result holds training against."""
    if "distance" not in ds or not is_trained(ds):
        return []
    others = ("train", "theory", *theories_in(ds))
    return [str(name) for name in ds["dynamics"].values if str(name) not in others]


def watched(ds: xr.Dataset, limit: str) -> xr.DataArray:
    """Whether it is known of a row if it left a limit: both ended well, or training diverged."""
    status = ds["status"].sel(dynamics="train", drop=True)
    ended = Status.ended_well(ds["status"].sel(dynamics=limit, drop=True))
    return ended & (Status.ended_well(status) | (status == Status.DIVERGED))


def own_errors(ds: xr.Dataset, limit: str) -> xr.DataArray:
    """How far a limit is from itself, solved at a tenth of its tolerances: about its own error.

    Returns:
        ``[paradigm, ..., save]``, of the row that was solved twice, or the largest of several; NaN
        where it is not known, as of stochastic limits.
    """
    if "own_error" not in ds:
        return xr.full_like(ds["distance"].sel(dynamics=limit, drop=True), np.nan)
    own = ds["own_error"].sel(dynamics=limit, drop=True)
    own = own.max([dim for dim in own.dims if dim in ("learning_rate", "seed")])
    # A point of an axis that no row was solved twice at has the largest of those that have one.
    return own.fillna(own.max([dim for dim in own.dims if dim not in ("paradigm", "save")]))


def orders(ds: xr.Dataset) -> pd.DataFrame:
    """The order of the distance of training from each limit in the learning rate.

    The distance is the largest over the saves, of the rows that ended well under both and did not
    reach the edge of stability, beyond which a distance has no order. Neither has one that is less
    than `WELL_ABOVE` times the limit's own error, which may be the solver's; nor that of a
    stochastic limit, whose paths have noise of their own: there is no line of it.

    Returns:
        A line for each limit, paradigm and point of the other swept axes: ``dynamics``,
        ``paradigm``, those axes, ``slope``, ``low``, ``high`` (95 %), ``local`` (a list),
        ``seeds`` and ``rates`` that were fitted, ``own_error`` of the limit (the largest over the
        saves; NaN: not known) and ``rates_within_it``, at which most distances are not well above
        it. Empty with fewer than two learning rates.
    """
    return pd.DataFrame(order_records(ds))


def order_records(ds: xr.Dataset) -> list[dict[str, Any]]:
    """The lines of `orders`, a dict each."""
    limits, records = limits_in(ds), []
    if not limits or ds.sizes.get("learning_rate", 0) < 2:
        return []
    reached = edge_saves(ds)
    trained = Status.ended_well(ds["status"].sel(dynamics="train", drop=True))
    for limit in limits:
        if limit in LIMITS and LIMITS[limit].stochastic:
            continue
        largest = ds["distance"].sel(dynamics=limit).max("save", skipna=False)
        largest = largest.where(watched(ds, limit) & trained)
        largest = largest if reached is None else largest.where(reached < 0)
        largest = largest.transpose("paradigm", ..., "seed", "learning_rate")
        own = own_errors(ds, limit).max("save")
        for labels, at in places(largest, "seed", "learning_rate"):
            error = float(own.isel(at, missing_dims="ignore").max())
            values = largest[at].values
            within = values < WELL_ABOVE * error
            order = fit_order(ds["learning_rate"].values, np.where(within, np.nan, values))
            records.append(
                {
                    "dynamics": limit,
                    **labels,
                    "slope": float(order.fit.mean),
                    "low": float(order.fit.low),
                    "high": float(order.fit.high),
                    "local": order.local.tolist(),
                    "seeds": order.seeds,
                    "rates": order.rates.size,
                    "own_error": error,
                    "rates_within_it": int(
                        np.sum(2 * within.sum(axis=0) > np.isfinite(values).sum(axis=0))
                    ),
                }
            )
    return records


_OF_A_FIT = (*("slope", "low", "high", "local", "seeds", "rates", "own_error", "rates_within_it"),)


def orders_by_name(ds: xr.Dataset) -> dict[str, dict[str, dict[str, Any]]]:
    """`orders` by limit and paradigm; a point of other swept axes is named beside the paradigm."""
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for line in order_records(ds):
        shown = {key: line.pop(key) for key in _OF_A_FIT}
        limit, paradigm = line.pop("dynamics"), line.pop("paradigm")
        where = ", ".join(f"{name} {value:g}" for name, value in line.items())
        by_name.setdefault(limit, {})[f"{paradigm}, {where}" if where else paradigm] = shown
    return by_name


def departures(ds: xr.Dataset, limit: str, tolerance: float = TOLERANCE) -> xr.DataArray:
    """The time of the first save at which training has left a limit; see `departure_saves`.

    Returns:
        ``[paradigm, ..., seed]``; NaN where at none, and where that is not known. Its coordinates:
        the ``step`` of that save, the save before at which training was still within
        (``within_time``, ``within_step``), and ``own_error`` of the limit, the largest over the
        saves.

    Raises:
        InputError: a limit that is not there.
    """
    saves = departure_saves(ds, limit, tolerance)
    when = value_at(ds["time"], saves).assign_coords(
        step=value_at(ds["step"], saves),
        within_time=value_at(ds["time"], saves - 1),
        within_step=value_at(ds["step"], saves - 1),
        own_error=own_errors(ds, limit).max("save"),
    )
    return when.rename("departure").assign_attrs(
        units="time",
        long_name=f"first save at which training is {tolerance:.0%} of its way off {limit}",
    )


def departure_saves(ds: xr.Dataset, limit: str, tolerance: float = TOLERANCE) -> xr.DataArray:
    """The first save at which training is further from a limit than `tolerance` of its way.

    Args:
        ds: a result with ``distance``.
        limit: one of `limits_in`.
        tolerance: share of the furthest that the limit came from its start.

    Returns:
        Numbers of saves ``[paradigm, ..., seed]``, below 0 where at none, and where that is not
        known (see `watched`).

    Raises:
        InputError: a limit that is not there.
    """
    if limit not in limits_in(ds):
        raise InputError(
            f"departures: got {limit!r}, expected one of {', '.join(limits_in(ds)) or 'none'}; "
            "compare with against=(...)."
        )
    distance = ds["distance"].sel(dynamics=limit, drop=True).transpose(..., "save")
    lost = (ds["status"].sel(dynamics="train", drop=True) == Status.DIVERGED) & distance.isnull()
    # What is no number any more is as far away as can be.
    distance = distance.where(~lost, np.inf).transpose(..., "save")
    way = ds["moved"].sel(dynamics=limit, drop=True).max("save")
    way = way.broadcast_like(distance.isel(save=0)).transpose(*distance.dims[:-1])
    left = first_save(_is_left(distance.values, way.values, tolerance))
    saves = distance.isel(save=0, drop=True).reset_coords(drop=True).copy(data=left)
    return saves.where(watched(ds, limit), NEVER)
