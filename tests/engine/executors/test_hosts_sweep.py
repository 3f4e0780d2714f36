"""A sweep as the same command on two hosts, which are processes here."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SCRIPT
from small_sweeps import contents, sweep, tiny, with_cache

from jaxattn import sweeps


@pytest.mark.slow
@pytest.mark.needs_x64
def test_two_hosts_share_a_sweep_and_leave_what_one_would(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(tiny())
    environment = with_cache(tmp_path / "cache")
    alone = sweep("run", "spec.toml", "--out", "alone", cwd=tmp_path, environment=environment)
    assert alone.code == 0, alone.err
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["sweep", "run", "spec.toml", "--out", "both", "--engine", "hosts"]
    command += ["--options", f"coordinator_address=127.0.0.1:{port}"]
    started = [
        subprocess.Popen(
            [sys.executable, SCRIPT, *command, "num_processes=2", f"process_id={process}"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert contents(tmp_path / "both") == contents(tmp_path / "alone")
    log = sweeps.read_log(tmp_path / "both")
    chunks = log[log["event"] == "chunk"]["chunk"]
    assert sorted(chunks) == list(range(6)), "each chunk is computed once"
    begun = log[log["event"] == "begun"].sort_values("process")
    assert begun["missing"].tolist() == [3, 3]
    assert "in 6 chunks," in alone.out
