import os
import socket
import subprocess
import sys
from pathlib import Path

import chunk_work
import pytest

from jaxattn.core.contracts import InputError
from jaxattn.engine.executors.hosts import share_of, started_by_a_launcher
from jaxattn.engine.executors.open import open_engine

PROGRAM = Path(__file__).with_name("hosts_program.py")


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 7, 8])
def test_shares_are_apart_even_and_make_the_whole(processes: int, count: int) -> None:
    numbers = [3 * number for number in range(count)]
    shares = [share_of(numbers, process, processes) for process in range(processes)]
    assert sorted(sum(shares, ())) == numbers
    sizes = list(map(len, shares))
    assert max(sizes) - min(sizes) <= 1


SRUN = {"SLURM_STEP_NODELIST": "a[1-2]", "SLURM_PROCID": "1"}


@pytest.mark.parametrize(
    ("environment", "several"),
    [
        ({}, False),
        ({**SRUN, "SLURM_STEP_NUM_TASKS": "2"}, True),
        ({**SRUN, "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, False),  # before srun
        ({"OMPI_COMM_WORLD_SIZE": "4"}, True),
        ({"TPU_WORKER_HOSTNAMES": "a,b"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
        ({"JAX_COORDINATOR_ADDRESS": "a:1234"}, True),
    ],
)
def test_a_launcher_of_several_is_detected(environment: dict[str, str], several: bool) -> None:
    assert started_by_a_launcher(environment) == several


def start_hosts(folder: Path, late: float, **of_second: str) -> list[tuple[int, str]]:
    """Exit code and errors of two processes that know of each other."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": chunk_work.PYTHONPATH}
    started = [
        subprocess.Popen(
            [
                *(sys.executable, PROGRAM, folder, str(late)),
                *(f"coordinator_address=127.0.0.1:{port}", "num_processes=2"),
                f"process_id={process}",
            ],
            env={**environment, **changed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process, changed in enumerate(({}, of_second))
    ]
    said = [process.communicate(timeout=100)[1] for process in started]
    return [(process.returncode, words) for process, words in zip(started, said, strict=True)]


@pytest.mark.slow
@pytest.mark.needs_x64
def test_two_hosts_give_the_same_bits_and_one_waits_for_the_other(tmp_path: Path) -> None:
    (tmp_path / "4").write_bytes(b"done before")
    # Longer than gloo's own limit, which XLA must have raised.
    assert [code for code, _ in start_hosts(tmp_path, late=33)] == [0, 0]
    assert (tmp_path / "count").read_text() == "9"
    found = {number: (tmp_path / str(number)).read_bytes() for number in range(9)}
    expected = {number: chunk_work.compute(number) for number in range(9)}
    assert found == {**expected, 4: b"done before"}


@pytest.mark.slow
def test_hosts_of_different_thread_pools_are_refused(tmp_path: Path) -> None:
    answers = start_hosts(tmp_path, 0, NPROC="7")
    assert all(code == 1 for code, _ in answers)
    assert all("got host 1 set otherwise than host 0 (threads: " in said for _, said in answers)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "engine hosts: got .* from JAX, expected to be started once on every host by srun"),
        ({"processes": "2"}, "engine hosts: got processes=2, expected coordinator_address, num_"),
        ({"process_id": "one"}, "engine hosts: got process_id=one, expected coordinator_address"),
    ],
)
def test_hosts_that_cannot_meet_are_told_in_one_line(options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught, open_engine("hosts", options=options):
        pass
    assert "\n" not in str(caught.value)
