"""What a Dask worker does when it starts; it loads neither jax nor what loads jax, see `Setup`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import dask
from distributed import WorkerPlugin

from jaxattn.engine.setup import Setup

__all__ = ["SetUp", "by_itself"]

T = TypeVar("T")


@dataclass
class SetUp(WorkerPlugin):
    """Set a worker as the process that sends the chunks; Dask does so with late comers too."""

    how: Setup
    name: str = "jaxattn"

    def setup(self, worker: Any) -> None:
        """Called by Dask in the worker."""
        del worker
        self.how.apply()


def by_itself(work: Callable[[int], T], number: int) -> T:
    """Compute a chunk with nothing of Dask's inside: it is one process's work.

    In a worker, xarray would ask the scheduler for a lock on what it writes, if only in memory.
    """
    with dask.config.set(scheduler="synchronous"):
        return work(number)
