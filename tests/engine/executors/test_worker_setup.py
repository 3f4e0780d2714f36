"""What workers of one machine are told of the memory of a GPU that they share."""

import os

import jax
import pytest

from jaxattn.engine.executors import worker_setup
from jaxattn.engine.executors.worker_setup import memory_share, setup_here


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 64])
def test_shares_of_all_workers_leave_some_of_a_gpu_to_the_opener(workers):
    told = dict(memory_share("gpu", workers, {}))
    assert told["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    share = float(told["XLA_CLIENT_MEM_FRACTION"])
    # Of a share four digits are told: each may be half of the last one more.
    assert 0.9 - workers * 0.5e-4 <= workers * share <= 0.9 + workers * 0.5e-4 < 1


@pytest.mark.parametrize(
    ("platform", "workers", "environment"),
    [
        ("cpu", 4, {}),
        ("tpu", 4, {}),
        ("gpu", 0, {}),
        *(("gpu", 4, {name: "0.1"}) for name in worker_setup._MEMORY),
    ],
)
def test_nothing_is_told_where_nobody_shares_or_somebody_has_decided(
    platform, workers, environment
):
    assert memory_share(platform, workers, environment) == ()


def test_the_opener_takes_little_while_it_loads_its_devices_and_keeps_its_environment(monkeypatch):
    for name in worker_setup._MEMORY:
        monkeypatch.delenv(name, raising=False)
    before, devices, seen = dict(os.environ), jax.local_devices, []

    def loading():
        seen.append(os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE"))
        return devices()

    monkeypatch.setattr(jax, "local_devices", loading)
    setup_here(same_disk=True, workers=2)
    assert seen[0] == "false"
    seen.clear()
    setup_here(same_disk=True)
    assert seen[0] is None
    assert dict(os.environ) == before
