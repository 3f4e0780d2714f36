"""Chunks in SLURM job arrays, by submitit, which requeues preempted and timed-out jobs.

Jobs and opener share a disk: SLURM's own condition. A job computes some chunks one after the
other and gives their contents back through the folder of its logs; it is the opener who keeps
them. A SLURM without accounting (``sacct``) cannot tell that a job died: one waits for it then.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError

from jaxattn.core.errors import InputError, in_a_line
from jaxattn.engine.executors.base import Engine, LostWork, Results, Work
from jaxattn.engine.executors.slurm_worker import Batch
from jaxattn.engine.executors.worker_setup import setup_here

__all__ = ["on_slurm"]

DEFAULTS = {"time": "60", "job_name": "jaxattn"}
"""Minutes of a job: SLURM's own default may be no limit, submitit's is five."""

CHUNKS_PER_JOB = 4
"""A job starts Python and compiles, or reads the compilation cache, once for so many chunks."""

LARGEST_ARRAY = 1000
"""Jobs of one array: SLURM's MaxArraySize is 1001 unless its owners raised it."""

POLL = 2.0
"""Seconds between two looks for results."""

_SUBMITIT = ("time", "array_parallelism", "signal_delay_s", "use_srun", "stderr_to_stdout")
_LISTS = ("setup", "teardown", "srun_args")
_ONE_PROCESS = ("nodes", "ntasks", "ntasks_per_node", "array")


@contextmanager
def on_slurm(folder: Path, options: Mapping[str, str], cluster: str = "slurm") -> Iterator[Engine]:
    """Job arrays, submitted when results are asked for; those unfinished are cancelled at the end.

    Args:
        folder: shared by all nodes; scripts, logs and, for a while, results lie in it.
        options: ``chunks_per_job``; what submitit knows (``time`` in minutes, ``setup``, a line
            of shell before Python, ``array_parallelism``, ...); all else goes to ``sbatch``:
            ``partition=gpu``, ``gpus_per_node=1``, ``mem=8G``.
        cluster: submitit's name of the executor; ``local`` runs the same jobs as processes.

    Raises:
        InputError: no SLURM here, or an option that cannot be.
    """
    if "%" in str(folder.absolute()):
        raise InputError(
            f"--out: got {str(folder)!r}, expected a path without %, which means something in the "
            "names of SLURM's logs; choose another."
        )
    given = {**DEFAULTS, **options}
    each = _whole("chunks_per_job", given.pop("chunks_per_job", str(CHUNKS_PER_JOB)))
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    except RuntimeError as error:
        raise InputError(
            "--engine slurm: got a machine without srun, expected one that submits SLURM jobs; "
            "start the sweep on a login node."
        ) from error
    executor.update_parameters(**_parameters(given))
    yield Engine("slurm", partial(_results, executor, each), elsewhere=True)


def _parameters(given: Mapping[str, str]) -> dict[str, Any]:
    own: dict[str, Any] = {}
    passed: dict[str, Any] = {}
    for name, text in given.items():
        if name in _ONE_PROCESS:
            raise InputError(
                f"--options: got {name}={text}, expected none: a job is one process, and a sweep "
                "has as many jobs as its chunks need; drop it."
            )
        if name in _LISTS:
            own[name] = [text]
        elif name in ("time", "signal_delay_s", "array_parallelism"):
            own[name] = _whole(name, text)
        elif name in _SUBMITIT:
            own[name] = text.lower() in ("true", "yes", "1")
        else:
            passed[name] = True if text.lower() == "true" else text
    own["additional_parameters"] = passed
    return {f"slurm_{name}": value for name, value in own.items()}


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        unit = " of minutes" if name == "time" else ""
        raise InputError(f"--options: got {name}={text}, expected a whole number{unit}, 1 or more.")
    return int(text)


def _results(
    executor: submitit.AutoExecutor, each: int, work: Work, numbers: Iterable[int]
) -> Results:
    how, queue = setup_here(same_disk=True), iter(numbers)
    batches = [Batch(how, work, taken) for taken in iter(lambda: tuple(islice(queue, each)), ())]
    open_jobs: dict[submitit.Job[Any], Batch] = {}
    lost: dict[int, str] = {}
    try:
        for first in range(0, len(batches), LARGEST_ARRAY):
            array = batches[first : first + LARGEST_ARRAY]
            open_jobs |= zip(_submit(executor, array), array, strict=True)
        for job in submitit.helpers.as_completed(list(open_jobs), poll_frequency=POLL):
            numbers_of_job = open_jobs.pop(job).numbers
            contents, what = _read(job)
            lost |= {number: what for number in numbers_of_job if number not in contents}
            while contents:
                yield contents.popitem()
    finally:
        for job in open_jobs:
            job.cancel(check=False)
    if lost:
        raise LostWork(lost, f"{'; '.join(dict.fromkeys(lost.values()))}.")


def _submit(
    executor: submitit.AutoExecutor, batches: Iterable[Batch]
) -> list["submitit.Job[dict[int, Any]]"]:
    """One array of jobs."""
    jobs = []
    try:
        with executor.batch():
            jobs += [executor.submit(batch) for batch in batches]
    except FailedJobError as error:
        raise InputError(
            f"--options: got {in_a_line(error)!r} from sbatch, expected a job array to "
            "be accepted; mend the settings it names."
        ) from error
    return jobs


def _read(job: "submitit.Job[dict[int, Any]]") -> tuple[dict[int, Any], str]:
    """What a job that ended has computed, and what to say of the rest; only its logs remain."""
    logs = f"see {job.paths.stderr}"
    try:
        contents = job.result()
    except FailedJobError:
        return {}, f"job {job.job_id} raised an exception, {logs}"
    except UncompletedJobError:
        return {}, f"job {job.job_id} ended as {job.state}, {logs}"
    job.paths.result_pickle.unlink(missing_ok=True)
    job.paths.submitted_pickle.unlink(missing_ok=True)
    return contents, f"job {job.job_id} ran out of time, {logs}"
