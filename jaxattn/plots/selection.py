"""What a figure draws of a result: one setting of what was swept, some paradigms, one save."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from jaxattn.analysis.measures import spec_in, title_of
from jaxattn.analysis.subject import is_of_attention, problem_word, solved_dynamics, unspoken_axes
from jaxattn.analysis.wording import setting_words
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.lookup import resolve
from jaxattn.plots.canvas import as_written
from jaxattn.plots.frame import label_of, words_of
from jaxattn.plots.style import TEXT, Style, style_among, style_of
from jaxattn.results.dataset import spec_of

__all__ = [
    "AXES",
    "Moment",
    "Setting",
    "as_result",
    "choose",
    "moment",
    "name_paradigms",
    "names_of",
    "require",
]

AXES = ("step", "time", "gradients")
"""What training can be drawn against."""

_ROW = ("paradigm", "dynamics", "seed")
_FEW = 4
"""Paradigms whose names and rules fit side by side below an axis."""


class Setting(NamedTuple):
    """A result at one point of its swept hyperparameters; each of these is a scalar in `ds`."""

    ds: xr.Dataset
    at: Mapping[str, Any]
    """The hyperparameters that titles name."""
    paradigms: tuple[str, ...]
    """Those to draw."""
    split: str
    """Empty where the result has none."""
    inference: str | None
    """The inference rule of all paradigms; None: each answers by its own."""

    @property
    def split_words(self) -> str:
        """``test split``; "" where the result has none."""
        return f"{self.split} split" if self.split else ""

    def style(self, paradigm: str) -> Style:
        """The style of a paradigm, whichever of the result's paradigms are drawn."""
        every = [*(spec_of(self.ds).get("paradigms") or []), *names_of(self.ds, "paradigm")]
        names = list(dict.fromkeys(every))
        return (
            style_of(paradigm, names)
            if is_of_attention(self.ds)
            else style_among(names.index(paradigm))
        )

    @property
    def run(self) -> str:
        """The dynamics that figures of one alone show: training, or a flow that is alone."""
        # Of attention, a selection of flows beside training is refused, as figures say training.
        alone = "step" not in self.ds.coords or not is_of_attention(self.ds)
        return (alone and solved_dynamics(self.ds)) or "train"

    def axis(self, wanted: str | None) -> str:
        """An axis along the saves; by default step, or time where nothing was trained.

        Raises:
            InputError: not one that the result has.
        """
        present = [name for name in AXES if name in self.ds.coords]
        if wanted is None:
            return "step" if "step" in present else "time"
        resolve("axis", dict.fromkeys(present), wanted)
        return wanted

    def along(self, axis: str, paradigm: str = "", dynamics: str = "train") -> np.ndarray:
        """Steps, times or gradients of the saves, ``[save]``."""
        at = {"paradigm": paradigm, "dynamics": dynamics}
        values = self.ds[axis]
        return values.sel({name: of for name, of in at.items() if name in values.dims}).values

    def label(self, name: str) -> str:
        """What a variable or a coordinate is called on an axis, with its unit."""
        attributes = self.ds[name].attrs
        if name in self.ds.data_vars and not is_of_attention(self.ds):
            attributes = {**attributes, "long_name": title_of(spec_in(self.ds, name))}
        return label_of(attributes, name)

    def rule(self, paradigm: str) -> str:
        """The inference rule by which a paradigm answers."""
        return self.inference or str(self.ds["natural_inference"].sel(paradigm=paradigm).item())

    def by_own_rules(self, measure: str) -> bool:
        """Whether a measure is drawn of each paradigm by an inference rule of its own."""
        return not self.inference and "inference" in self.ds[measure].dims

    def names(self, measure: str, between: str = " ") -> dict[str, str]:
        """What paradigms are called: ``soft (average-input)``, where each answers by its own."""
        own = self.by_own_rules(measure)
        return {
            name: f"{name}{between}({self.rule(name)})" if own else name for name in self.paradigms
        }

    def title_words(self, *more: str) -> str:
        """What a title begins with: the task, the setting, and `more`."""
        return _listed(str(spec_of(self.ds).get("task", "")), setting_words(self.at), *more)

    def measured_words(self, measure: str, *more: str) -> str:
        """`title_words` of a figure of one measure, with its split and inference rule."""
        dims = self.ds[measure].dims
        split = self.split_words if "split" in dims else ""
        rule = f"answers by {self.inference}" if self.inference and "inference" in dims else ""
        return self.title_words(split, rule, *more)

    def run_words(self, *more: str) -> str:
        """What a caption begins with: what was run, as far as the result says, and `more`."""
        spec = spec_of(self.ds)
        parts = [str(spec[name]) for name in ("task", "model", "optimiser") if spec.get(name)]
        if spec.get("schedule") not in (None, "constant"):
            parts.append(f"{spec['schedule']} schedule")
        if "batch_size" in spec:
            size = spec["batch_size"]
            order = f", {spec['order']}" if "order" in spec else ""
            parts.append("full batch" if size is None else f"batches of {size}{order}")
        return _listed(*parts, setting_words(self.at), *more)

    def clock_words(self) -> str:
        """What time is, where it is more than time."""
        clock = words_of(self.ds["time"].attrs, "time")
        return "" if clock == "time" else clock


class Moment(NamedTuple):
    """One save of a setting, and what to call it."""

    save: int
    words: str


def choose(
    ds: xr.Dataset,
    learning_rate: float | None = None,
    paradigms: Sequence[str] | None = None,
    split: str | None = None,
    inference: str | None = None,
    first: str = "test",
) -> Setting:
    """One setting of a result, and what of it to draw.

    Args:
        ds: what `jaxattn.compare` or `jaxattn.open` returned, or a selection of it.
        learning_rate: one of the result's. By default the largest at which training of every
            paradigm has a finished seed, or of as many as there are where none has all.
        paradigms: some of the result's; by default all.
        split: one of the result's; by default `first` where it has that.
        inference: an inference rule for all; by default each paradigm's own.
        first: the split that is drawn by default.

    Raises:
        InputError: not a result, or it has no such learning rate, paradigm or split.
    """
    ds = as_result(ds)
    present = names_of(ds, "paradigm")
    drawn = tuple(present if paradigms is None else paradigms)
    for name in drawn:
        resolve("paradigm", dict.fromkeys(present), name)
    swept = [str(dim) for dim in ds["status"].dims if dim not in _ROW]
    ds = ds.isel({name: 0 for name in swept if name != "learning_rate"})
    if "learning_rate" in swept:
        ds = ds.isel(learning_rate=_rate_index(ds, learning_rate))
    elif learning_rate is not None:
        there = "learning_rate" in ds.coords
        _index_of(np.atleast_1d(ds["learning_rate"].values if there else []), learning_rate)
    spec = spec_of(ds)
    listed = (name for name, value in (spec.get("hypers") or {}).items() if isinstance(value, list))
    # Scalars that were axes of the run, also those that were selected before this.
    named = dict.fromkeys(["learning_rate", *swept, *listed, *(spec.get("axes") or {})])
    told = [name for name in named if name in ds.coords and name not in unspoken_axes(ds)]
    at = {name: ds[name].item() for name in told if ds[name].ndim == 0}
    splits = names_of(ds, "split")
    if split is not None:
        resolve("split", dict.fromkeys(splits), split)
    else:
        split = first if first in splits else (*splits, "")[0]
    return Setting(ds, at, drawn, split, inference)


def as_result(ds: xr.Dataset) -> xr.Dataset:
    """A result whose rows have all their axes, whichever were taken away by a selection.

    Raises:
        InputError: not a result.
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
    return ds


def require(ds: xr.Dataset, who: str, experiment: str, *needed: str) -> None:
    """Refuse what is no result of an experiment.

    Args:
        ds: what is to be drawn.
        who: the figure.
        experiment: by name.
        needed: variables or coordinates that its results have.

    Raises:
        InputError: one of these is missing.
    """
    if missing := [name for name in needed if name not in ds.variables]:
        raise InputError(
            f"{who}: got a result without {', '.join(missing)}, expected one of jaxattn reproduce "
            f"{experiment}."
        )


def _rate_index(ds: xr.Dataset, learning_rate: float | None) -> int:
    rates = ds["learning_rate"].values
    if learning_rate is not None:
        return _index_of(rates, learning_rate)
    order = np.argsort(rates)[::-1]
    if "train" not in names_of(ds, "dynamics"):
        return int(order[0])
    done = Status.ended_well(ds["status"].sel(dynamics="train"))
    usable = done.any("seed").sum("paradigm").values
    return int(next(index for index in order if usable[index] == usable.max()))


def _index_of(rates: np.ndarray, learning_rate: float) -> int:
    (places,) = np.nonzero(np.isclose(rates, learning_rate, rtol=1e-6, atol=0.0))
    if not places.size:
        known = ", ".join(f"{rate:g}" for rate in rates)
        raise InputError(
            f"learning_rate: got {learning_rate:g}, expected one of {known}; pick one of these or "
            "run the comparison at it."
        )
    return int(places[0])


def names_of(ds: xr.Dataset, axis: str) -> list[str]:
    """The labels along an axis that has names, as strings; one if it was selected."""
    return [str(name) for name in np.atleast_1d(ds[axis].values)] if axis in ds.coords else []


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def name_paradigms(ax: Axes, setting: Setting, measure: str) -> None:
    """The paradigms at 0, 1, 2, ... of the x axis, and nothing else there."""
    whole = setting.names(measure, "\n").values()
    # Of many, a rule's name is broken too, or it runs into the next.
    broken = (name.replace("-", "-\n") if len(whole) > _FEW else name for name in whole)
    names = ["\n".join(map(as_written, name.split("\n"))) for name in broken]
    ax.set_xticks(range(len(names)), names, fontsize=TEXT)
    ax.tick_params(axis="x", length=0, labelcolor="black")
    ax.grid(False, axis="x")
    ax.set_xlim(-0.6, len(names) - 0.4)
    own = setting.by_own_rules(measure)
    word = problem_word(setting.ds)
    ax.set_xlabel(f"{word} (how it answers)" if own else word, fontsize=TEXT)


def moment(setting: Setting, axis: str | None = None, at: float | None = None) -> Moment:
    """The save at `at` on an axis of `Setting.axis`; by default the last.

    Raises:
        InputError: no such axis, or nothing was saved there.
    """
    axis = setting.axis(axis)
    saved = setting.ds[axis].values
    if at is None:
        return Moment(saved.size - 1, f"at the end, {axis} {saved[-1]:g}")
    places = np.flatnonzero(np.isclose(saved, at, rtol=1e-6, atol=0.0))
    if not places.size:
        nearest = np.sort(saved[np.argsort(abs(saved - at))[:2]])
        near = " or ".join(f"{value:g}" for value in nearest)
        raise InputError(
            f"at: got {axis} {at:g}, expected one that was saved, such as {near}; pick one of "
            f'ds["{axis}"] or run the comparison with a save there.'
        )
    return Moment(int(places[0]), f"at {axis} {saved[places[0]]:g}")
