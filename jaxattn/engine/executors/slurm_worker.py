"""What one SLURM job does. This module loads neither jax nor what loads jax: see `Setup`."""

import pickle
from typing import Any

from submitit.core.utils import UncompletedJobError
from submitit.helpers import Checkpointable

from jaxattn.engine.executors.worker_setup import Setup

__all__ = ["Batch"]


class Batch(Checkpointable):
    """Some chunks, one after the other; a job that is requeued goes on after those it has done."""

    def __init__(self, how: Setup, work: Any, numbers: tuple[int, ...]) -> None:
        self.how = how
        # Unpickled when this process is set up, and not before: that may load jax.
        self.work = pickle.dumps(work)
        self.numbers = numbers
        self.done: dict[int, Any] = {}

    def __call__(self) -> dict[int, Any]:
        """All contents by number, or those finished before submitit gave the job up."""
        self.how.apply()
        work = pickle.loads(self.work)
        from jaxattn.engine.executors.base import labelled

        try:
            for number in [number for number in self.numbers if number not in self.done]:
                with labelled(number):
                    self.done[number] = work(number)
        except UncompletedJobError:
            pass
        return self.done
