"""A sweep watched in TensorBoard: scalars, chunk by chunk, in the sweep's own directory."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.analysis.measures import watched_in
from jaxattn.core.contracts import Status
from jaxattn.core.errors import needs_extra
from jaxattn.core.text import file_name
from jaxattn.engine.progress import Written
from jaxattn.problems.result_measures import OBJECTIVE
from jaxattn.results.files import RESULTS
from jaxattn.results.stopped_rows import hold_last

__all__ = ["SCALARS", "scalars_into"]

SCALARS = "tensorboard"

_FLUSH = 10
"""Seconds until what was said is on disk."""


@contextmanager
def scalars_into(folder: Path) -> Iterator[Callable[[Written], None]]:
    """A listener that writes scalars of each chunk to ``tensorboard/`` in a sweep's directory.

    Against the runs that are done: ``sweep/done``, ``sweep/failed``, ``sweep/runs_per_second`` of
    this command, and by dynamics and paradigm the means over the finished runs of the chunk, at
    their end: ``objective/train_soft``, and each measure that a reader asks for first, of each
    split, under the paradigm's own inference rule: ``attention_foreground_test/train_soft`` and
    ``accuracy_test/train_soft`` (in per cent), where the sweep keeps them.

    Args:
        folder: the sweep's directory. Nothing is written there before the first chunk.

    Raises:
        InputError: the extra ``tensorboard`` is not installed.
    """
    with needs_extra("--tensorboard", "tensorboard"):
        from tensorboardX import SummaryWriter
    opened: dict[str, Any] = {}

    def on_chunk(written: Written) -> None:
        if not opened:
            opened["labels"] = _labels(folder)
            opened["writer"] = SummaryWriter(
                str(folder / SCALARS), flush_secs=_FLUSH, filename_suffix=f".{os.getpid()}"
            )
        for tag, value in _scalars(written, opened["labels"]):
            opened["writer"].add_scalar(tag, value, written.done)

    try:
        yield on_chunk
    finally:
        if opened:
            opened["writer"].close()


def _labels(folder: Path) -> xr.Dataset:
    """Coordinates of the sweep, which its chunks do not repeat."""
    with xr.open_dataset(folder / RESULTS, engine="h5netcdf") as ds:
        return ds.drop_vars(list(ds.data_vars)).load()


def _scalars(written: Written, labels: xr.Dataset) -> Iterator[tuple[str, float]]:
    yield "sweep/done", written.done
    yield "sweep/failed", written.failed
    yield "sweep/runs_per_second", written.rate
    group = written.group
    whose = file_name(f"{group.dynamics}_{group.paradigm}")
    with xr.open_dataset(io.BytesIO(written.content), engine="h5netcdf") as chunk:
        ds = chunk.assign_coords(step=labels["step"])
        well = np.flatnonzero(Status.ended_well(ds["status"].values))
        if not well.size:
            return

        def ends(name: str) -> xr.DataArray:
            return hold_last(ds[name], ds).isel(save=-1, row=well).mean("row")

        if OBJECTIVE.name in ds:
            yield f"{OBJECTIVE.name}/{whose}", float(ends(OBJECTIVE.name))
        rules = labels["inference"].values.tolist()
        own = rules.index(labels["natural_inference"].sel(paradigm=group.paradigm).item())
        for name in watched_in(ds):
            at_end = ends(name)
            at_end = at_end.isel(inference=own) if "inference" in at_end.dims else at_end
            for split, value in zip(labels["split"].values, at_end.values, strict=True):
                yield f"{name}_{file_name(str(split))}/{whose}", float(value)
