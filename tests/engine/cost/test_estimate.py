"""`jaxattn sweep plan` as a person meets it."""

import json
import subprocess
import sys

import pytest
from commands import SCRIPT
from small_sweeps import sweep, tiny

pytestmark = pytest.mark.needs_x64


def test_a_plan_says_what_a_sweep_would_cost_and_runs_nothing(tmp_path):
    (tmp_path / "spec.toml").write_text(tiny(seeds=40, layout="tile = 2\nchunk = 8"))
    answer = sweep("plan", "spec.toml", "--no-probe", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "160 runs in 2 groups, which is as many compilations, and 20 chunks." in answer.out
    assert "not known without a probe" in answer.out
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


@pytest.mark.slow
def test_a_plan_is_one_json_object_whose_disk_is_what_a_run_writes(tmp_path):
    (tmp_path / "spec.toml").write_text(tiny(seeds=40, layout="tile = 2\nchunk = 8"))
    answer = sweep("plan", "spec.toml", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["runs"], found["compilations"], found["chunks"]) == (160, 2, 20)
    assert [group["paradigm"] for group in found["groups"]] == ["soft", "hard"]
    assert found["probed"] == 2
    assert not found["memory_is_least"]
    assert found["seconds"] > 0
    assert found["compiling_seconds"] > 0
    ran = sweep("run", "spec.toml", "--out", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    files = [*tmp_path.glob("out/chunks/*.nc"), tmp_path / "out/results.nc"]
    assert found["disk"] == pytest.approx(sum(file.stat().st_size for file in files), rel=0.05)


def test_a_budget_too_small_for_one_tile_is_bad_input(tmp_path):
    (tmp_path / "spec.toml").write_text(tiny(layout="memory = 100"))
    answer = sweep("plan", "spec.toml", cwd=tmp_path)
    assert answer.code == 2
    assert answer.err.startswith("jaxattn: layout.memory: got 100 B, expected at least ")
    assert answer.err.count("\n") == 1


TEN_MILLION = """
[task]
name = "orthogonal"
[axes]
paradigm = ["soft", "hard", "lvml"]
segments = [10, 20]
learning_rate = { log = [0.01, 1.0], count = 10 }
draw = { random = { temperature = { log = [0.1, 10.0] }, focus_rate = [0.5, 1.0] }, count = 2605 }
seed = { count = 64 }
"""


@pytest.mark.default_xla
@pytest.mark.slow
def test_ten_million_runs_are_planned_in_two_gigabytes(tmp_path):
    (tmp_path / "spec.toml").write_text(TEN_MILLION)
    program = (
        "import resource, subprocess, sys; "
        "code = subprocess.run(sys.argv[1:]).returncode; "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); "
        "sys.exit(code)"
    )
    words = [SCRIPT, "sweep", "plan", "spec.toml", "--no-probe", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", program, sys.executable, *map(str, words)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"] == 10_003_200
    assert int(done.stderr.split()[-1]) * 1024 < 2 * 10**9
