"""What every run ends with, on held-out mosaics, by its paradigm's own rule of inference."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.results.dataset import spec_of

__all__ = ["COLUMNS", "DIMS", "Column", "ends_of", "task_of"]

DIMS = ("attention", "learning_rate", "seed")


class Column(NamedTuple):
    """A column of the table: in words, its unit, and what counts as no difference."""

    words: str
    unit: str
    delta: float


COLUMNS = {
    "accuracy": Column("accuracy", "%", 1.0),
    "focus": Column("attention on the foreground", "", 0.01),
    "FTPT": Column("right for right reason", "%", 1.0),
    "sparsity": Column("segments with attention", "", 0.1),
    "entropy": Column("entropy", "bit", 0.05),
    "distance": Column("distance from a corner", "", 0.02),
}
"""The predecessor's table (PAPER 6.5), and attention on the foreground."""


def task_of(ds: xr.Dataset) -> str:
    """The name of the task that was learnt."""
    return str(spec_of(ds)["task"])


def ends_of(ds: xr.Dataset) -> xr.Dataset:
    """``[attention, learning_rate, seed]``: the `COLUMNS`. NaN of rows that did not finish."""
    one = ds.sel(dynamics="train", split="test").isel(save=-1, paradigm=0, segments=0)
    one = one.isel(entropy_weight=0, drop=True)
    own = one.sel(inference=str(one["natural_inference"].values))
    found = {
        "accuracy": own["accuracy"],
        "focus": one["attention_foreground"],
        "FTPT": own["error_cell"].sel(cell="FTPT", drop=True),
        "sparsity": one["sparsity"],
        "entropy": one["attention_entropy"] / np.log(2),
        "distance": one["simplex_distance"],
    }
    done = one["status"] == Status.DONE
    kept = {
        name: values.where(done).reset_coords(drop=True).transpose(*DIMS)
        for name, values in found.items()
    }
    return xr.Dataset(kept)
