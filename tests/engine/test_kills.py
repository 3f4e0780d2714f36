"""Sweeps that are killed again and again lose no finished chunk, and end as if nothing happened."""

import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import xarray as xr
from small_sweeps import begin, contents, cores, events, fingerprint, left_over, sweep, tiny
from small_sweeps import with_cache as environment_with

import jaxattn

SWEEPS, CHUNKS, KILLS = 10, 40, 5
SPEC = tiny(seeds=10, layout="tile = 1\nchunk = 1")


class Moment(NamedTuple):
    """When a process is killed: so many seconds after something is seen."""

    sign: str
    """start; or a file: spec, results; or chunk; or .part, a temporary file in the writing."""
    chunks: int
    """The sign counts from when there are so many chunks."""
    delay: float


def moments(number: int) -> list[Moment]:
    """Five moments of a sweep's life, the earlier first, others for every sweep."""
    draw = random.Random(number)
    # What happens before the first chunk takes long but is little: so it gets kills of its own.
    first = draw.choice(
        [
            Moment("start", 0, draw.uniform(0, 3)),
            Moment(".lock", 0, draw.uniform(0, 0.02)),
            Moment("spec.json", 0, draw.uniform(0, 0.5)),
            Moment("results.nc", 0, draw.uniform(0, 0.5)),
            Moment(".part", 0, 0),
        ]
    )
    later = sorted(draw.sample(range(1, CHUNKS - 3), KILLS - 1))
    return [
        first,
        *(
            Moment(sign, chunks, 0 if sign == ".part" else draw.uniform(0, 0.03))
            for chunks in later
            for sign in [draw.choice(["chunk", "chunk", ".part", "start"])]
        ),
    ]


def _seen(folder: Path, moment: Moment, began: float) -> Callable[[], bool]:
    # Counted from what is there already, so that every life lasts until it has done something.
    before = len(list(folder.glob("chunks/*.nc")))
    enough = max(moment.chunks, before + 1)
    resumes = before > 0

    def count() -> int:
        return len(list(folder.glob("chunks/*.nc")))

    return {
        "start": lambda: resumes or time.monotonic() - began > moment.delay,
        "chunk": lambda: count() >= enough,
        ".part": lambda: bool(
            list(folder.glob("chunks/.*.part"))
            if moment.chunks and count() >= enough - 1
            else not moment.chunks and list(folder.glob(".*.part"))
        ),
    }.get(moment.sign, lambda: (folder / moment.sign).exists())


class Life(NamedTuple):
    """What one process did, and what it left."""

    killed: bool
    moment: Moment
    chunks: int
    parts: int


def live(folder: Path, spec: Path, moment: Moment, environment: dict[str, str]) -> Life:
    """Begin the sweep, or go on with it, and be killed."""
    there = (folder / "spec.json").exists()
    words = ("resume", folder) if there else ("run", spec, "--out", folder)
    process = begin(*words, cwd=spec.parent, environment=environment)
    seen = _seen(folder, moment, time.monotonic())
    while process.poll() is None and not seen():
        time.sleep(0.0005)
    time.sleep(moment.delay)
    process.send_signal(signal.SIGKILL)
    said = process.communicate()[1].decode()
    assert process.returncode in (0, -signal.SIGKILL), said
    parts = [*folder.glob(".*.part"), *folder.glob("chunks/.*.part")]
    done = len(list(folder.glob("chunks/*.nc")))
    return Life(process.returncode != 0, moment, done, len(parts))


def chain(folder: Path, spec: Path, number: int, environment: dict[str, str]) -> list[Life]:
    """A sweep killed five times, each time what was finished looked at."""
    lives: list[Life] = []
    kept: dict[str, tuple[str, int, int]] = {}
    for moment in moments(number):
        lives.append(live(folder, spec, moment, environment))
        now = fingerprint(folder)
        assert kept.items() <= now.items(), "a finished chunk was touched"
        kept = now
        if not lives[-1].killed:
            break
    last = ("resume", folder) if (folder / "spec.json").exists() else ("run", spec, "--out", folder)
    answer = sweep(*last, cwd=spec.parent, environment=environment)
    assert answer.code == 0, answer.err
    assert kept.items() <= fingerprint(folder).items(), "a finished chunk was touched"
    return lives


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, Path, dict[str, str]]:
    """The spec's file, the sweep that nobody disturbed, and the environment of all."""
    spec, undisturbed = tmp_path / "spec.toml", tmp_path / "undisturbed"
    spec.write_text(SPEC)
    environment = environment_with(tmp_path / "compiled")
    answer = sweep("run", spec, "--out", undisturbed, cwd=tmp_path, environment=environment)
    assert answer.code == 0, answer.err
    return spec, undisturbed, environment


@pytest.mark.slow
def test_ten_sweeps_killed_five_times_each_lose_nothing_and_end_as_if_undisturbed(
    tmp_path: Path, prepared: tuple[Path, Path, dict[str, str]]
) -> None:
    spec, undisturbed, environment = prepared
    expected = contents(undisturbed)
    assert len(expected) == CHUNKS + 2
    whole = jaxattn.open(undisturbed).load()
    folders = [tmp_path / f"killed-{number}" for number in range(SWEEPS)]
    with ThreadPoolExecutor(cores()) as pool:
        every = list(
            pool.map(
                lambda number: chain(folders[number], spec, number, environment), range(SWEEPS)
            )
        )
    for folder in folders:
        assert left_over(folder) == []
        assert contents(folder) == expected
        xr.testing.assert_identical(jaxattn.open(folder).load(), whole)
        # A kill may come before a chunk's line in the log, which is no part of the sweep.
        said = [found["chunk"] for found in events(folder, "chunk")]
        assert len(said) == len(set(said)), "a chunk was computed twice"
        assert not events(folder, "chunk not whole")
    lives = [life for one in every for life in one]
    assert sum(life.killed for life in lives) >= 0.8 * SWEEPS * KILLS, lives
    assert any(life.parts for life in lives), "no kill came in the middle of writing"
    assert any(life.chunks == 0 for life in lives), "no kill came before the first chunk"
