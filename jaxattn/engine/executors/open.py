"""Open an engine by its name: this process, several, a Dask cluster, SLURM, or several hosts.

Each is an executor that exists already: it schedules and, where it can, retries. What is ours
keeps it supplied, sets its workers up and says in one line what went wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.engine.executors.base import Engine
from jaxattn.engine.executors.hosts import on_hosts, started_by_a_launcher
from jaxattn.engine.executors.local import in_processes, in_this_process

__all__ = ["ENGINES", "Asked", "open_engine"]


@dataclass(frozen=True)
class Asked:
    """What an engine is told; see `open_engine`. It refuses what means nothing to it."""

    name: str = "auto"
    workers: int | None = None
    folder: Path = Path()
    options: Mapping[str, str] = field(default_factory=dict)


Opener = Callable[[Asked], AbstractContextManager[Engine]]


@contextmanager
def open_engine(
    name: str = "auto",
    *,
    workers: int | None = None,
    folder: Path = Path(),
    options: Mapping[str, str] | None = None,
) -> Iterator[Engine]:
    """An engine for as long as a ``with`` lasts; whatever it started ends with it.

    Args:
        name: ``local``, ``dask`` (a cluster of this machine), the address of a running Dask
            scheduler such as ``tcp://host:8786``, ``slurm``, or ``hosts`` (this program was
            started on each of them). ``auto`` is ``hosts`` where a launcher started several
            processes, else ``local``.
        workers: processes on this machine, for ``local`` (1 unless told: the calling one) and
            ``dask`` (one a core unless told).
        folder: the sweep's directory; ``slurm`` leaves its logs in ``slurm/`` there.
        options: the engine's own settings by name, as text, of ``slurm`` and ``hosts``.

    Raises:
        InputError: no such engine, its extra is not installed, it cannot be reached, or it was
            told what it does not know.
    """
    asked = Asked(name, workers, folder, options or {})
    if workers is not None and workers < 1:
        raise InputError(f"--workers: got {workers}, expected at least 1.")
    opener: Opener = _dask if "://" in name else resolve("engine", ENGINES, name)
    with opener(asked) as engine:
        yield engine


def _local(asked: Asked) -> AbstractContextManager[Engine]:
    _refuse_options(asked)
    workers = asked.workers or 1
    return in_processes(workers) if workers > 1 else in_this_process()


def _dask(asked: Asked) -> AbstractContextManager[Engine]:
    _refuse_options(asked)
    with _extra("dask"):
        from jaxattn.engine.executors.dask import on_dask
    if asked.name == "dask":
        return on_dask(None, asked.workers)
    if asked.workers is not None:
        raise InputError(
            f"--workers: got {asked.workers} with --engine {asked.name}, expected no number: a "
            "running cluster has its own; drop it."
        )
    return on_dask(asked.name, None)


def _slurm(asked: Asked) -> AbstractContextManager[Engine]:
    if asked.workers is not None:
        raise InputError(
            f"--workers: got {asked.workers} with --engine slurm, expected no number; bound the "
            "jobs at one time by --options array_parallelism=N."
        )
    with _extra("slurm"):
        from jaxattn.engine.executors.slurm import on_slurm
    return on_slurm(asked.folder / "slurm", asked.options)


def _hosts(asked: Asked) -> AbstractContextManager[Engine]:
    if asked.workers is not None:
        raise InputError(
            f"--workers: got {asked.workers} with --engine hosts, expected no number: the launcher "
            "decides; drop it."
        )
    return on_hosts(asked.options)


def _auto(asked: Asked) -> AbstractContextManager[Engine]:
    return _hosts(asked) if started_by_a_launcher() else _local(asked)


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Say how to install what an engine needs."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"--engine: got no package {error.name!r}, expected jaxattn with its extra {name}; "
            f"run pip install 'jaxattn[{name}]'."
        ) from error


def _refuse_options(asked: Asked) -> None:
    for name in asked.options:
        raise InputError(
            f"engine {asked.name}: got the setting {name!r}, expected none; drop it, or choose "
            "the engine that has it."
        )


ENGINES: Mapping[str, Opener] = {
    "local": _local,
    "dask": _dask,
    "slurm": _slurm,
    "hosts": _hosts,
    "auto": _auto,
}
