"""Compare paradigms: the same task, model, data, start and order under each, for many seeds."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import Paradigm, Status, Task, Trajectory
from jaxattn.results.derived import with_distances, with_times
from jaxattn.results.files import assemble, block
from jaxattn.run.data_source import Sources
from jaxattn.run.job import (
    Job,
    hypers_of,
    learning_examples,
    plan_jobs,
    probes_of,
    theory_blocks,
    times_of,
)
from jaxattn.run.pictures import pictures_of
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.run.tiles import fetch
from jaxattn.study.plan import Chunk
from jaxattn.study.settings import Settings, settings_for
from jaxattn.tasks.arguments import several

__all__ = ["Progress", "compare", "run"]

T = TypeVar("T")


class Progress(NamedTuple):
    """Where a comparison stands after a chunk; counts are rows."""

    paradigm: str
    process: str
    done: int
    total: int
    failed: int
    setting: str = ""
    """What else tells the program that runs from others, in words."""
    compiling: bool = False
    """Whether nothing of that program has come back yet."""


OnChunk = Callable[[Progress, Callable[[], xr.Dataset]], None]


def compare(
    task: str | Task = "digits",
    model: Any = None,
    paradigms: Any = ("soft", "hard", "lvml", "hybrid"),
    hypers: Mapping[str, float | Sequence[float]] | None = None,
    seeds: int | Sequence[int] = 8,
    *,
    on_chunk: OnChunk | None = None,
    stopwatch: Stopwatch | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Train every paradigm for every seed and hyperparameter, and measure all alike.

    Args:
        task: a name (digits, orthogonal, orthogonal-population) or a `Task`.
        model: a name (linear, mlp), a factory taking the number of classes, or a `Model`; by
            default the task's own: mlp for images, linear for the orthogonal tasks.
        paradigms: names, `Paradigm` objects, or plain losses of one example; one or several.
        hypers: traced scalars by name: a number holds for all rows, a sequence becomes an axis.
            ``learning_rate`` is always an axis.
        seeds: how many (0, 1, ...), or which.
        on_chunk: called after each chunk with where things stand and a function that gives the
            Dataset so far; this is how progress is shown and partial results are written.
        stopwatch: collects compile and run seconds.
        **settings: the fields of `jaxattn.study.settings.Settings`: steps, saves, optimiser, order,
        ...

    Returns:
        A Dataset with dims paradigm, process (train, flows where asked for, and theory where
        exact), the swept hyperparameters, seed, save, split, inference, and those of the measures.

    Raises:
        InputError: anything that cannot be done, before anything is compiled.
        KeyboardInterrupt: after `on_chunk` has seen what was finished, the rest marked
            interrupted.
    """
    asked = settings_for(
        task=task,
        model=model,
        paradigms=(paradigms,) if _is_one(paradigms) else tuple(paradigms),
        hypers=dict(hypers or {}),
        seeds=tuple(range(seeds))
        if isinstance(seeds, int | np.integer)
        else tuple(several("seeds", seeds)),
        **settings,
    )
    return run(asked, on_chunk=on_chunk, stopwatch=stopwatch)


def _is_one(paradigms: Any) -> bool:
    return isinstance(paradigms, str | Paradigm) or callable(paradigms)


def run(
    settings: Settings, *, on_chunk: OnChunk | None = None, stopwatch: Stopwatch | None = None
) -> xr.Dataset:
    """`compare`, from its `Settings`."""
    watch, tell = stopwatch or Stopwatch(), on_chunk or (lambda progress, so_far: None)
    jobs, sources = plan_jobs(settings), Sources(settings)
    exact, coords = theory_blocks(settings), times_of(settings)
    learnt = learning_examples(settings)
    results: dict[Job, Trajectory] = {}
    total, done, failed = sum(job.plan.size for job in jobs), 0, 0

    def labelled(pending: Status) -> xr.Dataset:
        ds = _assembled(settings, jobs, results, exact, pending)
        sizes = [learnt[name] for name in ds["process"].values]
        learnt_from = ("process", sizes, {"long_name": "examples learnt from"})
        ds = ds.assign_coords({**coords, "learning_examples": learnt_from})
        # What has run has checked its data.
        pictures = pictures_of(settings, sources, jobs[0])
        return _derive(ds, settings).assign(pictures.data_vars)

    # Not a `with`, which would wait: what a device has begun cannot be cancelled.
    waiter = ThreadPoolExecutor(1)

    def start() -> Iterator[tuple[Job, Chunk, Future]]:
        for job in jobs:
            for chunk in job.plan.chunks():
                with watch.compiling(job.process):
                    hypers = hypers_of(settings, job, chunk.rows)
                    seeds, data = job.plan.seed_of(chunk.rows), sources.of(job, chunk.rows)
                    begun = job.run(seeds, hypers, data)
                yield job, chunk, waiter.submit(_wait, begun, time.perf_counter())

    try:
        for job, chunk, future in _one_behind(start()):
            out, began, ended = future.result()
            watch.ran(job.process, began, ended)
            _collect(results, job, chunk.rows, out)
            done += chunk.real.size
            failed += int(np.sum(~Status.ended_well(out.status[chunk.rows >= 0])))
            so_far = partial(labelled, Status.RUNNING)
            tell(Progress(job.paradigm, job.process, done, total, failed), so_far)
        return labelled(Status.DONE)
    except KeyboardInterrupt:
        if results:
            so_far = partial(labelled, Status.INTERRUPTED)
            tell(Progress("", "interrupted", done, total, failed), so_far)
        raise
    finally:
        waiter.shutdown(wait=False, cancel_futures=True)


def _wait(begun: Sequence[Trajectory], began: float) -> tuple[Trajectory, float, float]:
    """A chunk's arrays, and when it began and ended."""
    return fetch(begun), began, time.perf_counter()


def _one_behind(items: Iterator[T]) -> Iterator[T]:
    """Each item only after the next one is made: the devices work while the host compiles."""
    held = list(islice(items, 1))
    for item in items:
        yield held.pop()
        held.append(item)
    yield from held


def _collect(results: dict[Job, Trajectory], job: Job, rows: np.ndarray, out: Trajectory) -> None:
    """Put a chunk's rows, ``[tile, row, ...]``, where they belong among all rows of the job."""
    real = rows >= 0

    def place(into: np.ndarray, values: np.ndarray) -> None:
        into[rows[real]] = values[real]

    if job not in results:
        results[job] = jax.tree.map(
            lambda leaf: np.full(
                (job.plan.size, *leaf.shape[2:]),
                np.nan if leaf.dtype.kind == "f" else 0,
                dtype=leaf.dtype,
            ),
            out,
        )
    jax.tree.map(place, results[job], out)


def _on_grid(job: Job, rows: Trajectory) -> Trajectory:
    return jax.tree.map(lambda leaf: leaf.reshape(*job.plan.shape, *leaf.shape[1:]), rows)


def _assembled(
    settings: Settings,
    jobs: Sequence[Job],
    results: Mapping[Job, Trajectory],
    exact: Mapping[tuple[str, str], xr.Dataset],
    pending: Status,
) -> xr.Dataset:
    """Everything so far with labels; rows that were not run have the status `pending`."""
    axes: dict[str, Sequence[Any]] = {**settings.axes(), "seed": settings.seeds}
    blocks = {}
    for job, rows in results.items():
        own = {**job.plan.coordinates, "seed": job.plan.seeds}
        labels = (
            *job.problem.measures,
            *(spec for one in probes_of(settings, job.process) for spec in one.specs),
        )
        one = block(_on_grid(job, rows), own, labels, job.parts)
        one["status"] = one["status"].where(one["status"] != Status.RUNNING, int(pending))
        blocks[job.paradigm, job.process] = one
    ds = assemble({**blocks, **exact}, axes, {"spec": canonical_json(settings.describe())})
    ds = ds.reindex(paradigm=list(settings.names()), fill_value={"status": np.int8(-1)})
    for job in jobs:
        if job not in results:
            if job.process not in ds["process"]:
                ds = ds.reindex(
                    process=[*ds["process"].values, job.process],
                    fill_value={"status": np.int8(-1)},
                )
            at = {"paradigm": job.paradigm, "process": job.process, "seed": list(job.plan.seeds)}
            ds["status"].loc[at] = int(pending)
    return ds


def _derive(ds: xr.Dataset, settings: Settings) -> xr.Dataset:
    """Add what follows from the measures: times to focus and to fit, natural inference."""
    natural = [settings.problem(name).natural_inference for name in settings.names()]
    ds = ds.assign_coords(
        natural_inference=(
            "paradigm",
            natural,
            {"long_name": "inference rule that goes with the paradigm"},
        )
    )
    ds = with_times(ds, ds["time"], xr.DataArray(natural, dims="paradigm"), settings)
    return with_distances(ds) if "position" in ds else ds
