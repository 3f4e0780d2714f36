"""The loop over jobs and chunks, in this process. Silent: it tells its progress to a callback."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from itertools import chain, islice
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import Splits, Status, Trajectory
from jaxattn.core.reasons import Reason
from jaxattn.probes.parameters import leaves_of, parameters
from jaxattn.results.dataset import ABSENT, assemble, block
from jaxattn.results.derived import own_error_of, with_distances, with_times
from jaxattn.run.conditions import hardware, refuse_other, software
from jaxattn.run.coordinates import coordinates_of_study, data_card_of
from jaxattn.run.data_source import Sources
from jaxattn.run.expected_time import expected_seconds
from jaxattn.run.heap import collect_rarely
from jaxattn.run.job import Job, plan_jobs
from jaxattn.run.own_error import CLOSER, distance_between
from jaxattn.run.own_theory_rows import own_theory_rows
from jaxattn.run.pictures import pictures_of
from jaxattn.run.progress import NOBODY, Listener, OnChunk, Progress, Tally
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.run.theory_rows import theory_rows
from jaxattn.run.tiles import Started, fetch, wait
from jaxattn.study.dependence import start_shapes
from jaxattn.study.groups import THEORY, Group, groups_of
from jaxattn.study.plan import Chunk
from jaxattn.study.study import Study
from jaxattn.training.saves import OwnTimes

__all__ = ["Listener", "OnChunk", "Progress", "run"]

_Given = tuple[np.ndarray, dict[str, np.ndarray], Splits]
"""What a chunk is given: seeds, hyperparameters and data."""

_Waited = tuple[Trajectory, float, float]
"""A chunk's arrays, and when it began and ended."""

_Begun = tuple[Job, Chunk | None, Future[_Waited]]
"""A chunk that is begun; none: the first row of a job again, solved more closely."""


class _MadeWith:
    """What the bits of one comparison depend on, the same from its first row to its last."""

    def __init__(self) -> None:
        self._conditions = software() | hardware()
        self._programs: dict[str, str] = {}
        self._tiles: dict[str, int] = {}

    def check(self) -> None:
        """Training and the flow beside it may differ by nothing but what is compared."""
        refuse_other(
            self._conditions,
            software() | hardware(),
            "got JAX set otherwise than when the comparison began",
            "leave its settings alone until it has ended.",
        )

    def add(self, job: Job, *given: Any) -> None:
        """Remember what the rows of `job` compute, from what a chunk of it is given."""
        name = f"{job.group.paradigm} {job.group.dynamics}"
        if name not in self._programs:
            self._programs[name] = job.program(*given)
            self._tiles[name] = job.plan.tile

    def plain(self) -> dict[str, Any]:
        """As a result carries it."""
        return {**self._conditions, "programs": self._programs, "tiles": self._tiles}


@collect_rarely()
def run(study: Study, *, to: Listener = NOBODY, stopwatch: Stopwatch | None = None) -> xr.Dataset:
    """Run all rows of a study in this process; see `jaxattn.compare`.

    Args:
        study: what to run.
        to: hears how it goes.
        stopwatch: collects compile and run seconds.
    """
    watch = stopwatch or Stopwatch()
    jobs, sources = plan_jobs(study), Sources(study)
    groups = groups_of(study)
    exact = _exact(study, groups)
    made_with = _MadeWith()

    @cache
    def coords() -> dict[str, Any]:
        # Of data that are made for the first job in any case.
        return coordinates_of_study(study, lambda _: sources.examples(jobs[0]))

    axes = {**study.axes, "seed": study.seeds}
    results: dict[Job, Trajectory] = {}
    errors: dict[Job, np.ndarray] = {}
    tally = Tally(jobs, to)

    def labelled(pending: Status) -> xr.Dataset:
        blocks = _blocks(results, errors, sources.names(jobs[0]), pending) | exact
        attributes = {"spec": study.describe(), "made_with": made_with.plain()}
        said = {k: canonical_json(v) for k, v in attributes.items()}
        ds = assemble(blocks, axes, said | data_card_of([study]))
        ds = ds.reindex(
            paradigm=list(study.names),
            dynamics=list(dict.fromkeys(group.dynamics for group in groups)),
            fill_value={"status": np.int8(ABSENT), "reason": np.int8(Reason.NONE)},
        )
        for group in [job.group for job in jobs if job not in results]:
            at = {"paradigm": group.paradigm, "dynamics": group.dynamics, "seed": list(group.seeds)}
            ds["status"].loc[at] = int(pending)
        ds = ds.assign_coords(coords())
        # What has run has checked its data.
        pictures = pictures_of(study, sources, jobs[0])
        return _derive(ds, study).assign(pictures.data_vars)

    # Not a `with`, which would wait: what a device has begun cannot be cancelled.
    waiter = ThreadPoolExecutor(1)

    try:
        started = _started(jobs, sources, watch, waiter, made_with)
        if to.on_progress and not isinstance(study.saves, OwnTimes):
            started = _foretold(started, jobs, sources, tally, coords)
        others = chain(_compiled(jobs[1:], sources, watch), _labels_ready(coords))
        for job, chunk, future in _while_others_run(started, jobs[0].plan.tiles_per_chunk):
            # While the devices work, what comes later is traced, and what labels it is loaded.
            while not future.done() and next(others, None):
                pass
            out, began, ended = future.result()
            watch.ran(job.group.dynamics, began, ended)
            if chunk is None:
                errors[job] = _own_error(results[job], out)
                continue
            _collect(results, job, chunk.rows, out)
            tally.add(job, chunk.rows, out, partial(labelled, Status.RUNNING))
        return labelled(Status.DONE)
    except KeyboardInterrupt:
        if results:
            tally.interrupted(partial(labelled, Status.INTERRUPTED))
        raise
    finally:
        waiter.shutdown(wait=False, cancel_futures=True)


def _started(
    jobs: Sequence[Job],
    sources: Sources,
    watch: Stopwatch,
    waiter: ThreadPoolExecutor,
    made_with: _MadeWith,
) -> Iterator[_Begun]:
    """Every chunk of every job, begun."""

    def begin(job: Job, rows: np.ndarray, share: float = 1.0) -> Future[_Waited]:
        made_with.check()
        chunk = _given(job, sources, rows, share)
        compiling = partial(watch.compiling, job.group.dynamics)
        begun = job.run(*chunk, compiling=compiling, put=sources.put)
        made_with.add(job, *chunk)
        return waiter.submit(_wait, begun)

    for job in jobs:
        for chunk in job.plan.chunks():
            yield job, chunk, begin(job, chunk.rows)
        if job.is_solved_twice:
            yield job, None, begin(job, job.first_row, CLOSER)


def _given(job: Job, sources: Sources, rows: np.ndarray, share: float = 1.0) -> _Given:
    return job.plan.seed_of(rows), job.hypers_of(rows, share), sources.of(job, rows)


def _compiled(jobs: Sequence[Job], sources: Sources, watch: Stopwatch) -> Iterator[Job]:
    """Each job when it is traced, and being compiled."""
    for job in jobs:
        compiling = partial(watch.compiling, job.group.dynamics)
        job.compiled(*_given(job, sources, job.plan.chunk(0).rows), compiling=compiling)
        yield job


def _labels_ready(coords: Callable[[], Mapping[str, Any]]) -> Iterator[bool]:
    """What labels results, found; xarray, which looks for all kinds of arrays at its first one."""
    xr.Variable("first", np.zeros(1))
    yield bool(coords())


def _foretold(
    started: Iterator[_Begun],
    jobs: Sequence[Job],
    sources: Sources,
    tally: Tally,
    coords: Callable[[], Mapping[str, Any]],
) -> Iterator[_Begun]:
    """What was started; once the first program runs, how long training takes is foretold."""
    tally.begin(compiling=True)
    began = time.perf_counter()
    first = next(started)
    training = [job for job in jobs if job.group.dynamics == "train"]
    data = sources.of(jobs[0], jobs[0].plan.chunk(0).rows)
    programs = [_programs(job, sources) for job in (jobs[0], *training)]
    for program in programs[0]:
        program.result()
    steps = float(np.mean(np.asarray(coords()["step"][1])[..., -1]))
    left = sum(not program.done() for program in set(chain(*programs)))
    compiling = (time.perf_counter() - began) * left / len(programs[0])
    seconds = expected_seconds(training, data, steps, compiling)
    tally.begin(seconds=seconds, seconds_of="all" if len(training) == len(jobs) else "training")
    yield first
    yield from started


def _programs(job: Job, sources: Sources) -> list[Future[jax.stages.Compiled]]:
    return job.compiled(*_given(job, sources, job.plan.chunk(0).rows))


def _wait(begun: Sequence[Future[Started]]) -> _Waited:
    began, ended = wait(begun)
    return fetch(begun), began, ended


def _own_error(rows: Trajectory, closer: Trajectory) -> np.ndarray:
    """How far row 0 is, at each save, from what came of solving it again."""
    ours, theirs = (np.asarray(one.measures["position"]) for one in (rows, closer))
    return distance_between(ours[0], theirs[0, 0])


def _while_others_run(items: Iterator[_Begun], at_once: int) -> Iterator[_Begun]:
    """Each item once those begun after it keep the devices busy, which work while the host does."""
    held: deque[_Begun] = deque()
    for item in items:
        held.append(item)
        if sum(_tiles(chunk) for _, chunk, _ in islice(held, 1, None)) >= at_once:
            yield held.popleft()
    yield from held


def _tiles(chunk: Chunk | None) -> int:
    return 1 if chunk is None else len(chunk.rows)


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


def _blocks(
    results: Mapping[Job, Trajectory],
    errors: Mapping[Job, np.ndarray],
    splits: tuple[str, ...],
    pending: Status,
) -> dict[tuple[str, str], xr.Dataset]:
    """What every job gave so far, labelled; rows that were not run have the status `pending`."""
    blocks = {}
    for job, rows in results.items():
        axes = {**job.plan.coordinates, "seed": job.plan.seeds}
        ds = block(_on_grid(job, rows), axes, job.specs(splits), job.parts, job.problem.unit)
        ds["status"] = ds["status"].where(ds["status"] != Status.RUNNING, int(pending))
        if "position" in ds:
            place = 0 if job in errors else None
            shape = (*job.plan.shape, ds.sizes["save"])
            ds["own_error"] = own_error_of((*axes, "save"), shape, place, errors.get(job))
        blocks[job.group.paradigm, job.group.dynamics] = ds
    return blocks


def _exact(study: Study, groups: Sequence[Group]) -> dict[tuple[str, str], xr.Dataset]:
    """The rows of the groups that are solved, not run."""
    blocks = {}
    for group in [group for group in groups if group.is_exact]:
        at = group.paradigm, group.dynamics
        if group.dynamics == THEORY:
            blocks[at] = theory_rows(group, study.axes, study.grid)
            continue
        params = start_shapes(group.problem, frozenset(study.grid))
        along = parameters(leaves_of(params, study.settings.keep))
        blocks[at] = own_theory_rows(group, study.axes, study.grid, along.specs)
    return blocks


def _derive(ds: xr.Dataset, study: Study) -> xr.Dataset:
    """Add what follows from the measures: times to focus and to fit, distances."""
    natural = xr.DataArray(ds["natural_inference"].values, dims="paradigm")
    ds = with_times(ds, ds["time"], natural, study.settings)
    return with_distances(ds) if "position" in ds else ds
