"""Where training of a result stands to the edge of stability."""

from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.first_saves import NEVER, first_save, value_at
from jaxattn.analysis.subject import is_trained
from jaxattn.core.contracts import Status
from jaxattn.results.dataset import spec_of
from jaxattn.training.stability import EDGES, edge, growth

__all__ = ["edge_in", "edge_saves", "edge_times", "growth_in", "products"]

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
    hypers = _hypers_in(ds)
    if hypers is None:
        return None
    like = hypers["learning_rate"]
    values = {name: value.values for name, value in hypers.items()}
    levels = np.asarray(edge(str(spec_of(ds)["optimiser"]), values), dtype=float)
    return like.copy(data=np.broadcast_to(levels, like.shape)).rename("edge")


def growth_in(ds: xr.Dataset) -> xr.DataArray | None:
    """By which factor a step of training is to multiply an error along the top eigenvector.

    Returns:
        At every save ``[paradigm, ..., seed, save]``, see `jaxattn.training.stability.growth`.
        None where no edge is known, see `edge_in`.
    """
    hypers, product = _hypers_in(ds), products(ds)
    if hypers is None or product is None:
        return None
    product = product.sel(dynamics="train", drop=True).transpose(..., "save")
    values = {
        name: value.broadcast_like(product).transpose(*product.dims).values
        for name, value in hypers.items()
    }
    factor = growth(str(spec_of(ds)["optimiser"]), values, product.values)
    return product.copy(data=np.asarray(factor, dtype=float))


def _hypers_in(ds: xr.Dataset) -> dict[str, xr.DataArray] | None:
    """What the edge depends on, along the swept axes; None where no edge is known."""
    spec = spec_of(ds)
    hypers: dict[str, Any] = dict(spec.get("hypers", {}))
    known = spec.get("optimiser") in EDGES and not _MOVE_IT & set(hypers)
    if products(ds) is None or not known:
        return None
    named = {name: ds[name] for name, value in hypers.items() if isinstance(value, list)}
    constants = {
        name: xr.DataArray(value)
        for name, value in hypers.items()
        if name not in named and isinstance(value, int | float)
    }
    grid = dict(zip(named, xr.broadcast(*named.values()), strict=True))
    return {**constants, **grid}


def edge_saves(ds: xr.Dataset) -> xr.DataArray | None:
    """The first save at which learning rate times sharpness of training has reached the edge.

    Returns:
        Numbers of saves ``[paradigm, ..., seed]``; below 0 where at none, and where training
        neither ended well nor diverged. None where no edge is known, see `edge_in`, or nothing was
        trained.
    """
    level, product = edge_in(ds), products(ds)
    if level is None or product is None or not is_trained(ds):
        return None
    product = product.sel(dynamics="train", drop=True).transpose(..., "save")
    first = product.isel(save=0, drop=True).reset_coords(drop=True)
    level = level.broadcast_like(first).transpose(*first.dims)
    saves = first.copy(data=first_save(product.values >= level.values[..., None]))
    status = ds["status"].sel(dynamics="train", drop=True)
    ended = Status.ended_well(status) | (status == Status.DIVERGED)
    return saves.where(ended, NEVER)


def edge_times(ds: xr.Dataset) -> xr.DataArray | None:
    """The times of `edge_saves`; NaN where there is none."""
    saves = edge_saves(ds)
    if saves is None:
        return None
    return value_at(ds["time"], saves).assign_attrs(
        units="time",
        long_name="first save at which learning rate times sharpness is at the edge of stability",
    )
