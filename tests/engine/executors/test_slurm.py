import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import chunk_work
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.engine.executors.base import Engine, LostWork
from jaxattn.engine.executors.open import open_engine

pytest.importorskip("submitit")

from jaxattn.engine.executors import slurm as slurm_jobs


def node_module() -> object:
    place = Path(__file__).with_name("slurm_on_this_node.py")
    spec = importlib.util.spec_from_file_location("slurm_on_this_node", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NODE = node_module()


@pytest.fixture(autouse=True)
def _jobs_find_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", chunk_work.PYTHONPATH)
    monkeypatch.setattr(slurm_jobs, "POLL", 0.1)


def as_processes(folder: Path, **options: str) -> AbstractContextManager[Engine]:
    """The same jobs by submitit's own executor of processes."""
    return slurm_jobs.on_slurm(folder / "slurm", options, cluster="local")


def test_jobs_give_the_same_bits_and_leave_only_their_logs(tmp_path: Path) -> None:
    with as_processes(tmp_path, partition="gpu") as engine:
        found = dict(engine.results(chunk_work.compute, (3, 1, 4)))
    assert found == {number: chunk_work.compute(number) for number in (3, 1, 4)}
    assert {path.suffix for path in (tmp_path / "slurm").iterdir()} <= {".sh", ".out", ".err"}


@pytest.mark.slow
def test_a_job_that_fails_names_its_log_and_the_others_are_kept(tmp_path: Path) -> None:
    found = {}
    with as_processes(tmp_path, chunks_per_job="2") as engine, pytest.raises(LostWork) as caught:
        found.update(engine.results(chunk_work.fail_at_five, (1, 2, 4, 5)))
    assert sorted(found) == [1, 2]
    assert caught.value.numbers == (4, 5)
    said = str(caught.value)
    assert said.startswith("chunks 4, 5 not computed: job")
    log = Path(said.rpartition("see ")[2].rstrip("."))
    assert "ZeroDivisionError: five\n(in chunk 5)" in log.read_text()


@pytest.mark.slow
def test_a_preempted_job_goes_on_after_the_chunks_it_has(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with as_processes(tmp_path, chunks_per_job="8") as engine:
        results = engine.results(partial(chunk_work.slow, marks), range(8))
        found = dict(_interrupting(results, marks))
    assert found == {number: chunk_work.compute(number) for number in range(8)}
    begun = [int(mark.stem) for mark in marks.iterdir()]
    assert len({mark.suffix for mark in marks.iterdir()}) == 2, "it ran in two processes"
    assert len(begun) <= 9, "all but the chunk that was interrupted were begun once"


def _interrupting(results: Iterator[tuple[int, bytes]], marks: Path) -> Iterator[tuple[int, bytes]]:
    """Send what SLURM sends before it preempts, once three chunks were begun."""
    import threading

    def interrupt() -> None:
        while len(list(marks.iterdir())) < 3:
            time.sleep(0.05)
        os.kill(int(next(marks.iterdir()).suffix[1:]), signal.SIGUSR2)

    thread = threading.Thread(target=interrupt)
    thread.start()
    yield from results
    thread.join()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    if why := NODE.missing():
        pytest.skip(why)
    with NODE.slurm(tmp_path_factory.mktemp("node")) as environment:
        yield environment


@pytest.fixture
def on_slurm(slurm: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
@pytest.mark.usefixtures("on_slurm")
def test_slurm_gives_the_same_bits_in_a_job_array(tmp_path: Path) -> None:
    options = {"chunks_per_job": "2", "partition": "test", "cpus_per_task": "1"}
    with open_engine("slurm", folder=tmp_path, options=options) as engine:
        found = dict(engine.results(chunk_work.compute, range(5)))
    assert found == {number: chunk_work.compute(number) for number in range(5)}
    scripts = [path.read_text() for path in (tmp_path / "slurm").glob("*_submission.sh")]
    assert any("--array=0-2" in script and "--partition=test" in script for script in scripts)


@pytest.mark.slow
@pytest.mark.usefixtures("on_slurm")
def test_a_job_that_slurm_saw_die_names_its_log_and_the_others_are_kept(tmp_path: Path) -> None:
    found = {}
    options = {"chunks_per_job": "1"}
    with (
        open_engine("slurm", folder=tmp_path, options=options) as engine,
        pytest.raises(LostWork) as caught,
    ):
        found.update(engine.results(chunk_work.die_at_five, (4, 5, 6)))
    assert sorted(found) == [4, 6]
    assert caught.value.numbers == (5,)
    assert "ended as FAILED, see " in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("on_slurm")
def test_leaving_early_cancels_the_jobs(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with open_engine("slurm", folder=tmp_path, options={"chunks_per_job": "1"}) as engine:
        results = engine.results(partial(chunk_work.endless_but_first, marks), range(3))
        assert next(results)[0] == 0
        results.close()
    end = time.monotonic() + 20
    while said := subprocess.check_output(["squeue", "-h"], text=True):
        assert time.monotonic() < end, said
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.needs_x64
@pytest.mark.usefixtures("on_slurm")
def test_hosts_that_srun_starts_find_each_other(tmp_path: Path) -> None:
    program = Path(__file__).with_name("hosts_program.py")
    command = ["srun", "--ntasks=2", "--immediate=30", sys.executable, program, tmp_path, "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "count").read_text() == "9"
    for number in range(9):
        assert (tmp_path / str(number)).read_bytes() == chunk_work.compute(number)


@pytest.mark.slow
@pytest.mark.usefixtures("on_slurm")
def test_what_sbatch_refuses_is_one_line(tmp_path: Path) -> None:
    options = {"partition": "no-such"}
    with (
        open_engine("slurm", folder=tmp_path, options=options) as engine,
        pytest.raises(
            InputError, match=r"--options: got 'sbatch: error: .*invalid partition"
        ) as caught,
    ):
        list(engine.results(chunk_work.compute, range(2)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"time": "1:00"}, "--options: got time=1:00, expected a whole number of minutes"),
        ({"chunks_per_job": "0"}, "--options: got chunks_per_job=0, expected a whole number"),
        ({"nodes": "4"}, "--options: got nodes=4, expected none: a job is one process"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(
    tmp_path: Path, options: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said), as_processes(tmp_path, **options):
        pass


def test_a_machine_without_slurm_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = "--engine slurm: got a machine without srun"
    with pytest.raises(InputError, match=said), open_engine("slurm", folder=tmp_path):
        pass


def test_a_folder_whose_name_slurm_would_read_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"--out: got '.*a%j', expected a path without %"),
        slurm_jobs.on_slurm(tmp_path / "a%j", {}, cluster="local"),
    ):
        pass
    assert not list(tmp_path.iterdir())
