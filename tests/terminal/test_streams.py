"""Whoever reads a command's output, and for how long: its work is done, and its code says how."""

import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import sys
from jaxattn.terminal.streams import finish_output, lasting_streams

with lasting_streams():
    kept = open(sys.argv[1], "w")
    for line in range(20_000):
        print("a line for whoever reads it", file=sys.stdout)
        print("how far it is", file=sys.stderr, flush=True)
    print("the end", file=kept, flush=True)
    lost = finish_output()
sys.exit(9 if lost else 5)
"""


def run(folder: Path, words: str) -> int:
    """The exit code of the work under these words of a shell."""
    script, kept = folder / "work.py", folder / "kept"
    script.write_text(WORK)
    shell = f"{sys.executable} {script} {kept} {words}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=100)
    assert kept.read_text() == "the end\n"
    return done.returncode


@pytest.mark.parametrize(
    "words",
    [
        "2>&1 | head -1; exit ${PIPESTATUS[0]}",
        "| head -1; exit ${PIPESTATUS[0]}",
        "2> >(head -1)",
        "2>&-",
        ">&-",
        ">&- 2>&- <&-",
        "> /dev/null",
    ],
)
def test_work_is_done_and_its_code_is_its_own_whoever_reads(words: str, tmp_path: Path) -> None:
    assert run(tmp_path, words) == 5


def test_an_answer_that_a_full_disk_lost_is_known(tmp_path: Path) -> None:
    assert run(tmp_path, "> /dev/full") == 9


def test_a_command_whose_answer_is_lost_says_so_and_fails() -> None:
    command = f"{sys.executable} -m jaxattn --version > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert done.stderr.startswith("jaxattn: could not write the answer: No space left on device")
    assert len(done.stderr.splitlines()) == 1
