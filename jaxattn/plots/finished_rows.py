"""The finished rows of one setting: a measure of each paradigm, seed by seed, and how many."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from jaxattn.core.contracts import InputError, Status
from jaxattn.core.lookup import resolve
from jaxattn.plots.selection import Setting, names_of
from jaxattn.results.dataset import ABSENT
from jaxattn.results.stopped_rows import hold_last

__all__ = ["Curves", "curves", "left_out", "paired", "runs", "seeds_words", "unknown_words"]

_CURVE = ("paradigm", "dynamics", "seed", "save", "split", "inference")
"""Axes that leave one curve a seed once the paradigm, the split and so on are chosen."""


class Curves(NamedTuple):
    """One measure of one paradigm under one kind of dynamics, of the seeds that are done."""

    paradigm: str
    dynamics: str
    seeds: Int[np.ndarray, " seed"]
    values: Float[np.ndarray, "seed save ..."]
    asked: int
    """Seeds that were asked for; those not in `seeds` were left out."""
    missing: tuple[str, ...]
    """How each of the seeds that were left out ended."""

    def quantile(self, share: float) -> Float[np.ndarray, "save ..."]:
        """The quantile over seeds at each save."""
        return np.quantile(self.values, share, axis=0)


def curves(setting: Setting, measure: str, paradigm: str, dynamics: str = "train") -> Curves:
    """`runs` of a measure that has one value a seed and save.

    Raises:
        InputError: as for `runs`, or a measure with a further axis.
    """
    rows = runs(setting, measure, paradigm, dynamics)
    ds = setting.ds
    if further := [str(dim) for dim in ds[measure].dims if dim not in _CURVE]:
        label = ds[further[0]].values.tolist()[0] if further[0] in ds.coords else 0
        raise InputError(
            f"measure: got {measure!r}, which has the axis {further[0]!r}, expected one curve a "
            f"seed; select first: ds.sel({further[0]}={label!r})."
        )
    return rows


def runs(setting: Setting, measure: str, paradigm: str, dynamics: str = "train") -> Curves:
    """One measure of the seeds of one paradigm and dynamics, ``[seed, save, ...]``.

    Args:
        setting: from `choose`; its split and inference rule are taken, where the measure has any.
        measure: a variable of the result along ``save``.
        paradigm: one of the setting's.
        dynamics: train, flow, theory. Theory has no seeds: its one row, repeated along them in a
            result, is taken once.

    Raises:
        InputError: no such measure, dynamics or inference rule.
    """
    ds = setting.ds
    along = {str(name): None for name in ds.data_vars if "save" in ds[name].dims}
    resolve("measure", along, measure)
    resolve("dynamics", dict.fromkeys(names_of(ds, "dynamics")), dynamics)
    rows = ds.sel(paradigm=paradigm, dynamics=dynamics)
    values = hold_last(rows[measure], rows)
    if "split" in values.dims:
        values = values.sel(split=setting.split)
    if "inference" in values.dims:
        rule = setting.rule(paradigm)
        resolve("inference rule", dict.fromkeys(names_of(ds, "inference")), rule)
        values = values.sel(inference=rule)
    status = rows["status"].values.astype(int)
    asked = np.flatnonzero(status != ABSENT)[: 1 if dynamics == "theory" else None]
    done = asked[Status.ended_well(status[asked])]
    words = _endings(ds)
    return Curves(
        paradigm,
        dynamics,
        np.asarray(ds["seed"].values[done]),
        values.transpose("seed", "save", ...).values[done].astype(float),
        asked.size,
        tuple(words.get(code, str(code)) for code in status[asked] if not Status.ended_well(code)),
    )


def paired(train: Curves, flow: Curves) -> tuple[Curves, Curves]:
    """Both with the seeds alone that are done in both, out of those whose flow was asked for."""
    both = np.intersect1d(train.seeds, flow.seeds)
    lost = flow.asked - len(flow.missing) - both.size
    missing = (*flow.missing, *["without training"] * lost)

    def only(curve: Curves) -> Curves:
        at = np.isin(curve.seeds, both)
        return curve._replace(seeds=curve.seeds[at], values=curve.values[at])

    return only(train), only(flow)._replace(missing=missing)


def _endings(ds: xr.Dataset) -> dict[int, str]:
    """Words for the codes of ``status``, from its own attributes."""
    attributes = ds["status"].attrs
    words = str(attributes.get("flag_meanings", "")).split()
    own = zip(np.atleast_1d(attributes.get("flag_values", [])), words, strict=False)
    known = {int(status): status.name.lower() for status in Status}
    known = known | {int(code): word for code, word in own}
    spoken = {code: word.replace("_", " ") for code, word in known.items()}
    return {**spoken, int(Status.RUNNING): "not run yet"}


def left_out(drawn: Sequence[Curves]) -> str:
    """How many runs are not drawn and how they ended; "" where all are."""
    counts = Counter(ending for curve in drawn for ending in curve.missing)
    if not counts:
        return ""
    endings = ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items()))
    return f"left out {counts.total()} of {sum(curve.asked for curve in drawn)} runs: {endings}"


def unknown_words(drawn: Sequence[Curves], save: int | slice = slice(None)) -> str:
    """That there is nothing to see, where no value is a number at this save; else ""."""
    known = any(np.isfinite(curve.values[:, save]).any() for curve in drawn)
    return "" if known else "nothing to see: no values, or NaN throughout"


def seeds_words(drawn: Sequence[Curves]) -> str:
    """How many seeds are behind the curves: "8 seeds", or "6 to 8 seeds"."""
    counts = [len(curve.seeds) for curve in drawn if len(curve.seeds)] or [0]
    low, high = min(counts), max(counts)
    return (f"{low} seed" if low == high else f"{low} to {high} seed") + "s" * (high != 1)
