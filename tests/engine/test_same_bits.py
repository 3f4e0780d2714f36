"""The same store, bit for bit, on any number of devices and processes, and with lost workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from commands import ENVIRONMENT
from small_sweeps import begin, contents, fingerprint, left_over, sweep, with_cache

pytestmark = [pytest.mark.default_xla, pytest.mark.slow]

SPEC = """
[task]
name = "orthogonal"
segments = 5
classes = 4
train = 2000
validation = 0
test = 8
points = 50
[model]
name = "linear"
[settings]
steps = {steps}
saves = [0, {steps}]
batch_size = "all"
[axes]
paradigm = ["soft"]
learning_rate = [0.1, 0.3, 0.5]
seed = {{ count = 16 }}
[layout]
tile = {tile}
chunk = {chunk}
[output]
measures = ["accuracy"]
"""
"""Sums over 10,000 segments, which a CPU shares among its threads."""

THREADS = {"NPROC": "8"}
"""The one thing that must be equal: eight devices need as many."""


def stored(folder: Path, name: str, devices: int, workers: int) -> dict[str, bytes]:
    """What a sweep on so many devices or processes left, compiled anew."""
    flags = f"{ENVIRONMENT.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    answer = sweep(
        *("run", "spec.toml", "--out", name, "--workers", workers, "--no-cache"),
        cwd=folder,
        environment={**ENVIRONMENT, **THREADS, "XLA_FLAGS": flags},
    )
    assert answer.code == 0, answer.err
    assert left_over(folder / name) == []
    return contents(folder / name)


def test_devices_and_processes_change_no_bit(tmp_path: Path) -> None:
    # Eight tiles a chunk, so that eight devices have work, and three chunks, which two processes
    # share unevenly.
    (tmp_path / "spec.toml").write_text(SPEC.format(steps=5, tile=2, chunk=16))
    expected = stored(tmp_path, "one", 1, 1)
    assert len(expected) == 3 + 2
    for devices, workers in ((8, 1), (1, 2), (2, 2)):
        found = stored(tmp_path, f"{devices}-{workers}", devices, workers)
        assert found == expected, (devices, workers)


@contextmanager
def dask(*words: object, says: str, environment: dict[str, str]) -> Iterator[tuple]:
    """A command of Dask's as a person starts it, and the word after `says` in what it prints."""
    command = [Path(sys.executable).with_name("dask"), *map(str, words), "--no-dashboard"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if says in line)
            yield process, line.rpartition(says)[2].split()[0]
        finally:
            process.kill()


def test_a_cluster_that_loses_a_worker_midway_leaves_the_same_store(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    environment = with_cache(tmp_path / "compiled", **THREADS)
    spec, folder = tmp_path / "spec.toml", tmp_path / "cluster"
    spec.write_text(SPEC.format(steps=100, tile=1, chunk=1))
    answer = sweep("run", spec, "--out", "here", cwd=tmp_path, environment=environment)
    assert answer.code == 0, answer.err
    with ExitStack() as stack:
        place = ("--host", "127.0.0.1", "--port", 0)
        _, address = stack.enter_context(
            dask("scheduler", *place, says="Scheduler at:", environment=environment)
        )
        one = ("worker", address, "--nthreads", 1, "--no-nanny")
        workers = [
            stack.enter_context(dask(*one, says="Registered to:", environment=environment))[0]
            for _ in range(2)
        ]
        words = ("run", spec, "--out", folder, "--engine", address)
        process = begin(*words, cwd=tmp_path, environment=environment)
        end = time.monotonic() + 200
        while process.poll() is None and len(list(folder.glob("chunks/*.nc"))) < 5:
            assert time.monotonic() < end
            time.sleep(0.001)
        os.kill(workers[0].pid, signal.SIGKILL)
        kept = fingerprint(folder)
        said = process.communicate(timeout=200)[1].decode()
    assert process.returncode == 0, said
    assert 5 <= len(kept) < 48
    assert kept.items() <= fingerprint(folder).items()
    assert left_over(folder) == []
    assert contents(folder) == contents(tmp_path / "here")
