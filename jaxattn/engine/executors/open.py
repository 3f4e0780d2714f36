"""Open an engine by its name: this process, several, a Dask cluster, SLURM, or several hosts.

Each is an executor that exists already: it schedules and, where it can, retries. What is ours
keeps it supplied, sets its workers up and says in one line what went wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from jaxattn.core.errors import InputError, needs_extra
from jaxattn.core.lookup import resolve
from jaxattn.engine.executors.base import Engine
from jaxattn.engine.executors.hosts import on_hosts, started_by_a_launcher
from jaxattn.engine.executors.local import in_processes, in_this_process

__all__ = ["ENGINES", "EngineOptions", "open_engine"]


class EngineOptions(NamedTuple):
    """Where chunks are computed; see `open_engine`. An engine refuses what means nothing to it."""

    name: str = "auto"
    workers: int | None = None
    options: Mapping[str, str] = {}
    folder: Path = Path()


Opener = Callable[[EngineOptions], AbstractContextManager[Engine]]


@contextmanager
def open_engine(
    name: str = "auto",
    workers: int | None = None,
    options: Mapping[str, str] | None = None,
    folder: Path = Path(),
) -> Iterator[Engine]:
    """An engine for as long as a ``with`` lasts; whatever it started ends with it.

    Args:
        name: ``local``, ``dask`` (a cluster of this machine), the address of a running Dask
            scheduler such as ``tcp://host:8786``, ``slurm``, or ``hosts`` (this program was
            started on each of them). ``auto`` is ``hosts`` where a launcher started several
            processes, else ``local``.
        workers: processes on this machine, for ``local`` (1 unless told: the calling one) and
            ``dask`` (one a core unless told).
        options: the engine's own settings by name, as text, of ``slurm`` and ``hosts``.
        folder: the sweep's directory; ``slurm`` leaves its logs in ``slurm/`` there.

    Raises:
        InputError: no such engine, its extra is not installed, it cannot be reached, or it was
            told what it does not know.
    """
    where = EngineOptions(name, workers, options or {}, folder)
    if workers is not None and workers < 1:
        raise InputError(f"--workers: got {workers}, expected at least 1.")
    opener: Opener = _dask if "://" in name else resolve("engine", ENGINES, name)
    with opener(where) as engine:
        yield engine


def _local(where: EngineOptions) -> AbstractContextManager[Engine]:
    _refuse_options(where)
    workers = where.workers or 1
    return in_processes(workers) if workers > 1 else in_this_process()


def _dask(where: EngineOptions) -> AbstractContextManager[Engine]:
    _refuse_options(where)
    with needs_extra("--engine", "dask"):
        from jaxattn.engine.executors.dask import on_dask
    if where.name == "dask":
        return on_dask(None, where.workers)
    if where.workers is not None:
        raise InputError(
            f"--workers: got {where.workers} with --engine {where.name}, expected no number: a "
            "running cluster has its own; drop it."
        )
    return on_dask(where.name, None)


def _slurm(where: EngineOptions) -> AbstractContextManager[Engine]:
    if where.workers is not None:
        raise InputError(
            f"--workers: got {where.workers} with --engine slurm, expected no number; bound the "
            "jobs at one time by --options array_parallelism=N."
        )
    with needs_extra("--engine", "slurm"):
        from jaxattn.engine.executors.slurm import on_slurm
    return on_slurm(where.folder / "slurm", where.options)


def _hosts(where: EngineOptions) -> AbstractContextManager[Engine]:
    if where.workers is not None:
        raise InputError(
            f"--workers: got {where.workers} with --engine hosts, expected no number: the launcher "
            "decides; drop it."
        )
    return on_hosts(where.options)


def _auto(where: EngineOptions) -> AbstractContextManager[Engine]:
    return _hosts(where) if started_by_a_launcher() else _local(where)


def _refuse_options(where: EngineOptions) -> None:
    for name in where.options:
        raise InputError(
            f"engine {where.name}: got the setting {name!r}, expected none; drop it, or choose "
            "the engine that has it."
        )


ENGINES: Mapping[str, Opener] = {
    "local": _local,
    "dask": _dask,
    "slurm": _slurm,
    "hosts": _hosts,
    "auto": _auto,
}
