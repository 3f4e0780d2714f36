"""The finished rows of one setting: a measure of each paradigm, seed by seed."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.lookup import resolve
from jaxattn.plots.selection import Setting, names_of
from jaxattn.results.dataset import ABSENT
from jaxattn.results.stopped_rows import hold_last

__all__ = ["Curves", "curves", "curves_of_all", "paired", "runs", "switch_on"]

_CURVE = ("paradigm", "process", "seed", "save", "split", "inference")
"""Axes that leave one curve a seed once the paradigm, the split and so on are chosen."""


class Curves(NamedTuple):
    """One measure of one paradigm under one process, of the seeds that are done."""

    paradigm: str
    process: str
    seeds: Int[np.ndarray, " seed"]
    values: Float[np.ndarray, "seed save ..."]
    asked: int
    """Seeds that were asked for; those not in `seeds` were left out."""
    missing: tuple[str, ...]
    """How each of the seeds that were left out ended."""

    def quantile(self, share: float) -> Float[np.ndarray, "save ..."]:
        """The quantile over seeds at each save."""
        return np.quantile(self.values, share, axis=0)


def curves(
    setting: Setting,
    measure: str,
    paradigm: str,
    process: str = "train",
    *,
    split: str = "",
    inference: str | None = None,
) -> Curves:
    """One measure of the seeds of one paradigm and process.

    Args:
        setting: from `choose`.
        measure: a variable of the result along ``save``.
        paradigm: one of the setting's.
        process: train, flow, theory. Theory has no seeds: its one row, repeated along them in a
            result, is taken once.
        split: where the measure has splits.
        inference: where the measure has inference rules; by default the paradigm's own.

    Raises:
        InputError: no such measure, process or inference rule, or a measure with a further axis.
    """
    found = runs(setting, measure, paradigm, process, split=split, inference=inference)
    ds = setting.ds
    if further := [str(dim) for dim in ds[measure].dims if dim not in _CURVE]:
        label = ds[further[0]].values.tolist()[0] if further[0] in ds.coords else 0
        raise InputError(
            f"measure: got {measure!r}, which has the axis {further[0]!r}, expected one curve a "
            f"seed; select first: ds.sel({further[0]}={label!r})."
        )
    return found


def runs(
    setting: Setting,
    measure: str,
    paradigm: str,
    process: str = "train",
    *,
    split: str = "",
    inference: str | None = None,
) -> Curves:
    """`curves` of a measure that may have further axes: its values are ``[seed, save, ...]``.

    Raises:
        InputError: no such measure, process or inference rule.
    """
    ds = setting.ds
    along = {str(name): None for name in ds.data_vars if "save" in ds[name].dims}
    resolve("measure", along, measure)
    resolve("process", dict.fromkeys(names_of(ds, "process")), process)
    rows = ds.sel(paradigm=paradigm, process=process)
    values = hold_last(rows[measure], rows)
    if "split" in values.dims:
        values = values.sel(split=split)
    if "inference" in values.dims:
        rule = inference or str(rows["natural_inference"].item())
        resolve("inference rule", dict.fromkeys(names_of(ds, "inference")), rule)
        values = values.sel(inference=rule)
    status = rows["status"].values.astype(int)
    asked = np.flatnonzero(status != ABSENT)[: 1 if process == "theory" else None]
    done = asked[Status.ended_well(status[asked])]
    words = _endings(ds)
    return Curves(
        paradigm,
        process,
        np.asarray(ds["seed"].values[done]),
        values.transpose("seed", "save", ...).values[done].astype(float),
        asked.size,
        tuple(words.get(code, str(code)) for code in status[asked] if not Status.ended_well(code)),
    )


def curves_of_all(setting: Setting, measure: str, **options: Any) -> list[Curves]:
    """`curves` of each paradigm to draw."""
    return [curves(setting, measure, paradigm, **options) for paradigm in setting.paradigms]


def paired(train: Curves, flow: Curves) -> tuple[Curves, Curves]:
    """Both with the seeds alone that are done in both, out of those whose flow was asked for."""
    both = np.intersect1d(train.seeds, flow.seeds)
    lost = flow.asked - len(flow.missing) - both.size
    missing = (*flow.missing, *["without training"] * lost)

    def only(one: Curves) -> Curves:
        at = np.isin(one.seeds, both)
        return one._replace(seeds=one.seeds[at], values=one.values[at])

    return only(train), only(flow)._replace(missing=missing)


def _endings(ds: xr.Dataset) -> dict[int, str]:
    """Words for the codes of ``status``, from its own attributes."""
    attributes = ds["status"].attrs
    words = str(attributes.get("flag_meanings", "")).split()
    told = zip(np.atleast_1d(attributes.get("flag_values", [])), words, strict=False)
    known = {int(status): status.name.lower() for status in Status}
    known = known | {int(code): word for code, word in told}
    spoken = {code: word.replace("_", " ") for code, word in known.items()}
    return {**spoken, int(Status.RUNNING): "not run yet"}


def switch_on(setting: Setting, axis: str, drawn: Iterable[Curves]) -> float | None:
    """Where on `axis` the hybrid switches; None if none is drawn, or it switches outside."""
    ds = setting.ds
    there = any(one.paradigm == "hybrid" and len(one.seeds) for one in drawn)
    if not there or "switch_time" not in ds.coords:
        return None
    switch, time = float(ds["switch_time"].item()), ds["time"].values
    if not time[0] <= switch <= time[-1]:
        return None
    return float(np.interp(switch, time, ds[axis].values))
