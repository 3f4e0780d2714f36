"""The estimators that are compared: a paradigm that samples, at one value of what it reads."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import xarray as xr

__all__ = ["EXACT", "Estimator", "estimators", "estimators_of"]

EXACT = "hard"
"""The exact expectation, which all of them estimate."""


class Estimator(NamedTuple):
    """One of them."""

    label: str
    paradigm: str
    at: dict[str, float]
    """What it reads, where several values of it are compared."""

    @property
    def has_baseline(self) -> bool:
        """Whether it is REINFORCE with a baseline that moves."""
        return self.at.get("baseline_decay", 1.0) < 1

    def of(self, values: xr.DataArray | xr.Dataset) -> Any:
        """Its runs, without the axes of what it reads."""
        places = {axis: 0 for axis in ("baseline_decay", "gumbel_temperature")}
        chosen = values.sel({"paradigm": self.paradigm, **self.at})
        return chosen.isel({axis: at for axis, at in places.items() if axis in chosen.dims})


def estimators(decays: Iterable[float], temperatures: Iterable[float]) -> list[Estimator]:
    """REINFORCE at these decays of its baseline, straight-through, Gumbel-softmax at these."""
    return [
        *(_reinforce(float(decay)) for decay in decays),
        Estimator("straight-through", "straight-through", {}),
        *(_gumbel(float(temperature)) for temperature in temperatures),
    ]


def estimators_of(ds: xr.Dataset) -> list[Estimator]:
    """Those of a result."""
    return estimators(ds["baseline_decay"].values, ds["gumbel_temperature"].values)


def _reinforce(decay: float) -> Estimator:
    label = "reinforce, no baseline" if decay == 1 else f"reinforce, decay {decay:g}"
    return Estimator(label, "reinforce", {"baseline_decay": decay})


def _gumbel(temperature: float) -> Estimator:
    label = f"gumbel-softmax at {temperature:g}"
    return Estimator(label, "gumbel-softmax", {"gumbel_temperature": temperature})
