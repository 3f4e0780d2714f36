"""What does planning ten million runs take, in seconds and in memory, in a process of its own?"""

import subprocess
import sys
from pathlib import Path

import pytest

RUNS, ROUNDS = 10_003_200, 3

SPEC = """
[task]
name = "orthogonal"
[axes]
paradigm = ["soft", "hard", "lvml"]
segments = [10, 20]
learning_rate = { log = [0.01, 1.0], count = 10 }
draw = { random = { temperature = { log = [0.1, 9.0] }, focus_rate = [0.5, 1, 2] }, count = 2605 }
seed = { count = 64 }
"""

MOST = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("groups", [6])
def test_plan(groups, in_turn, tmp_path):
    (tmp_path / "spec.toml").write_text(SPEC)
    jaxattn = Path(sys.executable).with_name("jaxattn")
    words = [sys.executable, jaxattn, "sweep", "plan", tmp_path / "spec.toml", "--no-probe"]

    def plan():
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        assert f"{RUNS:,} runs in {groups} groups" in done.stdout

    def helped():
        subprocess.run([sys.executable, jaxattn, "--help"], check=True, capture_output=True)

    measured = subprocess.run(
        [sys.executable, "-c", MOST, *words], check=True, capture_output=True, text=True
    )
    plan(), helped()
    in_turn(
        plan,
        {"the command alone, with --help": (helped, 1)},
        units=1,
        rounds=ROUNDS,
        question="plan",
        runs=RUNS,
        groups=groups,
        mib=int(measured.stdout.split()[-1]) / 1024,
    )
