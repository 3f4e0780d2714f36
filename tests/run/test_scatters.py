"""No gradient adds by an index: on a GPU rows would be added in whatever order threads come."""

import pytest
from helpers import study_of

from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.run.data_source import Sources
from jaxattn.run.job import plan_jobs

# select_and_scatter is the gradient of a maximum over windows; XLA has no other form of it.
ADDING = ("scatter-add", "scatter_add", "scatter-mul", "select_and_scatter")


@pytest.mark.needs_x64
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_training_its_flow_and_measures_add_nothing_by_an_index(paradigm):
    # A flow is made of the gradient of its paradigm, which training has too: one of both is traced.
    flows = 1 if paradigm == "hybrid" else 0
    study = study_of(
        "orthogonal-population", paradigms=(paradigm,), seeds=1, saves=2, steps=2, flow_seeds=flows
    )
    sources, traced = Sources(study), []
    for job in plan_jobs(study):
        rows = job.plan.chunk(0).rows
        data = sources.of(job, rows)
        stages, _ = job.traces(job.plan.seed_of(rows), job.hypers_of(rows), data)
        traced += [str(stage.jaxpr) for stage in stages]
    assert len(traced) >= 5
    assert [name for name in ADDING for text in traced if name in text] == []
