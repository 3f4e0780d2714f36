"""What an experiment is: sizes to run it at, how it is run, and what is said and drawn of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import ArrayLike

from jaxattn.core.contracts import Status
from jaxattn.plots import Drawing
from jaxattn.run.compare import Progress
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.study.spec import Spec

__all__ = ["SCALES", "Experiment", "Listeners", "Tally"]

SCALES = ("smoke", "small", "paper")
"""Under a minute on two CPU cores, compilation included; an honest version for a CPU, of minutes;
the published size."""


class Listeners(NamedTuple):
    """Who hears of a running experiment: progress by chunk, results by part, and a stopwatch."""

    on_progress: Callable[[Progress], None]
    keep: Callable[[xr.Dataset], None]
    watch: Stopwatch
    chunks: Path | None = None
    """Where an experiment that is made of sweeps keeps theirs; it goes on from what is there."""


@dataclass
class Tally:
    """How many rows of a running experiment are done and failed, told of as they end."""

    to: Listeners
    dynamics: str
    total: int
    done: int = 0
    failed: int = 0

    def add(self, paradigm: str, status: ArrayLike | xr.DataArray) -> None:
        """Count rows that ended, by the `Status` of each."""
        self.done += np.size(status)
        self.failed += int(np.sum(np.asarray(status) != Status.DONE))
        self.to.on_progress(Progress(paradigm, self.dynamics, self.done, self.total, self.failed))


def _nothing_amiss(config: Any) -> None:
    del config


@dataclass(frozen=True)
class Experiment:
    """A named experiment.

    - ``scales``: for each of `SCALES` a frozen dataclass, with ``seeds`` if there are any
    - ``run(config, listeners) -> Dataset``, with a `Status` for each run in its ``status``
    - ``figures(ds) -> [Drawing]``, in the order a reader should see them
    - ``numbers(ds) -> [{...}]``: the numbers behind the figures, a plain dict a line. In a table
      a dict inside a line becomes columns of its own, ``median``, ``low`` and ``high`` of it (the
      10 to 90 % band over seeds) one column, and a number named like a variable of ``ds`` has that
      variable's unit
    - ``findings(ds) -> [sentence]``, made from the numbers alone
    """

    name: str
    summary: str
    scales: Mapping[str, Any]
    run: Callable[[Any, Listeners], xr.Dataset]
    figures: Callable[[xr.Dataset], Sequence[Drawing]]
    numbers: Callable[[xr.Dataset], list[dict[str, Any]]]
    findings: Callable[[xr.Dataset], list[str]]
    sweeps: Callable[[Any], Mapping[str, Spec]] | None = None
    """``sweeps(config) -> {name: spec}`` of one that is made of sweeps, which go on where they were
    interrupted."""
    check: Callable[[Any], None] = _nothing_amiss
    """``check(config)`` refuses what cannot be run, beside what its sweeps refuse. It is asked
    before an earlier run makes room: data that are not there, say."""
