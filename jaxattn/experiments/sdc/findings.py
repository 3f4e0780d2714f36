"""Selective dependence classification in numbers and in sentences, from its Dataset alone."""

import numpy as np
import xarray as xr

from jaxattn.analysis.best_rates import best_of_rates
from jaxattn.analysis.findings import findings as answered
from jaxattn.core.contracts import Status
from jaxattn.experiments.sdc.published import published
from jaxattn.experiments.wording import Line, band_of
from jaxattn.problems.measures import CELLS
from jaxattn.results.dataset import spec_of

__all__ = ["at_best_rate", "findings", "numbers"]


def at_best_rate(ds: xr.Dataset) -> xr.Dataset:
    """The last save of every paradigm and length at its best rate, without an axis of rates.

    Rows that did not end well are NaN.
    """
    trained = ds.sel(dynamics="train").isel(save=-1)
    done = trained["status"] == Status.DONE
    kept = trained[["error_cell", "accuracy"]].where(done)
    best = best_of_rates(ds)
    assert best is not None
    return kept.isel(learning_rate=best["index"])


def numbers(ds: xr.Dataset) -> list[Line]:
    """One line for each length, paradigm, set of mosaics and rule of inference, at the last step.

    Median and `BAND` over the seeds that finished of the four cells, in percent, at the paradigm's
    best learning rate by validation; ``own`` marks the paradigm's own rule. Then what was published
    of the same images, which is another protocol.
    """
    ends = at_best_rate(ds)
    lines = [
        _line(ends.sel(segments=length, paradigm=name, split=split, inference=rule))
        for length in ds["segments"].values
        for name in ds["paradigm"].values
        for split in ds["split"].values
        for rule in ds["inference"].values
        if split != "validation"
    ]
    return lines + published(task_of(ds))


def task_of(ds: xr.Dataset) -> str:
    """The name of the task that was learnt."""
    return str(spec_of(ds)["task"])


def _line(at: xr.Dataset) -> Line:
    cells = at["error_cell"].transpose("seed", "cell").values
    cells = cells[np.isfinite(cells).all(axis=1)]
    rule = str(at["inference"].values)
    return {
        "source": "this run",
        "segments": int(at["segments"]),
        "paradigm": str(at["paradigm"].values),
        "split": str(at["split"].values),
        "inference": rule,
        "own": rule == str(at["natural_inference"].values),
        "learning_rate": float(at["learning_rate"]),
        "seeds": len(cells),
    } | {name: band_of(cells[:, place]) for place, name in enumerate(CELLS)}


def findings(ds: xr.Dataset) -> list[str]:
    """Each question of a comparison answered at each length, as `jaxattn.findings` does."""
    said = answered(ds)
    return [f"{each.setting}: {each.text}" if each.setting else each.text for each in said]
