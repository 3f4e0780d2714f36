"""The experiments by name, and how any of them is reproduced into a directory."""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import xarray as xr

from jaxattn import plots
from jaxattn.comparison import Progress
from jaxattn.contracts import InputError
from jaxattn.experiments.comparing import count_failed, environment
from jaxattn.experiments.departures import DEPARTURES_EXPERIMENT
from jaxattn.experiments.experiment import Experiment, Listeners
from jaxattn.experiments.fixed_focus import FIXED_FOCUS
from jaxattn.names import resolve
from jaxattn.stopwatch import Stopwatch
from jaxattn.store import content_hash, prepare, write_json, write_results

__all__ = ["EXPERIMENTS", "Outcome", "reproduce"]

EXPERIMENTS: Mapping[str, Experiment] = {
    one.name: one for one in (FIXED_FOCUS, DEPARTURES_EXPERIMENT)
}
"""To add one, write an `Experiment` in a file of its own and list it here."""


class Outcome(NamedTuple):
    """What an experiment gave: labelled results, numbers, sentences, and rows that failed."""

    results: xr.Dataset
    numbers: list[dict[str, Any]]
    findings: list[str]
    failed: int


def reproduce(
    name: str | Experiment,
    scale: str,
    folder: Path,
    overwrite: bool,
    tell: Callable[[Progress], None],
    seeds: int | None = None,
) -> Outcome:
    """Run an experiment and write ``results.nc``, ``run.json`` and ``figures/``.

    ``results.nc`` is whole and readable as soon as a part of the experiment is done, whatever
    interrupts the rest.

    Args:
        name: one of `EXPERIMENTS`.
        scale: smoke, small or paper.
        folder: new or empty, unless `overwrite`.
        overwrite: replace what an earlier run wrote there.
        tell: hears where things stand after every chunk.
        seeds: how many, in place of the scale's own.

    Raises:
        InputError: an unknown name or scale, no seeds, seeds for an experiment that draws nothing
            at random, or a folder in use; nothing is written.
    """
    experiment: Experiment = resolve("experiment", EXPERIMENTS, name)
    config = resolve("scale", experiment.scales, scale)
    if seeds is not None:
        if seeds < 1:
            raise InputError(f"seeds: got {seeds}, expected at least 1.")
        if not hasattr(config, "seeds"):
            raise InputError(
                f"seeds: got {seeds}, but {experiment.name} draws nothing at random; leave it out."
            )
        config = replace(config, seeds=seeds)
    watch = Stopwatch()
    prepare(folder, overwrite)
    results = experiment.run(config, Listeners(tell, lambda ds: write_results(ds, folder), watch))
    write_results(results, folder)
    with watch.running("figures"):
        for drawing in experiment.figures(results):
            figure = drawing.draw()
            plots.save(figure, folder / "figures", drawing.name)
            plt.close(figure)
    outcome = Outcome(
        results, experiment.numbers(results), experiment.findings(results), count_failed(results)
    )
    write_json(
        folder / "run.json",
        {
            "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "experiment": experiment.name,
            "scale": scale,
            "config": asdict(config),
            "findings": outcome.findings,
            "rows": int((results["status"] >= 0).sum()),
            "failed": outcome.failed,
            "content_hash": content_hash(results),
            "seconds": watch.seconds,
            **environment(),
        },
    )
    return outcome
