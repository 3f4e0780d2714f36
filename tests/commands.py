"""Commands run as a person runs them, each in a process of its own and in an empty folder."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPT = Path(sys.executable).with_name("jaxattn")

# A person's own settings must not colour what is written.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")},
    "COLUMNS": "100",
}

MANY = """
import contextlib, io, json, sys, traceback

from jaxattn.cli.main import main

answers = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            code = 1
            traceback.print_exc()
    answers.append((code, out.getvalue(), err.getvalue()))
json.dump({"answers": answers, "modules": sorted(sys.modules)}, sys.stdout)
"""


class Answer(NamedTuple):
    """What a command left behind: its exit code and what it said."""

    code: int
    out: str
    err: str


def run(command: Sequence[object], cwd: Path, given: str | None = None) -> Answer:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=ENVIRONMENT,
        input=given,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def run_many(commands: Sequence[Sequence[object]], cwd: Path) -> tuple[list[Answer], list[str]]:
    """The answers to commands that share one process, as its start is what takes long.

    Also the modules that are imported by then.
    """
    words = [[str(word) for word in command] for command in commands]
    ran = run([sys.executable, "-c", MANY], cwd, json.dumps(words))
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    return [Answer(*answer) for answer in found["answers"]], found["modules"]


def once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], dict[str, Answer]]
) -> tuple[Path, dict[str, Answer]]:
    """The folder `name` and the answers that `make` got in it, made once for all xdist workers."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, answers = base / name, base / f"{name}.json"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answers.exists():
            folder.mkdir()
            answers.write_text(json.dumps(make(folder)))
    return folder, {name: Answer(*found) for name, found in json.loads(answers.read_text()).items()}
