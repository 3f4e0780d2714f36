"""What is known of rows that were stopped before their last save: their values at the stop.

A row that converged was stopped because it was good enough. What is read at the end of a run, or
over all rows at some save, counts it with the values that it stopped at. Flows on times of their
own, whose results have no steps, hold them already.
"""

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status

__all__ = ["hold_last", "known_until"]


def hold_last(values: xr.DataArray, ds: xr.Dataset) -> xr.DataArray:
    """`values` in which rows that converged keep those of their stop to the last save.

    What is known after a stop stays: a flow that converged has its values up to the last save, and
    counts other steps than those of training.

    Args:
        values: of `ds`; without ``save`` they are given back as they are.
        ds: says by ``status`` which rows converged, and by ``steps`` where.
    """
    converged = ds["status"] == Status.CONVERGED
    if "save" not in values.dims or "step" not in ds.variables or not converged.any():
        return values
    place = xr.DataArray(np.arange(values.sizes["save"]), dims="save")
    stop = _stops(ds, converged)
    at_stop = values.where(place == stop).max("save")
    kept = values.where((place <= stop) | values.notnull(), at_stop)
    return kept.transpose(*values.dims).assign_attrs(values.attrs)


def known_until(ds: xr.Dataset) -> xr.DataArray:
    """The time up to which each row was watched: that of its stop, or of the last save."""
    converged = ds["status"] == Status.CONVERGED
    end = ds["time"].isel(save=-1).reset_coords(drop=True)
    if "step" not in ds.variables or not converged.any():
        return end.broadcast_like(converged)
    return ds["time_reached"].where(converged, end)


def _stops(ds: xr.Dataset, converged: xr.DataArray) -> xr.DataArray:
    """The place of the last save that each row came to, if it did not fail."""
    place = (ds["step"].reset_coords(drop=True) <= ds["steps"]).sum("save") - 1
    return place.where(converged, ds.sizes["save"] - 1)
