import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chunk_work
import jax
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.engine.executors.base import Engine, LostWork
from jaxattn.engine.executors.open import open_engine

NUMBERS = (3, 1, 4, 15, 9, 2, 6)


@pytest.fixture(scope="module")
def expected() -> dict[int, bytes]:
    return {number: chunk_work.compute(number) for number in NUMBERS}


@pytest.fixture(scope="module")
def processes() -> Iterator[Engine]:
    with open_engine(workers=2) as engine:
        yield engine


def test_this_process_computes_every_chunk(expected: dict[int, bytes]) -> None:
    with open_engine() as engine:
        assert (engine.process, engine.processes) == (0, 1)
        engine.barrier("begun")
        assert dict(engine.results(chunk_work.compute, NUMBERS)) == expected


def test_processes_of_this_machine_give_the_same_bits(
    processes: Engine, expected: dict[int, bytes]
) -> None:
    assert dict(processes.results(chunk_work.compute, NUMBERS)) == expected
    said = {content.decode() for _, content in processes.results(chunk_work.who, range(8))}
    here = chunk_work.who(0).decode()
    assert {line.split(" ", 1)[1] for line in said} == {here.split(" ", 1)[1]}
    assert str(os.getpid()) not in {line.split()[0] for line in said}


def test_a_precision_of_the_opener_alone_is_that_of_its_chunks() -> None:
    other = not jax.config.jax_enable_x64
    with jax.enable_x64(other), open_engine() as engine:
        ((_, content),) = engine.results(chunk_work.compute, [0])
    assert len(content) == 3 * (8 if other else 4)


def test_no_more_chunks_are_taken_than_there_is_room_for() -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with open_engine() as engine:
        results = engine.results(chunk_work.a_megabyte, numbers())
        for done, _ in enumerate(results, start=1):
            assert len(taken) <= done + 1
    assert len(taken) == 100


def test_what_a_chunk_raises_comes_with_its_number_and_spoils_no_engine(processes: Engine) -> None:
    with open_engine() as here:
        for engine in (here, processes):
            with pytest.raises(ZeroDivisionError, match="five") as caught:
                list(engine.results(chunk_work.fail_at_five, range(9)))
            assert caught.value.__notes__ == ["(in chunk 5)"]
            assert dict(engine.results(chunk_work.fail_at_five, [1, 2])) == {1: b"\1", 2: b"\2"}


def test_what_a_person_can_mend_is_one_line_with_the_chunk() -> None:
    def refuse(number: int) -> bytes:
        raise InputError("got 1, expected 2.")

    with open_engine() as engine, pytest.raises(InputError, match=r"^chunk 7: got 1, expected 2"):
        list(engine.results(refuse, [7]))


def test_a_worker_that_dies_is_one_line_and_loses_nothing_yielded() -> None:
    kept = {}
    with open_engine(workers=2) as engine, pytest.raises(LostWork) as caught:
        kept.update(engine.results(chunk_work.die_at_five, range(100)))
    assert 5 in caught.value.numbers
    assert kept
    assert not kept.keys() & set(caught.value.numbers)
    assert "a worker process died" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(content == bytes([number]) for number, content in kept.items())


SCRIPT = """
import sys
from functools import partial
from pathlib import Path

import chunk_work
from jaxattn.engine.executors.open import open_engine

if __name__ == "__main__":
    try:
        with open_engine(workers=2) as engine:
            list(engine.results(partial(chunk_work.endless, Path(sys.argv[1])), range(9)))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_workers_end_with_the_process_that_opened_them(
    tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    script, marks = tmp_path / "script.py", tmp_path / "marks"
    script.write_text(SCRIPT)
    marks.mkdir()
    run = subprocess.Popen(
        [sys.executable, script, marks],
        env={**os.environ, "PYTHONPATH": chunk_work.PYTHONPATH},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _until(lambda: len(list(marks.iterdir())) == 2)
    workers = [int(mark.suffix[1:]) for mark in marks.iterdir()]
    if sent == signal.SIGINT:
        os.killpg(run.pid, sent)  # as a terminal does: to the whole group
    else:
        run.kill()
    said = run.communicate(timeout=30)[1]
    assert run.returncode == code
    assert sent == signal.SIGKILL or said == b""  # Python tidies up after a kill, and says so
    _until(lambda: not any(map(_lives, workers)))


def _lives(process: int) -> bool:
    """Whether a process exists and is not a zombie that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"name": "locall"}, "unknown engine: got 'locall'.*did you mean 'local'"),
        ({"workers": 0}, "--workers: got 0, expected at least 1"),
        ({"name": "slurm", "workers": 2}, "--workers: got 2 with --engine slurm"),
        ({"name": "hosts", "workers": 2}, "--workers: got 2 with --engine hosts"),
        (
            {"name": "local", "options": {"partition": "gpu"}},
            "engine local: got the setting 'partition'",
        ),
    ],
)
def test_what_no_engine_knows_is_one_line(words: dict, said: str) -> None:
    with pytest.raises(InputError, match=said), open_engine(**words):
        pass


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("dask", "distributed", "dask"),
        ("tcp://x:1", "distributed", "dask"),
        ("slurm", "submitit", "slurm"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    for loaded in list(sys.modules):
        if loaded.startswith(("jaxattn.engine.executors.dask", "jaxattn.engine.executors.slurm")):
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    said = f"got no package '{package}', expected .* run pip install 'jaxattn\\[{extra}\\]'"
    with pytest.raises(InputError, match=said), open_engine(name):
        pass
