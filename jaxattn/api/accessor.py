"""``ds.jaxattn``: what this package says and draws of a result, found on the result itself.

Importing this module registers it with xarray; every door that makes or opens a result does. What
each method needs is imported when it is called, as most callers of those doors need none of it.
"""

import inspect
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    import pandas as pd

    from jaxattn.analysis.findings import Finding

__all__ = ["Accessor", "Figures"]


@cache
def _figures() -> dict[str, Callable[..., Any]]:
    """The figures of a result by name: the functions of `jaxattn.plots` that first take a `ds`."""
    from jaxattn import plots

    every = {name: getattr(plots, name) for name in plots.__all__}
    return {
        name: figure
        for name, figure in every.items()
        if inspect.isfunction(figure) and next(iter(inspect.signature(figure).parameters)) == "ds"
    }


class Figures:
    """``ds.jaxattn.plot``: each figure of `jaxattn.plots`, drawn of this result."""

    def __init__(self, ds: xr.Dataset) -> None:
        """Nothing is drawn."""
        self._ds = ds

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A figure with all its arguments but the result."""
        if name.startswith("_") or name not in _figures():
            raise AttributeError(f"got {name!r}, expected a figure: {', '.join(_figures())}")
        return partial(_figures()[name], self._ds)

    def __dir__(self) -> list[str]:
        """Names of the figures."""
        return sorted([*super().__dir__(), *_figures()])


@xr.register_dataset_accessor("jaxattn")
class Accessor:
    """``ds.jaxattn`` of a result of `jaxattn.compare` or `jaxattn.open`.

    Every Dataset has it once this is imported; of one that is no result, what is called raises an
    `InputError`.
    """

    def __init__(self, ds: xr.Dataset) -> None:
        """Nothing is looked at."""
        self._ds = ds

    def summary(self, low: float = 0.1, high: float = 0.9) -> "pd.DataFrame":
        """`jaxattn.summary` of this result."""
        from jaxattn.analysis.summary import summary

        return summary(self._ds, low, high)

    def contrasts(self, split: str | None = None, confidence: float = 0.95) -> "pd.DataFrame":
        """Every contrast of every question, judged: `jaxattn.analysis.contrasts.contrasts`."""
        from jaxattn.analysis.contrasts import contrasts

        return contrasts(self._ds, split, confidence)

    def findings(self) -> "list[Finding]":
        """`jaxattn.findings` of this result."""
        from jaxattn.analysis.findings import findings

        return findings(self._ds)

    def report(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """`jaxattn.report` of this result."""
        from jaxattn.api.report import report

        return report(self._ds, folder, overwrite=overwrite)

    @property
    def plot(self) -> Figures:
        """Figures of this result: ``ds.jaxattn.plot.focus()``."""
        return Figures(self._ds)
