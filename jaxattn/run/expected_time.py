"""How long training will take, about: told from its programs before any row of it is back.

Nothing is compiled or run for it: programs are traced, which each is before it is compiled.
"""

import os
from collections.abc import Sequence

import jax

from jaxattn.core.contracts import Splits
from jaxattn.core.operations import operations_of
from jaxattn.run.job import Job

__all__ = ["expected_seconds"]


_FLOPS, _BYTES = 150e9, 12e9
"""What one core of a server does a second. On two of them, busy with other work too, comparisons of
linear and MLP models on digits and bags took 0.85 to 1.3 times what was foretold by these."""


def expected_seconds(
    jobs: Sequence[Job], data: Splits, steps: float, compiling: float
) -> float | None:
    """Seconds until these jobs are done.

    Args:
        jobs: of training.
        data: what a chunk of the first one is given; that of the others has the same shapes.
        steps: how many a row takes, in the mean.
        compiling: seconds until all their programs are there.

    Returns:
        None on an accelerator, whose pace depends on more than how much there is to do.
    """
    if jax.local_devices()[0].platform != "cpu":
        return None
    work, tiles = zip(*[_work(job, data, steps) for job in jobs], strict=True)
    cores = min(os.cpu_count() or 1, jobs[0].plan.tiles_per_chunk, sum(tiles))
    return compiling + sum(work) / cores


def _work(job: Job, data: Splits, steps: float) -> tuple[float, int]:
    """Seconds of one core for all its tiles, and how many they are: others fill the last round."""
    plan, saves = job.plan, job.group.study.save_steps
    rows = plan.chunk(0).rows
    stages, _ = job.traces(plan.seed_of(rows), job.hypers_of(rows), data)
    does = [operations_of(stage.jaxpr, steps / len(saves)) for stage in stages]
    tiles = -(-plan.size // plan.tile)
    return tiles * sum(each.flops / _FLOPS + each.bytes / _BYTES for each in does), tiles
