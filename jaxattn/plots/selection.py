"""What a figure draws: the finished rows of one setting, taken from a result by its labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from jaxattn.analysis import wording
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.lookup import resolve
from jaxattn.plots.style import Style, style_of
from jaxattn.results.files import ABSENT, spec_of
from jaxattn.results.stopped_rows import held

__all__ = [
    "AXES",
    "Curves",
    "Moment",
    "Setting",
    "choose",
    "curves",
    "curves_of_all",
    "left_out",
    "moment",
    "names_of",
    "paired",
    "run_words",
    "runs",
    "seeds_words",
    "setting_words",
    "split_of",
    "style_in",
    "switch_on",
]

AXES = ("step", "time", "gradients")
"""What training can be drawn against."""

_ROW = ("paradigm", "process", "seed")
_CURVE = (*_ROW, "save", "split", "inference")
"""Axes that leave one curve a seed once the paradigm, the split and so on are chosen."""


class Setting(NamedTuple):
    """A result at one point of its swept hyperparameters; each of these is a scalar in `ds`."""

    ds: xr.Dataset
    words: str
    paradigms: tuple[str, ...]
    """Those to draw."""


class Moment(NamedTuple):
    """One save of a setting, and what to call it."""

    save: int
    words: str


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


def choose(
    ds: xr.Dataset, learning_rate: float | None = None, paradigms: Sequence[str] | None = None
) -> Setting:
    """One setting of a result, and which paradigms of it to draw.

    Args:
        ds: what `jaxattn.compare` or `jaxattn.open` returned, or a selection of it.
        learning_rate: one of the result's. By default the largest at which training of every
            paradigm has a finished seed, or of as many as there are where none has all.
        paradigms: some of the result's; by default all.

    Raises:
        InputError: not a result, or it has no such learning rate or paradigm.
    """
    if "status" not in ds or not {*_ROW, "save", "natural_inference"} <= {*ds.dims, *ds.coords}:
        raise InputError(
            "plots: got a Dataset that is no jaxattn result, expected what jaxattn.compare or "
            "jaxattn.open returns."
        )
    for name in _ROW:
        if name not in ds["status"].dims:
            ds = ds.expand_dims(name)
    if ds["natural_inference"].ndim == 0:
        ds = ds.assign_coords(natural_inference=("paradigm", [ds["natural_inference"].item()]))
    present = names_of(ds, "paradigm")
    asked = tuple(present if paradigms is None else paradigms)
    for name in asked:
        resolve("paradigm", dict.fromkeys(present), name)
    swept = [str(dim) for dim in ds["status"].dims if dim not in _ROW]
    ds = ds.isel({name: 0 for name in swept if name != "learning_rate"})
    if "learning_rate" in swept:
        ds = ds.isel(learning_rate=_rate_index(ds, learning_rate))
    elif learning_rate is not None:
        _index_of(np.atleast_1d(ds["learning_rate"].values), learning_rate)
    # Scalars that were axes of the run, also those that were selected before this.
    named = dict.fromkeys(["learning_rate", *swept, *_axes_of_run(ds)])
    at = {name: ds[name].item() for name in named if name in ds.coords and ds[name].ndim == 0}
    return Setting(ds, wording.setting_words(at), asked)


def _rate_index(ds: xr.Dataset, learning_rate: float | None) -> int:
    rates = ds["learning_rate"].values
    if learning_rate is not None:
        return _index_of(rates, learning_rate)
    order = np.argsort(rates)[::-1]
    if "train" not in names_of(ds, "process"):
        return int(order[0])
    done = Status.ended_well(ds["status"].sel(process="train"))
    usable = done.any("seed").sum("paradigm").values
    return int(next(index for index in order if usable[index] == usable.max()))


def _index_of(rates: np.ndarray, learning_rate: float) -> int:
    (found,) = np.nonzero(np.isclose(rates, learning_rate, rtol=1e-6, atol=0.0))
    if not found.size:
        there = ", ".join(f"{rate:g}" for rate in rates)
        raise InputError(
            f"learning_rate: got {learning_rate:g}, expected one of {there}; pick one of these or "
            "run the comparison at it."
        )
    return int(found[0])


def names_of(ds: xr.Dataset, axis: str) -> list[str]:
    """The labels along an axis that has names, as strings; one if it was selected."""
    return [str(name) for name in np.atleast_1d(ds[axis].values)] if axis in ds.coords else []


def _axes_of_run(ds: xr.Dataset) -> list[str]:
    spec = spec_of(ds)
    hypers = dict(spec.get("hypers") or {})
    swept = [name for name, value in hypers.items() if isinstance(value, list)]
    return [*swept, *(spec.get("axes") or {})]


def style_in(setting: Setting, paradigm: str) -> Style:
    """The style of a paradigm in a result, whichever of its paradigms are drawn."""
    every = [*(spec_of(setting.ds).get("paradigms") or []), *names_of(setting.ds, "paradigm")]
    return style_of(paradigm, list(dict.fromkeys(every)))


def split_of(ds: xr.Dataset, split: str | None, first: str = "test") -> str:
    """The split asked for; by default `first` where the result has it; "" where it has none.

    Raises:
        InputError: no such split.
    """
    there = names_of(ds, "split")
    if split is not None:
        resolve("split", dict.fromkeys(there), split)
        return split
    return first if first in there or not there else there[0]


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
    values = held(rows[measure], rows)
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


def moment(setting: Setting, axis: str = "step", at: float | None = None) -> Moment:
    """The save at `at` on an axis of `AXES`; by default the last.

    Raises:
        InputError: no such axis, or nothing was saved there.
    """
    resolve("axis", dict.fromkeys(AXES), axis)
    saved = setting.ds[axis].values
    if at is None:
        return Moment(saved.size - 1, f"at the end, {axis} {saved[-1]:g}")
    found = np.flatnonzero(np.isclose(saved, at, rtol=1e-6, atol=0.0))
    if not found.size:
        nearest = np.sort(saved[np.argsort(abs(saved - at))[:2]])
        near = " or ".join(f"{value:g}" for value in nearest)
        raise InputError(
            f"at: got {axis} {at:g}, expected one that was saved, such as {near}; pick one of "
            f'ds["{axis}"] or run the comparison with a save there.'
        )
    return Moment(int(found[0]), f"at {axis} {saved[found[0]]:g}")


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


def left_out(drawn: Iterable[Curves]) -> str:
    """How many runs are not drawn and how they ended; "" where all are."""
    drawn = list(drawn)
    counts = Counter(ending for one in drawn for ending in one.missing)
    if not counts:
        return ""
    endings = ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items()))
    return f"left out {counts.total()} of {sum(one.asked for one in drawn)} runs: {endings}"


def seeds_words(drawn: Iterable[Curves]) -> str:
    """How many seeds are behind the curves: "8 seeds", or "6 to 8 seeds"."""
    counts = [len(one.seeds) for one in drawn if len(one.seeds)] or [0]
    low, high = min(counts), max(counts)
    return (f"{low} seed" if low == high else f"{low} to {high} seed") + "s" * (high != 1)


def setting_words(setting: Setting, *more: str) -> str:
    """What a title begins with: the task, the setting, and `more`."""
    task = str(spec_of(setting.ds).get("task", ""))
    return ", ".join(part for part in (task, setting.words, *more) if part)


def run_words(setting: Setting, *more: str) -> str:
    """What a caption begins with: what was run, as far as the result says, and `more`."""
    spec = spec_of(setting.ds)
    parts = [str(spec[name]) for name in ("task", "model", "optimiser") if spec.get(name)]
    if spec.get("schedule") not in (None, "constant"):
        parts.append(f"{spec['schedule']} schedule")
    if "batch_size" in spec:
        size = spec["batch_size"]
        order = f", {spec['order']}" if "order" in spec else ""
        parts.append("full batch" if size is None else f"batches of {size}{order}")
    return ", ".join(part for part in (*parts, setting.words, *more) if part)


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
