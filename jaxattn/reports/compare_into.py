"""A comparison written to one directory: results, figures, and what it ran on."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.core.lookup import resolve
from jaxattn.core.precision import x64_is_on
from jaxattn.problems.paradigms import known_as
from jaxattn.reduced import PARADIGMS as SOLVED
from jaxattn.reports.late import after_results
from jaxattn.reports.run_folder import run_folder
from jaxattn.results.files import content_hash, write_json, write_results
from jaxattn.run.compare import Listener, Progress, run
from jaxattn.run.failures import Failed
from jaxattn.run.job import plan_jobs
from jaxattn.run.provenance import command_line, environment
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.study.settings import Settings
from jaxattn.study.study import Study, resolve_settings
from jaxattn.study.subject import AttentionNetwork
from jaxattn.tasks import orthogonal_population

__all__ = ["FIGURES", "companion", "compare_into", "count_failed", "write_run_facts"]

FIGURES: Mapping[str, int | None] = {"none": 0, "overview": 1, "all": None}
"""How many of a gallery's figures are drawn, the first ones, by what was asked for."""

WRITE_EVERY = 5.0
"""Seconds between writes of partial results: what a power cut can cost, beside the last chunk."""


def compare_into(
    folder: Path,
    study: Study,
    overwrite: bool,
    on_progress: Callable[[Progress], None] | None = None,
    on_failed: Callable[[Failed], None] | None = None,
    figures: str = "all",
) -> xr.Dataset:
    """Run a comparison and write ``results.nc``, ``run.json``, ``figures/``, ``report.html``.

    ``results.nc`` is whole and readable after every chunk, whatever interrupts the run. Next to
    it, ``population/`` holds the companion in the solvable setting, where all figures are drawn.

    Args:
        folder: new or empty, unless `overwrite`.
        study: what to compare.
        overwrite: replace what an earlier run wrote there.
        on_progress: hears where things stand, mostly after every chunk.
        on_failed: hears of rows that did not end well.
        figures: which to draw, one of `FIGURES`; the report names the others.

    Raises:
        InputError: before anything is written; another run is at work in `folder`, say.
        LateError: what comes after ``results.nc`` failed, such as a figure; `done` has the results.
        KeyboardInterrupt: after what was finished is written.
    """
    most: int | None = resolve("figures", FIGURES, figures)
    watch, to = Stopwatch(), Listener(on_progress, on_failed)
    plan_jobs(study)  # refuses what cannot be done
    with run_folder(folder, overwrite):
        results = _run_and_write(folder, study, watch, to)
        with after_results("what comes with the results", folder, results):
            solvable = companion(study) if most is None else None
            if solvable is not None:
                (folder / "population").mkdir(exist_ok=True)
                _run_and_write(folder / "population", solvable, watch, to)
            write_run_facts(folder, results, watch)
            _report_into(folder, most)
    return results


def _report_into(folder: Path, most: int | None) -> None:
    # matplotlib and what judges the results take a second to import, which no row waits for.
    from jaxattn.reports.comparison import report_into

    report_into(folder, most)


def write_run_facts(folder: Path, results: xr.Dataset, watch: Stopwatch, **settings: Any) -> None:
    """Write ``run.json``: the command, `settings`, how the rows ended, and what they ran on."""
    facts = {
        "command": command_line(),
        **settings,
        "rows": int((results["status"] >= 0).sum()),
        "failed": count_failed(results),
        "content_hash": content_hash(results),
        "seconds": watch.seconds,
        **environment(),
    }
    write_json(folder / "run.json", facts)


def _run_and_write(folder: Path, study: Study, watch: Stopwatch, to: Listener) -> xr.Dataset:
    written = [0.0]

    def on_chunk(progress: Progress, so_far: Callable[[], xr.Dataset]) -> None:
        interrupted = progress.dynamics == "interrupted"
        if interrupted or time.perf_counter() - written[0] > WRITE_EVERY:
            write_results(so_far(), folder)
            written[0] = time.perf_counter()

    ds = run(study, to=to._replace(on_chunk=on_chunk), stopwatch=watch)
    try:
        write_results(ds, folder)
    except KeyboardInterrupt:
        # All is run by now: leaving the last partial results would lose finished rows.
        write_results(ds, folder)
        raise
    return ds


def companion(study: Study) -> Study | None:
    """The same paradigms in the solvable setting of the same size; None where there are none.

    Full-batch gradient descent and the reduced (mu, nu) system, which coincide, and the gradient
    flow where the study has one: its programs take longer to compile than all the rest to run.
    """
    subject = study.subject
    # Beside limits alone there is no training that it would be the companion of.
    if not isinstance(subject, AttentionNetwork) or study.settings.times is not None:
        return None
    task = subject.task
    solved = [one for one in subject.paradigms.values() if known_as(one) in SOLVED]
    if (
        not solved
        or task.solvable
        or task.caption_words
        or study.settings.against
        or not x64_is_on()
    ):
        return None
    # Time to master the focus grows as segments x classes (THEORY section 5).
    steps, saves = 2000, 41
    horizon = 20.0 * task.segments * task.classes
    settings = Settings(
        task=orthogonal_population(classes=task.classes, segments=task.segments),
        paradigms=tuple(solved),
        hypers={"learning_rate": horizon / steps},
        seeds=(0,),
        steps=steps,
        saves=saves,
        batch_size="all",
        flow_seeds=min(1, study.settings.flow_seeds),
        flow_solver="tsit5",
        flow_rtol=1e-9,
        precision="float64",
    )
    return resolve_settings(settings)


def count_failed(results: xr.Dataset) -> int:
    """Rows that were run and did not end well."""
    status = results["status"]
    return int(((status == Status.DIVERGED) | (status == Status.SOLVER_FAILED)).sum())
