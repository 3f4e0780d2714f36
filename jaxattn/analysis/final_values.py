"""What is compared: a measure of training, of every row that finished."""

import numpy as np
import xarray as xr

from jaxattn.analysis.measures import Compared
from jaxattn.analysis.subject import is_trained
from jaxattn.core.contracts import InputError, Status
from jaxattn.results.stopped_rows import hold_last, known_until

__all__ = ["checked_split", "end_times", "final_values", "values_over_time"]


def checked_split(ds: xr.Dataset, split: str | None, confidence: float) -> str:
    """The split to judge on: the one asked for, or test, or train where there is no test.

    Raises:
        InputError: not a result of training, no such split, or no such confidence.
    """
    # Without a measure of any split there is none to choose.
    wanted = {"paradigm", "dynamics", "seed", "save", *({"split"} if "split" in ds.coords else ())}
    known = wanted <= set(ds.dims) and "learning_rate" in ds.coords
    if not known:
        raise InputError("statistics: expected a result of jaxattn.compare or jaxattn.open.")
    if not is_trained(ds):
        raise InputError(
            "statistics: got a result without training, expected runs of it, as verdicts are of "
            "what was trained; findings and summary tell of limits alone."
        )
    splits = [str(name) for name in ds["split"].values] if "split" in ds.coords else ["train"]
    split = split or ("test" if "test" in splits else "train")
    if split not in splits:
        raise InputError(f"split: got {split!r}, expected one of {', '.join(splits)}.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence: got {confidence}, expected a number between 0 and 1.")
    return split


def final_values(ds: xr.Dataset, measure: Compared, split: str) -> xr.DataArray | None:
    """``[paradigm, swept..., seed]``; NaN: the row did not finish, infinite: time not reached."""
    # The last save first, so that a sweep need not read all of them.
    return _of_training(ds, measure, split, "train", {"save": -1})


def values_over_time(
    ds: xr.Dataset, measure: Compared, split: str, dynamics: str = "train"
) -> xr.DataArray | None:
    """``[paradigm, swept..., seed, save]`` of a measure that is no time; NaN as `final_values`."""
    values = _of_training(ds, measure, split, dynamics, {})
    return None if values is None else values.transpose(..., "seed", "save")


def _of_training(
    ds: xr.Dataset, measure: Compared, split: str, dynamics: str, saves: dict[str, int]
) -> xr.DataArray | None:
    """The values of rows that finished, at some of the saves; None where nothing is known."""
    rule = ds["natural_inference"].drop_vars("natural_inference")
    at = {"dynamics": dynamics, "split": split, "inference": rule, **measure.part}

    def chosen(name: str) -> xr.DataArray:
        values = hold_last(ds[name], ds).isel(saves, missing_dims="ignore")
        return values.sel({k: v for k, v in at.items() if k in values.dims})

    if measure.known_by not in ds:
        return None
    values, done = chosen(measure.variable), Status.ended_well(chosen("status"))
    if done.any() and chosen(measure.known_by).where(done).isnull().all():
        return None  # Such as the focus where no foreground is known.
    ended = values.fillna(np.inf) if measure.spec.of else values.where(np.isfinite(values))
    ended = ended.where(done).transpose("paradigm", ..., "seed")
    # A rate that moves together with others is no dimension: it stays as their coordinate.
    stays = {*ended.dims, "learning_rate"}
    ended = ended.drop_vars([name for name in ended.coords if name not in stays])
    return ended.assign_attrs(ds[measure.variable].attrs)


def end_times(ds: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """When the rows of `values` ended, ``[paradigm, swept..., seed]``."""
    ends = known_until(ds.sel(dynamics="train")).reset_coords(drop=True)
    return ends.broadcast_like(values).transpose(*values.dims)
