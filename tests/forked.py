"""Processes as fresh as those of ``python -c``, without the seconds that their imports take.

Each is forked from one process that has imported and done nothing else. It is a process of its own,
which may be killed, and which ends as any interpreter does.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import forking
import processor_time
from commands import ENVIRONMENT, Answer

__all__ = ["COMMAND", "LIBRARIES", "LIMIT", "MODULES", "Child", "Parent", "parent_of"]

LIBRARIES = (
    "diffrax",
    "flax.linen",
    "h5netcdf",
    "jax",
    "matplotlib.backends.backend_agg",
    "optax",
    "optimistix",
    "pandas",
    "rich.progress",
    "scipy.stats",
    "sklearn.datasets",
    "xarray",
)
"""What the package imports of others, which takes most of the time. Not the package: whether a
module of it is imported is for the child to show."""

MODULES = (*LIBRARIES, "dask.distributed", "jaxattn.cli.main", "jaxattn.engine.run_sweep")
"""What sweeps import, for what is tested of them is not that."""

LIMIT = 600
"""Seconds after which a child that should have ended is killed."""

COMMAND = "from jaxattn.cli.main import console; console()"
"""What the script ``jaxattn`` does."""


class Parent:
    """The process that forks children, each with these modules imported.

    Args:
        modules: that it imports.
        environment: its own and that of the children.
    """

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self._line, theirs = socket.socketpair()
        self._turn = threading.Lock()
        self._counted = 0.0
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, forking.__file__, str(theirs.fileno()), *modules],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def begin(self, code: str, *words: object, cwd: Path) -> "Child":
        """A child, in a process group of its own, that runs this code; the words are arguments."""
        out, err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115  # closed by `answer`
        asked = {"code": code, "argv": ["-c", *map(str, words)], "folder": str(cwd)}
        found = self.ask(asked, [out.fileno(), err.fileno()])
        return Child(self, found["pid"], out, err)

    def run(self, code: str, *words: object, cwd: Path) -> Answer:
        """The answer of a child that runs to its end."""
        return self.begin(code, *words, cwd=cwd).answer()

    def ask(self, asked: Mapping[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        """What the process answers, to one thread after the other."""
        with self._turn:
            socket.send_fds(self._line, [json.dumps(asked).encode()], files)
            answer = json.loads(self._line.recv(1 << 16))
            self._count(answer.get("seconds", 0))
        return answer

    def _count(self, seconds: float) -> None:
        self._counted += seconds
        processor_time.spent_elsewhere(seconds)

    def close(self) -> None:
        """End the process, whose children the system then counts as children of this one."""
        self._line.close()
        self._process.wait()
        self._count(-self._counted)


class Child:
    """A process, with what tests need of `subprocess.Popen`."""

    def __init__(self, parent: Parent, pid: int, out: IO[bytes], err: IO[bytes]) -> None:
        self._parent, self.pid, self._out, self._err = parent, pid, out, err
        self._ends = os.pidfd_open(pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._wait(0)

    def _wait(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._ends], [], [], seconds)[0]:
            self.returncode = self._parent.ask({"wait": self.pid})["code"]
            os.close(self._ends)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._ends, number)

    def answer(self) -> Answer:
        """Its exit code and what it said, once it has ended."""
        if self._wait(LIMIT) is None:
            signal.pidfd_send_signal(self._ends, signal.SIGKILL)
        code = self._wait(None)
        assert code is not None
        said = []
        for file in (self._out, self._err):
            with file:
                file.seek(0)
                said.append(file.read().decode())
        return Answer(code, *said)


@contextlib.contextmanager
def parent_of(
    modules: Sequence[str] = LIBRARIES, environment: Mapping[str, str] = ENVIRONMENT
) -> Iterator[Parent]:
    """A process that forks children, until the end of the block."""
    parent = Parent(modules, environment)
    try:
        yield parent
    finally:
        parent.close()
