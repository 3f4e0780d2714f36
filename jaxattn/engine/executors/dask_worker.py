"""What a Dask worker does when it starts; it loads neither jax nor what loads jax, see `Setup`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask
from distributed import WorkerPlugin

from jaxattn.engine.executors.worker_setup import Setup

__all__ = ["SetUp", "in_a_task"]


@dataclass
class SetUp(WorkerPlugin):
    """Set a worker as the process that sends the chunks; Dask does so with late comers too."""

    how: Setup
    name: str = "jaxattn"

    def setup(self, worker: Any) -> None:
        """Called by Dask in the worker."""
        self.how.apply()
        # The profiler looks at every frame, and for that long HDF5's handles in it stay open: the
        # numbers in a file would be the same, but not the places where HDF5 puts them.
        profiler = worker.periodic_callbacks.pop("profile", None)
        if profiler is not None:
            profiler.stop()


def in_a_task(work: Callable[[int], Any], number: int) -> Any:
    """One chunk. xarray in it must not take the cluster for its own, nor lock files through it."""
    with dask.config.set(scheduler="synchronous"):
        return work(number)
