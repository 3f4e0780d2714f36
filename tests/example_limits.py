"""A made-up result of training beside its continuous limits: distances are power laws by design."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from example_results import example_result

from jaxattn.analysis.limit_gaps import departure_saves, limits_in
from jaxattn.core.canonical_json import canonical_json

RATES = (0.4, 0.2, 0.1, 0.05, 0.025)
END = 8.0
"""Time at which all runs end."""
POWERS = {"flow": (0.03, 1.0), "modified": (0.02, 2.0)}
"""Of each limit: its distance at the end is the first number times the rate to this power."""


def example_limits(
    paradigms: Sequence[str] = ("soft", "hard"),
    rates: Sequence[float] = RATES,
    seeds: int = 3,
    powers: dict[str, tuple[float, float]] | None = None,
    sharpest: float = 4.0,
    saves: int = 21,
    constants: Mapping[str, float] | None = None,
    own_error: float | None = None,
    **spec: object,
) -> xr.Dataset:
    """Every row done.

    Of each limit ``distance = factor * rate^power * (time / END) * (1 + 0.1 seed)``, and its way
    is 1. The sharpness of training rises from 1 to `sharpest`, linearly in time. The first row of
    each limit, at the first learning rate, is so far from itself when solved again at the end.
    """
    powers = POWERS if powers is None else powers
    made = example_result(paradigms, rates, seeds, flow_seeds=seeds, saves=saves, picture=())
    train, flow = made.sel(dynamics=["train"]), made.sel(dynamics=["flow"])
    parts = [train, *(flow.assign_coords(dynamics=[name]) for name in powers)]
    ds = xr.concat(parts, "dynamics", data_vars="minimal", coords="minimal", join="outer")
    time = np.linspace(0, END, saves)
    steps = np.round(np.divide.outer(time, rates).T).astype(int)
    ds = ds.assign_coords(
        time=(("learning_rate", "save"), np.tile(time, (len(rates), 1)), {"long_name": "time"}),
        step=(("learning_rate", "save"), steps, {"units": "step", "long_name": "training step"}),
    )
    dims = ("paradigm", "dynamics", "learning_rate", "seed", "save")
    shape = tuple(ds.sizes[dim] for dim in dims)
    share, rate = time / END, np.asarray(rates)[:, None, None]
    by_seed = 1 + 0.1 * np.arange(seeds)[:, None]
    far = [0 * rate * by_seed * share]
    far += [factor * rate**power * by_seed * share for factor, power in powers.values()]
    sharp = 1 + (sharpest - 1) * share
    variables = {
        "distance": np.broadcast_to(np.stack(far), shape).copy(),
        "moved": np.broadcast_to(share, shape).copy(),
        "sharpness": np.broadcast_to(sharp, shape).copy(),
    }
    if own_error is not None:
        variables["own_error"] = np.full(shape, np.nan)
        variables["own_error"][:, 1:, 0, 0] = own_error * share
    ds = ds.assign({name: (dims, values) for name, values in variables.items()})
    said = json.loads(ds.attrs["spec"]) | {"batch_size": None, "against": list(powers), **spec}
    own = {"momentum": {"momentum": 0.5}, "adam": {"beta1": 0.5}}
    said["hypers"] |= own.get(str(spec.get("optimiser")), {}) | dict(constants or {})
    return ds.assign_attrs(spec=canonical_json(said))


def growing(ds: xr.Dataset, share: float = 0.9, pace: float = 1.0) -> xr.Dataset:
    """`ds` with a part of each distance along the top eigenvector, of plain gradient descent.

    It is so large a `share` where the row leaves its limit, and grows before and after by
    ``abs(1 - learning_rate * sharpness)`` a step, to the power `pace`.
    """
    factor = abs(1 - ds["learning_rate"] * ds["sharpness"].sel(dynamics="train", drop=True))
    logs = pace * np.log(factor) * xr.ones_like(ds["distance"])
    steps = ds["step"].diff("save").drop_vars(["step", "time"])
    each = (logs + logs.shift(save=1)).isel(save=slice(1, None)).drop_vars(["step", "time"]) / 2
    total = (each * steps).cumsum("save").pad(save=(1, 0), constant_values=0)
    left = xr.concat([departure_saves(ds, name) for name in limits_in(ds)], "dynamics")
    left = left.assign_coords(dynamics=limits_in(ds)).clip(min=0)
    left = left.reindex(dynamics=ds["dynamics"], fill_value=0)
    there = share * ds["distance"].isel(save=left)
    along = (there * np.exp(total - total.isel(save=left))).where(ds["distance"] > 0, 0.0)
    return ds.assign(distance_along_top=along.transpose(*ds["distance"].dims))
