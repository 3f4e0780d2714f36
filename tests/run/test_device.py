"""How many rows go through a device together: a function of the device and of one row alone."""

from types import SimpleNamespace

import jax
import pytest
from helpers import study_of

from jaxattn.run import group_tile, job
from jaxattn.run.device import (
    COPIES,
    IN_FLIGHT,
    WIDER,
    Facts,
    budget_of,
    facts_here,
    rows_together,
)
from jaxattn.run.job import usual_tile
from jaxattn.study.groups import groups_of

GPU = Facts("gpu", "NVIDIA A", 80 << 30)


def test_a_cpu_takes_as_many_rows_as_suit_the_model_whatever_they_need():
    for memory in (None, 1):
        assert rows_together(4, Facts("cpu", "cpu", memory), 1 << 40) == 4


@pytest.mark.parametrize("memory", [1 << 20, 1 << 30, 16 << 30, 80 << 30])
@pytest.mark.parametrize("params", [1 << 8, 1 << 15, 1 << 20, 1 << 26])
@pytest.mark.parametrize("usual", [2, 4, 16])
def test_an_accelerator_takes_the_widest_tile_that_half_of_its_memory_holds(usual, params, memory):
    rows = rows_together(usual, Facts("gpu", "", memory), params)

    def fits(rows):
        return IN_FLIGHT * rows * COPIES * params <= memory / 2

    assert rows in {usual * wider for wider in (1, 2, 4, 8, 16, 32)}
    assert fits(rows) or rows == usual
    assert rows == WIDER * usual or not fits(2 * rows)


def test_an_accelerator_that_does_not_say_what_it_has_takes_hundreds_of_rows():
    assert rows_together(16, Facts("tpu", "", None), 1 << 20) == 512


def test_what_a_device_has_is_what_jax_may_use_of_it(monkeypatch):
    assert facts_here() == Facts("cpu", jax.local_devices()[0].device_kind, None)
    for known, memory in (({"bytes_limit": 3}, 3), ({}, None), (None, None)):
        device = SimpleNamespace(
            platform="gpu", device_kind="NVIDIA A", memory_stats=lambda known=known: known
        )
        monkeypatch.setattr(jax, "local_devices", lambda device=device: [device])
        assert facts_here() == Facts("gpu", "NVIDIA A", memory)
        assert budget_of(facts_here(), 7) == (memory or 7)


@pytest.mark.needs_x64
def test_the_tile_of_a_study_does_not_depend_on_how_many_rows_it_has(monkeypatch):
    monkeypatch.setattr(job, "facts_here", lambda: GPU)
    for seeds, rates in ((1, (0.1,)), (300, (0.1, 0.2))):
        study = study_of(
            "orthogonal-population",
            paradigms=("soft",),
            seeds=seeds,
            hypers={"learning_rate": rates},
            saves=2,
            steps=5,
        )
        # Training, and the flow that stands beside it here.
        tiles = [usual_tile(group) for group in groups_of(study)]
        assert tiles == [WIDER * 16, WIDER * job.FLOW_TILE]


def test_parameters_at_saves_are_kept_of_as_many_more_rows_as_a_tile_has():
    few, many = (group_tile._most_bytes(4 * wider, 4) for wider in (1, WIDER))
    assert (few, many) == (group_tile.MOST_BYTES, WIDER * group_tile.MOST_BYTES)
    # By the tile alone: a sweep laid out on a CPU is the same program on a GPU.
    assert group_tile._most_bytes(4 * WIDER - 1, 4) == few
