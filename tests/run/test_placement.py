"""What all tiles share is given to an accelerator once, for as long as its data live."""

import gc
import weakref
from collections import Counter

import jax
import numpy as np
import pytest
from helpers import study_of

from jaxattn.run import data_source
from jaxattn.run.data_source import Sources
from jaxattn.run.device import Facts
from jaxattn.run.job import plan_jobs
from jaxattn.run.placement import share

DEVICE = jax.local_devices()[0]


@pytest.fixture
def study():
    return study_of(
        "orthogonal-population",
        paradigms=("soft", "hard"),
        seeds=1,
        saves=2,
        steps=1,
        vary=("init",),
    )


def put_of(sources, monkeypatch):
    """How often each array is put on a device, by its id."""
    counts, put = Counter(), jax.device_put

    def counting(leaf, device):
        counts[id(leaf)] += 1
        return put(leaf, device)

    monkeypatch.setattr(jax, "device_put", counting)
    return counts


@pytest.mark.parametrize(("platform", "times"), [("gpu", 1), ("cpu", 3)])
def test_chunks_of_all_paradigms_find_what_they_share_on_the_device(
    study, monkeypatch, platform, times
):
    monkeypatch.setattr(data_source, "facts_here", lambda: Facts(platform, "", None))
    sources, jobs = Sources(study), plan_jobs(study)
    counts, splits = put_of(sources, monkeypatch), []
    for job in (jobs[0], jobs[0], jobs[1]):
        data = sources.of(job, job.plan.chunk(0).rows)
        splits.append((data, share(data, DEVICE, False, sources.put)))
    assert {counts[id(leaf)] for leaf in jax.tree.leaves(splits[0][0])} == {times}
    # It is what it was.
    for data, there in splits:
        jax.tree.map(np.testing.assert_array_equal, data, there)


def test_what_is_on_the_device_goes_with_the_data(study, monkeypatch):
    monkeypatch.setattr(data_source, "facts_here", lambda: Facts("gpu", "", None))
    sources = Sources(study)
    there = share(sources.splits(0, plan_jobs(study)[0]), DEVICE, False, sources.put)
    known = [weakref.ref(leaf) for leaf in jax.tree.leaves(there)]
    del there
    assert all(leaf() is not None for leaf in known)
    del sources
    gc.collect()
    assert all(leaf() is None for leaf in known)
