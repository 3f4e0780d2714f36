"""What a Dask worker does when it starts; it loads neither jax nor what loads jax, see `Setup`."""

from dataclasses import dataclass
from typing import Any

from distributed import WorkerPlugin

from jaxattn.engine.setup import Setup

__all__ = ["SetUp"]


@dataclass
class SetUp(WorkerPlugin):
    """Set a worker as the process that sends the chunks; Dask does so with late comers too."""

    how: Setup
    name: str = "jaxattn"

    def setup(self, worker: Any) -> None:
        """Called by Dask in the worker."""
        del worker
        self.how.apply()
