"""The programs of whole studies: JAX can keep each of them in its cache."""

import jax
import pytest
from helpers import study_of

from jaxattn.flow import LIMITS, optimiser_of
from jaxattn.run.data_source import Sources
from jaxattn.run.job import plan_jobs

BATCHES = {
    "sde": {"batch_size": 8, "order": "with-replacement"},
    "reshuffling": {"batch_size": 8, "order": "shuffled"},
}


@pytest.mark.needs_x64
@pytest.mark.slow
@pytest.mark.parametrize("limit", LIMITS)
def test_a_program_of_a_study_calls_no_python(limit):
    # Of a program that does, JAX keeps nothing: it is compiled anew by every process.
    study = study_of(
        "orthogonal",
        paradigms=("soft",),
        seeds=1,
        steps=4,
        saves=2,
        evaluate=8,
        curvature=2,
        **BATCHES.get(limit, {"batch_size": "all"}),
        optimiser=optimiser_of([limit]),
        hypers={"learning_rate": 0.1},
        against=(limit,),
    )
    sources = Sources(study)
    for job in plan_jobs(study):
        rows = job.plan.chunk(0).rows
        given = job.plan.seed_of(rows), job.hypers_of(rows), sources.of(job, rows)
        stages, _ = job.traces(*given)
        assert stages
        for stage in stages:
            assert isinstance(stage, jax.stages.Traced)
            assert "callback" not in str(stage.jaxpr)
