"""Where training of a result stands to the edge of stability."""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxattn.core.contracts import Status
from jaxattn.results.dataset import spec_of
from jaxattn.results.derived import first_crossing
from jaxattn.training.stability import EDGES, edge

__all__ = ["edge_in", "edge_times", "first_past", "products"]

_MOVE_IT = {"clip_norm"}
"""Hyperparameters with which `edge` does not hold."""


def products(ds: xr.Dataset) -> xr.DataArray | None:
    """Learning rate times sharpness of every row at its saves; None where it is not known.

    A learning rate that changes during the run is not in the result.
    """
    if "sharpness" not in ds or spec_of(ds).get("schedule", "constant") != "constant":
        return None
    product = (ds["learning_rate"] * ds["sharpness"]).transpose(*ds["sharpness"].dims)
    return product.assign_attrs(units="1", long_name="learning rate times sharpness")


def edge_in(ds: xr.Dataset) -> xr.DataArray | None:
    """The edge of stability of training, along the swept axes that it depends on.

    Of the sharpness scaled as the optimiser's steps are, see `jaxattn.probes.probe`. None where no
    edge holds: of other optimisers than `EDGES` names, with clipped gradients, at a learning rate
    that changes during the run, without a sharpness.
    """
    spec = spec_of(ds)
    hypers: dict[str, Any] = dict(spec.get("hypers", {}))
    known = spec.get("optimiser") in EDGES and not _MOVE_IT & set(hypers)
    if products(ds) is None or not known:
        return None
    named = {name: ds[name] for name, value in hypers.items() if isinstance(value, list)}
    grid = dict(zip(named, xr.broadcast(*named.values()), strict=True))
    constants = {
        name: value
        for name, value in hypers.items()
        if name not in named and isinstance(value, int | float)
    }
    values = {name: values.values for name, values in grid.items()}
    levels = np.asarray(edge(str(spec["optimiser"]), {**constants, **values}), dtype=float)
    like = grid["learning_rate"]
    return like.copy(data=np.broadcast_to(levels, like.shape)).rename("edge")


def edge_times(ds: xr.Dataset) -> xr.DataArray | None:
    """When learning rate times sharpness of training first reaches the edge.

    Returns:
        ``[paradigm, ..., seed]``; infinite where never, NaN where training neither ended well nor
        diverged. None where no edge is known, see `edge_in`.
    """
    level, product = edge_in(ds), products(ds)
    if level is None or product is None:
        return None
    product = product.sel(dynamics="train", drop=True).transpose(..., "save")
    first = product.isel(save=0, drop=True)
    level = level.broadcast_like(first).transpose(*first.dims)
    time = ds["time"].broadcast_like(product).transpose(*product.dims)
    when = first.copy(data=first_past(time.values, product.values, level.values))
    status = ds["status"].sel(dynamics="train", drop=True)
    ended = Status.ended_well(status) | (status == Status.DIVERGED)
    return when.where(ended).assign_attrs(
        units="time", long_name="when learning rate times sharpness reaches the edge of stability"
    )


def first_past(
    time: Float[np.ndarray, "*#row save"],
    product: Float[np.ndarray, "*row save"],
    level: Float[np.ndarray, "*#row"] | float,
) -> Float[np.ndarray, "*row"]:
    """When ``learning_rate * sharpness`` first reaches the edge; infinite if it never does.

    Between two saves the product is taken to be linear in time, as `first_crossing` has it: saves
    that lie far apart on a logarithmic axis say no more than that. NaN has reached nothing.

    Args:
        time: increasing times of the saves, any unit; may have the leading axes of `product`.
        product: the learning rate in force at each save times the sharpness there.
        level: the edge of each row, above 0.
    """
    product = np.asarray(product, dtype=float)
    when = first_crossing(time, product / np.asarray(level, dtype=float)[..., None], 1.0)
    return np.where(np.isnan(when), np.inf, when)
