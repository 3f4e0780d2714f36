"""Open an engine by its name: this process, several, a Dask cluster, SLURM, or several hosts.

Each is an executor that exists already: it schedules and, where it can, retries. What is ours
keeps it supplied, sets its workers up and says in one line what went wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jaxattn.contracts import InputError
from jaxattn.engine.local import in_processes, in_this_process
from jaxattn.engine.work import Engine
from jaxattn.names import resolve

__all__ = ["ENGINES", "Asked", "open_engine"]


@dataclass(frozen=True)
class Asked:
    """What an engine is told; see `open_engine`. It refuses what means nothing to it."""

    name: str = "local"
    workers: int | None = None
    folder: Path = Path()
    options: Mapping[str, str] = field(default_factory=dict)


Opener = Callable[[Asked], AbstractContextManager[Engine]]


@contextmanager
def open_engine(
    name: str = "local",
    *,
    workers: int | None = None,
    folder: Path = Path(),
    options: Mapping[str, str] | None = None,
) -> Iterator[Engine]:
    """An engine for as long as a ``with`` lasts; whatever it started ends with it.

    Args:
        name: ``local``.
        workers: processes on this machine; 1, the default of ``local``, is the calling one.
        folder: the sweep's directory, where an engine may leave its logs.
        options: the engine's own settings by name.

    Raises:
        InputError: no such engine, its extra is not installed, it cannot be reached, or it was
            told what it does not know.
    """
    asked = Asked(name, workers, folder, options or {})
    if workers is not None and workers < 1:
        raise InputError(f"--workers: got {workers}, expected at least 1.")
    opener: Opener = resolve("engine", ENGINES, name)
    with opener(asked) as engine:
        yield engine


def _local(asked: Asked) -> AbstractContextManager[Engine]:
    _refuse_options(asked)
    workers = asked.workers or 1
    return in_processes(workers) if workers > 1 else in_this_process()


def _refuse_options(asked: Asked) -> None:
    for name in asked.options:
        raise InputError(
            f"engine {asked.name}: got the setting {name!r}, expected none; drop it, or choose "
            "the engine that has it."
        )


ENGINES: Mapping[str, Opener] = {"local": _local}
