"""Sweeps that are killed again and again lose no finished chunk, and end as if nothing happened."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import xarray as xr
from forked import COMMAND, MODULES, Child, Parent, parent_of
from small_sweeps import contents, cores, events, fingerprint, left_over, tiny, with_cache

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
            Moment("start", 0, draw.uniform(0, 1.5)),
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


class Prepared(NamedTuple):
    """The spec's file, the sweep that nobody disturbed, and what forks every command."""

    spec: Path
    undisturbed: Path
    parent: Parent

    def begin(self, folder: Path) -> Child:
        """The command that begins the sweep of a folder, or goes on with it."""
        there = (folder / "spec.json").exists()
        words = ("resume", folder) if there else ("run", self.spec, "--out", folder)
        return self.parent.begin(COMMAND, "sweep", *words, cwd=self.spec.parent)


def live(folder: Path, moment: Moment, prepared: Prepared) -> Life:
    """Begin the sweep, or go on with it, and be killed."""
    process = prepared.begin(folder)
    seen = _seen(folder, moment, time.monotonic())
    while process.poll() is None and not seen():
        time.sleep(0.0005)
    time.sleep(moment.delay)
    process.send_signal(signal.SIGKILL)
    answer = process.answer()
    assert answer.code in (0, -signal.SIGKILL), answer.err
    parts = [*folder.glob(".*.part"), *folder.glob("chunks/.*.part")]
    done = len(list(folder.glob("chunks/*.nc")))
    return Life(answer.code != 0, moment, done, len(parts))


def chain(folder: Path, number: int, prepared: Prepared) -> list[Life]:
    """A sweep killed five times, each time what was finished looked at."""
    lives: list[Life] = []
    kept: dict[str, tuple[str, int, int]] = {}
    for moment in moments(number):
        lives.append(live(folder, moment, prepared))
        now = fingerprint(folder)
        assert kept.items() <= now.items(), "a finished chunk was touched"
        kept = now
        if not lives[-1].killed:
            break
    answer = prepared.begin(folder).answer()
    assert answer.code == 0, answer.err
    assert kept.items() <= fingerprint(folder).items(), "a finished chunk was touched"
    return lives


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Prepared]:
    spec, undisturbed = tmp_path / "spec.toml", tmp_path / "undisturbed"
    spec.write_text(SPEC)
    with parent_of(MODULES, with_cache(tmp_path / "compiled")) as parent:
        prepared = Prepared(spec, undisturbed, parent)
        answer = prepared.begin(undisturbed).answer()
        assert answer.code == 0, answer.err
        yield prepared


@pytest.mark.slow
def test_ten_sweeps_killed_five_times_each_lose_nothing_and_end_as_if_undisturbed(
    tmp_path: Path, prepared: Prepared
) -> None:
    expected = contents(prepared.undisturbed)
    assert len(expected) == CHUNKS + 2
    whole = jaxattn.open(prepared.undisturbed).load()
    folders = [tmp_path / f"killed-{number}" for number in range(SWEEPS)]
    with ThreadPoolExecutor(cores()) as pool:
        every = list(
            pool.map(lambda number: chain(folders[number], number, prepared), range(SWEEPS))
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
