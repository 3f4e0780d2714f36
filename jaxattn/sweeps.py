"""Sweeps from Python: `jaxattn.sweeps.run`, what ``jaxattn sweep`` does on the command line.

A sweep is said as a TOML file, as the same tables in a dictionary, or as a `Spec`:

    spec = {
        "task": {"name": "orthogonal", "classes": 5},
        "settings": {"steps": 300, "vary": ["data"]},
        "axes": {
            "paradigm": ["soft", "hard"],
            "learning_rate": {"log": [0.03, 1.0], "count": 4},
            "seed": {"count": 256},
        },
    }
    jaxattn.sweeps.run(spec, "runs/seeds", progress=True)
    ds = jaxattn.open("runs/seeds")

``examples/sweep.toml`` explains every key. Ctrl-C, or "interrupt the kernel", keeps what is
finished; `resume` goes on from there, in this process or any other.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from jaxattn.core.contracts import InputError, Params
from jaxattn.engine import checkpoints
from jaxattn.engine.executors.open import EngineOptions
from jaxattn.engine.log import read_log
from jaxattn.engine.progress import Listener
from jaxattn.engine.run_sweep import Outcome, resume_sweep, run_sweep
from jaxattn.engine.spec_file import read_spec
from jaxattn.engine.status import status_of
from jaxattn.engine.tensorboard import scalars_into
from jaxattn.study.axes import Axis
from jaxattn.study.checks import shown
from jaxattn.study.objects import is_held, with_paths
from jaxattn.study.parse import from_plain
from jaxattn.study.spec import Layout, Spec
from jaxattn.study.spec_hash import spec_json
from jaxattn.terminal.progress_bar import Reporter

__all__ = [
    "Axis",
    "Layout",
    "Outcome",
    "Spec",
    "as_spec",
    "final_params",
    "read_log",
    "resume",
    "run",
    "status",
]

SpecLike = Spec | Mapping[str, Any] | str | os.PathLike[str]


def as_spec(given: SpecLike) -> Spec:
    """A spec from any way of saying it: a `Spec`, the tables of one, or the path of a TOML file.

    In tables, objects may stand where a file has import paths: problems, functions, data. Only this
    process finds them again, so the engine has to be local.

    Raises:
        InputError: no such file, or something that cannot be run.
    """
    if isinstance(given, Spec):
        return given
    if isinstance(given, Mapping):
        return from_plain(with_paths(given))
    if not isinstance(given, str | os.PathLike):
        raise InputError(
            f"spec: got {shown(given)}, expected a Spec, its tables, or the path of a TOML file."
        )
    return read_spec(given)


def run(
    spec: SpecLike,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    engine: str = "auto",
    workers: int | None = None,
    options: Mapping[str, str] | None = None,
    progress: bool = False,
    tensorboard: bool = False,
) -> Outcome:
    """Begin a sweep in a directory and run all of it.

    JAX's flags are yours to set, before: ``jax.config.update("jax_enable_x64", True)`` for
    float64, and to go on with the sweep from the command line, which sets it.

    Args:
        spec: what to run; see `as_spec`.
        folder: new or empty, unless `overwrite`.
        overwrite: remove what another sweep wrote there.
        engine: where chunks are computed: local, dask, tcp://HOST:PORT, slurm or hosts; auto is
            hosts where a launcher started several, and local elsewhere.
        workers: processes of this machine (local, dask).
        options: settings of the engine by name, such as SLURM's partition.
        progress: show it on standard error: a live bar on a terminal (and in a notebook with
            ipywidgets), lines elsewhere; and warn of rows that fail.
        tensorboard: write scalars for TensorBoard too (extra tensorboard).

    Returns:
        Counts of runs, of those that failed, of chunks. The results are `jaxattn.open`'s.

    Raises:
        InputError: before anything is written, for what cannot be run.
        KeyboardInterrupt: what was finished is kept.
    """
    path = Path(folder).absolute()  # components of one's own may change the directory
    wanted = as_spec(spec)
    _refuse_elsewhere(wanted, engine, workers)
    with _listening(path, progress, tensorboard) as to:
        where = EngineOptions(engine, workers, options or {})
        return run_sweep(wanted, path, overwrite=overwrite, where=where, to=to)


def resume(
    folder: str | os.PathLike[str],
    *,
    spec: SpecLike | None = None,
    engine: str = "auto",
    workers: int | None = None,
    options: Mapping[str, str] | None = None,
    progress: bool = False,
    tensorboard: bool = False,
) -> Outcome:
    """Run the chunks of a sweep that are missing, truncated or damaged, and no others.

    Args:
        folder: the directory of a sweep that was begun.
        spec: what it should have; None takes whatever it has.
        engine: as for `run`; it need not be the one that began.
        workers: processes of this machine (local, dask).
        options: settings of the engine by name, such as SLURM's partition.
        progress: show it on standard error.
        tensorboard: write scalars for TensorBoard too (extra tensorboard).

    Raises:
        InputError: no sweep there, another spec or other versions, with the difference.
        KeyboardInterrupt: what was finished is kept.
    """
    path = Path(folder).absolute()
    wanted = None if spec is None else as_spec(spec)
    if wanted is not None:
        _refuse_elsewhere(wanted, engine, workers)
    with _listening(path, progress, tensorboard) as to:
        where = EngineOptions(engine, workers, options or {})
        return resume_sweep(path, spec=wanted, where=where, to=to)


def status(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """How far a sweep is: chunks by what their files are worth, runs by how they ended.

    Raises:
        InputError: no sweep there.
    """
    return status_of(Path(folder))


def final_params(folder: str | os.PathLike[str], **labels: Any) -> Params:
    """The parameters that one run of a sweep ended with, where its spec keeps them.

    ``final_params("runs/x", paradigm="soft", learning_rate=0.1, seed=3)``

    Args:
        folder: the directory of a sweep with ``params = true`` under ``[output]``.
        **labels: of each dimension that runs differ by; one of a single label may be left out,
            and of numbers the nearest is taken.

    Raises:
        InputError: no sweep there, it keeps no parameters, no such run, or it is not finished.
    """
    return checkpoints.final_params(Path(folder), labels)


def _refuse_elsewhere(spec: Spec, engine: str, workers: int | None) -> None:
    here = engine in ("auto", "local", "hosts") and workers in (None, 1)
    if not here and is_held(spec_json(spec)):
        raise InputError(
            f"engine: got {engine} with {workers or 'some'} workers for a spec with objects of "
            "this process, expected local and one; write them in a module, and name them by their "
            "import paths."
        )


@contextmanager
def _listening(folder: Path, progress: bool, tensorboard: bool) -> Iterator[Listener]:
    with ExitStack() as open_:
        to = Listener()
        if progress:
            reporter = open_.enter_context(Reporter())
            to = to._replace(
                on_progress=reporter.on_progress,
                on_note=reporter.on_note,
                on_failed=reporter.on_failed,
            )
        if tensorboard:
            to = to._replace(on_chunk=open_.enter_context(scalars_into(folder)))
        yield to
