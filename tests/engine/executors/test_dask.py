import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import chunk_work
import pytest
from small_sweeps import begin, contents, sweep, tiny, with_cache

from jaxattn.core.contracts import InputError
from jaxattn.engine.executors.base import LostWork
from jaxattn.engine.executors.open import open_engine

pytest.importorskip("distributed")


@contextmanager
def dask(
    *words: object, says: str, before: tuple[str, ...] = (), **environment: str
) -> Iterator[tuple[subprocess.Popen, str]]:
    """A command of Dask's as a person starts it, and the word after `says` in what it prints."""
    given = {**os.environ, **environment, "PYTHONPATH": chunk_work.PYTHONPATH}
    command = [*before, sys.executable, "-m", "dask", *map(str, words), "--no-dashboard"]
    process = subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if says in line)
            yield process, line.rpartition(says)[2].split()[0]
        finally:
            process.kill()


@contextmanager
def cluster(*before: tuple[str, ...], **environment: str) -> Iterator[tuple[str, list]]:
    """A scheduler's address and its workers, one for each of the words put before its command."""
    with ExitStack() as stack:
        local = ("--host", "127.0.0.1", "--port", 0)
        _, address = stack.enter_context(dask("scheduler", *local, says="Scheduler at:"))
        one = ("worker", address, "--nthreads", 1, "--no-nanny")
        started = [
            stack.enter_context(dask(*one, says="Registered to:", before=words, **environment))[0]
            for words in before
        ]
        yield address, started


@pytest.mark.slow
def test_a_running_cluster_gives_the_same_bits_though_a_worker_is_killed(tmp_path: Path) -> None:
    numbers = range(30)
    # A worker that may use one core only must still compute as one that may use all.
    narrow = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    with cluster((), narrow) as (address, workers), open_engine(address) as engine:
        found = {}
        for number, content in engine.results(partial(chunk_work.slow, tmp_path), numbers):
            found[number] = content
            if len(found) == 5:
                workers[0].send_signal(signal.SIGKILL)
    assert found == {number: chunk_work.compute(number) for number in numbers}
    marks = [int(mark.suffix[1:]) for mark in tmp_path.iterdir()]
    assert {worker.pid for worker in workers} == set(marks)
    assert len(marks) > len(numbers), "the killed worker's last chunk was begun twice"


@pytest.mark.slow
@pytest.mark.needs_x64
def test_a_sweep_leaves_what_it_would_alone_though_a_worker_is_killed(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(tiny(seeds=8))
    environment = with_cache(tmp_path / "cache")
    here = {"cwd": tmp_path, "environment": environment}
    alone = sweep("run", "spec.toml", "--out", "alone", **here)
    assert alone.code == 0, alone.err
    with (
        cluster((), (), **environment) as (address, workers),
        begin("run", "spec.toml", "--out", "two", "--engine", address, **here) as run,
    ):
        while not list(tmp_path.glob("two/chunks/*.nc")):
            assert run.poll() is None
            time.sleep(0.01)
        workers[0].kill()
        assert run.wait(timeout=100) == 0
    assert contents(tmp_path / "two") == contents(tmp_path / "alone")


@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same_bits_and_the_chunk_that_raised() -> None:
    with open_engine("dask", workers=2) as engine:
        found = dict(engine.results(chunk_work.compute, range(6)))
        assert found == {number: chunk_work.compute(number) for number in range(6)}
        said = {content.decode() for _, content in engine.results(chunk_work.who, range(8))}
        here = chunk_work.who(0).decode()
        assert {line.split(" ", 1)[1] for line in said} == {here.split(" ", 1)[1]}
        files = dict(engine.results(chunk_work.as_file, range(2)))
        assert files == {number: chunk_work.as_file(number) for number in range(2)}
        with pytest.raises(ZeroDivisionError) as caught:
            list(engine.results(chunk_work.fail_at_five, range(9)))
        assert caught.value.__notes__ == ["(in chunk 5)"]


@pytest.mark.slow
def test_a_chunk_that_kills_every_worker_is_given_up_in_one_line() -> None:
    with open_engine("dask", workers=1) as engine, pytest.raises(LostWork) as caught:
        list(engine.results(chunk_work.die_at_five, [5]))
    assert str(caught.value).startswith("chunk 5 not computed: the Dask scheduler went away, or")
    assert caught.value.numbers == (5,)


@pytest.mark.slow
def test_a_worker_with_another_thread_pool_is_refused() -> None:
    with (
        cluster((), NPROC="7") as (address, _),
        pytest.raises(InputError, match=r"got a thread pool of 7, expected .* start the worker"),
        open_engine(address),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxattn.engine.executors.dask.TIMEOUT", 0.5)
    with (
        pytest.raises(InputError, match=r"'tcp://127.0.0.1:1', where no Dask scheduler answered"),
        open_engine("tcp://127.0.0.1:1"),
    ):
        pass


def test_a_running_cluster_has_its_own_workers() -> None:
    said = "--workers: got 2 with --engine tcp://127.0.0.1:1, expected no number"
    with pytest.raises(InputError, match=said), open_engine("tcp://127.0.0.1:1", workers=2):
        pass
