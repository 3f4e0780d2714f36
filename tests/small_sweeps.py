"""Small sweeps that are really run, and the commands that run them, as a person gives them."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands import ENVIRONMENT, SCRIPT, Answer

from jaxattn.engine.log import read_log

TINY = """
[task]
name = "orthogonal-population"
segments = 3
classes = 3
[model]
name = "linear"
start = "normal"
[settings]
steps = 8
saves = [0, 4, 8]
batch_size = 2
[axes]
paradigm = {paradigms}
learning_rate = {rates}
seed = {{ count = {seeds} }}
{axes}
[layout]
{layout}
[output]
dynamics = {dynamics}
{output}
"""
"""Its rows take a millisecond each; what takes time is compiling and writing."""


def tiny(
    *,
    paradigms: str = '["soft", "hard"]',
    rates: str = "[0.1, 0.5]",
    seeds: int = 3,
    axes: str = "",
    layout: str = "tile = 2\nchunk = 2",
    dynamics: str = '["train"]',
    output: str = 'measures = ["accuracy", "time_to_fit"]',
) -> str:
    """A spec as TOML."""
    return TINY.format_map(locals())


def with_cache(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which commands share what they compile, in this folder."""
    on = {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return {**ENVIRONMENT, **on, **more}


def sweep(
    *words: object, cwd: Path, environment: Mapping[str, str] = ENVIRONMENT, before: str = ""
) -> Answer:
    """The answer to ``jaxattn sweep``, run after a line of shell."""
    done = subprocess.run(
        ["sh", "-c", f'{before} exec "$@"', "sh", SCRIPT, "sweep", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def begin(*words: object, cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """``jaxattn sweep`` in a process group of its own, not waited for."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, "sweep", *map(str, words)],
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def fingerprint(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Content, inode and time of writing of every finished chunk."""
    found = {}
    for path in sorted((folder / "chunks").glob("*.nc")):
        stat = path.stat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.name] = (digest, stat.st_ino, stat.st_mtime_ns)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file that is a pure function of the spec, by its path."""
    paths = [*folder.glob("chunks/*"), folder / "results.nc", folder / "spec.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def left_over(folder: Path) -> list[str]:
    """Temporary files, and what says that somebody is at work."""
    return sorted(p.name for p in folder.rglob("*") if p.suffix == ".part" or p.match(".holder*"))


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The log's events of a kind."""
    table = read_log(folder)
    return table[table["event"] == kind].to_dict("records")


def cores() -> int:
    """Of those that this process may use."""
    return len(os.sched_getaffinity(0))
