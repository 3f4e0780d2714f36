"""The experiments by name, and how any of them is reproduced into a directory."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from jaxattn.analysis.findings import Finding
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.engine.cost.estimate import SweepCost, cost_of
from jaxattn.engine.directory import SPEC, clear
from jaxattn.engine.run_sweep import check_resumable, ready
from jaxattn.experiments.captions.experiment import CAPTIONS
from jaxattn.experiments.claims.experiment import CLAIMS
from jaxattn.experiments.departures.experiment import DEPARTURES_EXPERIMENT
from jaxattn.experiments.fixed_focus.experiment import FIXED_FOCUS, FIXED_FOCUS_IMAGES
from jaxattn.experiments.heatmaps.experiment import HEATMAPS
from jaxattn.experiments.hybrid.experiment import HYBRID
from jaxattn.experiments.phase.experiment import PHASE
from jaxattn.experiments.rationales.experiment import RATIONALES
from jaxattn.experiments.sampled.experiment import SAMPLED
from jaxattn.experiments.schedule.experiment import SCHEDULE
from jaxattn.experiments.sdc.experiment import SDC
from jaxattn.experiments.sparsity.experiment import SPARSITY
from jaxattn.experiments.switch.experiment import SWITCH
from jaxattn.experiments.theory.experiment import THEORY
from jaxattn.experiments.trap.experiment import TRAP
from jaxattn.reports.compare_into import count_failed, write_run_facts
from jaxattn.reports.comparison import report_into
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.reports.experiment_report import experiment_report_into
from jaxattn.reports.late import after_results
from jaxattn.reports.parts import run_facts
from jaxattn.reports.run_folder import run_folder
from jaxattn.results.files import RESULTS, named, open_run, write_results
from jaxattn.run.compare import Progress
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.study.spec import Spec

__all__ = ["EXPERIMENTS", "Outcome", "Reported", "plan", "report", "reproduce"]

EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        *(THEORY, FIXED_FOCUS, FIXED_FOCUS_IMAGES, PHASE, SWITCH, SCHEDULE, DEPARTURES_EXPERIMENT),
        *(SDC, HEATMAPS, HYBRID, TRAP, SPARSITY, SAMPLED, RATIONALES, CAPTIONS, CLAIMS),
    )
}
"""To add one, write an `Experiment` in a file of its own and list it here."""

CHUNKS = "chunks"
"""The folder, within that of a run, of the sweep that an experiment is."""


class Outcome(NamedTuple):
    """What an experiment gave: labelled results, numbers, sentences, and rows that failed."""

    results: xr.Dataset
    numbers: list[dict[str, Any]]
    findings: list[str]
    failed: int


class Reported(NamedTuple):
    """Where a report is, what it says first, and all numbers of its table where it has one table.

    `numbers` is empty for a comparison, which `jaxattn.summary` puts in numbers.
    """

    path: Path
    findings: list[Finding]
    numbers: list[dict[str, Any]]


def reproduce(
    name: str | Experiment,
    scale: str,
    folder: Path,
    overwrite: bool,
    on_progress: Callable[[Progress], None],
    seeds: int | None = None,
    resume: bool = False,
    data: str | None = None,
) -> Outcome:
    """Run an experiment and write ``results.nc``, ``run.json``, ``figures/``, ``report.html``.

    ``results.nc`` is whole and readable as soon as a part of the experiment is done, whatever
    interrupts the rest.

    Args:
        name: one of `EXPERIMENTS`.
        scale: smoke, small or paper.
        folder: new or empty, unless `overwrite`.
        overwrite: replace what an earlier run wrote there.
        on_progress: hears where things stand after every chunk.
        seeds: how many, in place of the scale's own.
        resume: go on with what an interrupted run left there, of an experiment made of sweeps.
        data: folder that it learns from, of an experiment that reads one.

    Raises:
        InputError: an unknown name or scale, no seeds, seeds for an experiment that draws nothing
            at random, or a folder in use; nothing is written. To resume: an experiment that keeps
            no chunks, none there, or those of another scale.
        LateError: what comes after ``results.nc`` failed, such as a figure; `done` has the outcome.
    """
    experiment = _known(name)
    config = _size(experiment, scale, seeds, data)
    watch = Stopwatch()

    def labelled(ds: xr.Dataset) -> xr.Dataset:
        # Whose results they are must be known also where a run is interrupted.
        return ds.assign_attrs(experiment=experiment.name)

    chunks = folder / CHUNKS
    _check_chunks(experiment, chunks, overwrite, resume)
    # What cannot be run is refused before an earlier run makes room, and leaves no folder.
    experiment.check(config)
    specs = {} if experiment.sweeps is None else experiment.sweeps(config)
    if resume:
        _check_resumable(specs, chunks)
    elif overwrite:
        for asked in specs.values():
            ready(asked)
    with run_folder(folder, overwrite or resume):
        if overwrite and not resume:
            for spec in list(chunks.rglob(SPEC)):
                clear(spec.parent)
            # Parts that are no sweep, see `run_once`.
            for part in list(chunks.rglob(RESULTS)):
                part.unlink()
        listeners = Listeners(
            on_progress, lambda ds: write_results(labelled(ds), folder), watch, chunks
        )
        results = labelled(experiment.run(config, listeners))
        write_results(results, folder)
        with after_results("numbers and findings", folder):
            outcome = Outcome(
                results,
                experiment.numbers(results),
                experiment.findings(results),
                count_failed(results),
            )
        with after_results("what comes with the results", folder, outcome):
            settings = {"experiment": experiment.name, "scale": scale, "config": asdict(config)}
            write_run_facts(folder, results, watch, **settings, findings=outcome.findings)
            experiment_report_into(folder, experiment)
    return outcome


def plan(
    name: str | Experiment, scale: str, seeds: int | None = None, data: str | None = None
) -> dict[str, SweepCost]:
    """What the sweeps of an experiment would cost here, by name; nothing is compiled or written.

    Short runs, which would tell seconds, take minutes and gigabytes at the published size.

    Args:
        name: of an experiment that is made of sweeps.
        scale: smoke, small or paper.
        seeds: how many, in place of the scale's own.
        data: folder that it learns from, of an experiment that reads one.

    Raises:
        InputError: an unknown name or scale, an experiment that is made of no sweeps, images that
            are not there, or what does not fit into memory.
    """
    experiment = _known(name)
    config = _size(experiment, scale, seeds, data)
    if experiment.sweeps is None:
        raise InputError(
            f"--plan: got {experiment.name}, which is made of no sweeps, expected "
            f"{_made_of_sweeps()}; run it at scale smoke to see how long it takes."
        )
    return {name: cost_of(spec, probe=False) for name, spec in experiment.sweeps(config).items()}


def _check_chunks(experiment: Experiment, chunks: Path, overwrite: bool, resume: bool) -> None:
    there = any(chunks.rglob(SPEC))
    if resume and experiment.sweeps is None:
        raise InputError(
            f"--resume: got {experiment.name}, which keeps no chunks, expected "
            f"{_made_of_sweeps()}; leave it out."
        )
    if resume and not there:
        raise InputError(
            f"--resume: got {named(chunks.parent)!r}, which holds no chunks of a run; expected one "
            "that was interrupted; leave it out to begin."
        )
    if there and not (resume or overwrite):
        raise InputError(
            f"--out: got {named(chunks.parent)!r}, which holds the chunks of a run; expected an "
            "empty or new directory; add --resume to go on with it, or --overwrite."
        )


def _check_resumable(specs: Mapping[str, Spec], chunks: Path) -> None:
    """Refuse chunks of other sweeps; those of an experiment lie in its folder, or by name in it."""
    for name, spec in specs.items():
        for folder in (chunks, chunks / name):
            if (folder / SPEC).is_file():
                check_resumable(folder, spec)


def _size(experiment: Experiment, scale: str, seeds: int | None, data: str | None) -> Any:
    """The size of an experiment at a scale, with seeds and data in place of its own where given."""
    config = resolve("scale", experiment.scales, scale)
    if data is not None:
        if not hasattr(config, "data"):
            raise InputError(
                f"data: got {data!r}, but {experiment.name} reads no folder; leave it out."
            )
        config = replace(config, data=data)
    if seeds is None:
        return config
    if seeds < 1:
        raise InputError(f"seeds: got {seeds}, expected at least 1.")
    if not hasattr(config, "seeds"):
        raise InputError(
            f"seeds: got {seeds}, but {experiment.name} draws nothing at random; leave it out."
        )
    return replace(config, seeds=seeds)


def _made_of_sweeps() -> str:
    return ", ".join(sorted(one.name for one in EXPERIMENTS.values() if one.sweeps))


def _known(name: str | Experiment) -> Experiment:
    try:
        return resolve("experiment", EXPERIMENTS, name)
    except InputError as error:
        raise InputError(f"{error} jaxattn reproduce, without a name, says what each is.") from None


def report(folder: Path) -> Reported:
    """Write ``report.html`` and the figures again for a run of a comparison or of an experiment.

    Args:
        folder: of a run, finished or not.

    Raises:
        InputError: no results there, damaged ones, or those of an experiment that is not one of
            `EXPERIMENTS`; nothing is written.
        LateError: some figure could not be drawn, or something not be written; what was there
            before is whole.
    """
    run = run_facts(folder)
    # Before its run.json is written, an interrupted run says in its results what it is.
    name = (run or open_run(folder).attrs).get("experiment")
    if name is None:
        return Reported(*report_into(folder), [])
    if name not in EXPERIMENTS:
        raise InputError(
            f"report: got a run of the experiment {name!r}, expected one of "
            f"{', '.join(sorted(EXPERIMENTS))}; report it with the jaxattn that ran it."
        )
    path, sentences, numbers = experiment_report_into(folder, EXPERIMENTS[name])
    return Reported(path, [Finding("", "", sentence) for sentence in sentences], numbers)
