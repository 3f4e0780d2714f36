"""Full disks, disks that cannot be written to, Ctrl-C, two at once: as a person meets them."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from commands import SCRIPT, Answer
from forked import COMMAND, MODULES, Child, Parent, parent_of
from small_sweeps import contents, events, fingerprint, left_over, sweep, tiny, with_cache

pytestmark = pytest.mark.slow

CHUNKS = 24
SPEC = tiny(paradigms='["soft"]', seeds=12, layout="tile = 1\nchunk = 1")


class Prepared(NamedTuple):
    """A spec's file, the sweep that nobody disturbed, the environment of commands, their parent."""

    spec: Path
    undisturbed: Path
    environment: dict[str, str]
    parent: Parent

    def begin(self, *words: object) -> Child:
        return self.parent.begin(COMMAND, "sweep", *words, cwd=self.spec.parent)

    def sweep(self, *words: object) -> Answer:
        return self.begin(*words).answer()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("plugs")
    (folder / "spec.toml").write_text(SPEC)
    environment = with_cache(folder / "compiled")
    with parent_of(MODULES, environment) as parent:
        made = Prepared(folder / "spec.toml", folder / "whole", environment, parent)
        answer = made.sweep("run", made.spec, "--out", made.undisturbed)
        assert answer.code == 0, answer.err
        yield made


@pytest.fixture
def half(prepared: Prepared, tmp_path: Path) -> Path:
    """The sweep with half of its chunks."""
    folder = Path(shutil.copytree(prepared.undisturbed, tmp_path / "half"))
    for path in sorted(folder.glob("chunks/*.nc"))[CHUNKS // 2 :]:
        path.unlink()
    return folder


def until(condition: Callable[[], bool], seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def done(folder: Path) -> int:
    return len(list(folder.glob("chunks/*.nc")))


def begun(prepared: Prepared, folder: Path) -> Child:
    """A process in the middle of its sweep."""
    process = prepared.begin("run", prepared.spec, "--out", folder)
    until(lambda: done(folder) >= 3 or process.poll() is not None)
    return process


def in_a_mount(script: str, folder: Path, prepared: Prepared) -> list[Answer]:
    """What commands answered in a name space with file systems of its own.

    In the script ``say COMMAND`` keeps what a command answers, and $1 is the folder.
    """
    say = (
        'n=0; say() { n=$((n+1)); "$@" >"$answers/$n.out" 2>"$answers/$n.err"; '
        'echo $? >"$answers/$n.code"; }; '
    )
    answers = folder.parent / "answers"
    answers.mkdir()
    variables = {"answers": str(answers), "jaxattn": str(SCRIPT), "spec": str(prepared.spec)}
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", say + script, "sh", folder],
        env={**prepared.environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if "not permitted" in ran.stderr or "must be superuser" in ran.stderr:
        pytest.skip("this machine lets nobody mount a file system of their own")
    assert ran.returncode == 0, ran.stderr
    codes = sorted(answers.glob("*.code"), key=lambda path: int(path.stem))
    return [
        Answer(
            int(path.read_text()),
            path.with_suffix(".out").read_text(),
            path.with_suffix(".err").read_text(),
        )
        for path in codes
    ]


def last(said: str) -> str:
    """The last line, which is the message; before it there is progress."""
    assert "Traceback" not in said
    return said.rstrip().rpartition("\n")[2]


def test_a_disk_that_fills_up_in_the_middle_keeps_every_finished_chunk(
    prepared: Prepared, tmp_path: Path
) -> None:
    whole = sum(path.stat().st_size for path in prepared.undisturbed.rglob("*") if path.is_file())
    folder = tmp_path / "small"
    folder.mkdir()
    script = f"""
        mount -t tmpfs -o size={whole // 2} tmpfs "$1" &&
        say "$jaxattn" sweep run "$spec" --out "$1/sweep" &&
        cp -a "$1/sweep" "$1/../full" &&
        say "$jaxattn" sweep resume "$1/sweep" &&
        say "$jaxattn" sweep status "$1/sweep" --json &&
        mount -o remount,size={4 * whole} "$1" &&
        say "$jaxattn" sweep resume "$1/sweep" &&
        cp -a "$1/sweep" "$1/../after"
    """
    filled, again, status, after = in_a_mount(script, folder, prepared)
    full = tmp_path / "full"
    for answer in (filled, again):
        assert answer.code == 1
        assert "No space left on device" in last(answer.err)
        assert str(folder / "sweep") in last(answer.err)
        assert "Make room" in last(answer.err)
        assert ".part" not in answer.err
    assert 0 < done(full) < CHUNKS
    assert left_over(full) == []
    kept = contents(full)
    assert kept.items() <= contents(prepared.undisturbed).items()
    assert json.loads(status.out)["chunks"]["whole"] >= done(full)
    assert after.code == 0, after.err
    assert contents(tmp_path / "after") == contents(prepared.undisturbed)
    computed = [found["chunk"] for found in events(tmp_path / "after", "chunk")]
    assert len(computed) == len(set(computed))
    assert left_over(tmp_path / "after") == []


def test_files_that_may_not_grow_so_large_keep_every_finished_chunk(
    prepared: Prepared, half: Path
) -> None:
    before = fingerprint(half)
    # Blocks of 512 bytes: enough for the log, and too few for a chunk.
    answer = sweep(
        *("resume", half), cwd=half.parent, environment=prepared.environment, before="ulimit -f 24;"
    )
    assert answer.code == 1
    assert "File too large" in last(answer.err)
    assert str(half / "chunks") in last(answer.err)
    assert fingerprint(half) == before
    assert left_over(half) == []
    assert prepared.sweep("resume", half).code == 0
    assert contents(half) == contents(prepared.undisturbed)


def test_a_disk_that_cannot_be_written_to_is_said_and_can_be_looked_at(
    prepared: Prepared, half: Path
) -> None:
    before = contents(half)
    script = """
        mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" &&
        say "$jaxattn" sweep resume "$1" &&
        say "$jaxattn" sweep run "$spec" --out "$1" &&
        say "$jaxattn" sweep run "$spec" --out "$1/new" &&
        say "$jaxattn" sweep status "$1" --json
    """
    *refused, status = in_a_mount(script, half, prepared)
    for answer in refused:
        assert answer.code == 2
        assert "Read-only file system" in last(answer.err)
        assert "expected a writable directory" in last(answer.err)
    assert status.code == 0, status.err
    found = json.loads(status.out)
    assert found["chunks"] == {"all": CHUNKS, "whole": CHUNKS // 2}
    assert found["holder"] is None
    assert contents(half) == before
    assert left_over(half) == []


def test_ctrl_c_keeps_what_is_finished_and_ends_with_130(
    prepared: Prepared, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    process = begun(prepared, folder)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    said = process.answer()
    assert said.code == 130
    assert last(said.err) == "jaxattn: interrupted."
    assert left_over(folder) == []
    kept = fingerprint(folder)
    assert 3 <= len(kept) < CHUNKS
    (stopped,) = events(folder, "interrupted")
    assert stopped["computed"] <= len(kept) <= stopped["computed"] + 1
    answer = prepared.sweep("resume", folder)
    assert answer.code == 0, answer.err
    assert f"{len(kept)} of {CHUNKS} chunks are finished already." in answer.err
    assert kept.items() <= fingerprint(folder).items()
    assert contents(folder) == contents(prepared.undisturbed)


def test_a_second_process_is_refused_and_a_killed_one_is_succeeded(
    prepared: Prepared, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    process = begun(prepared, folder)
    process.send_signal(signal.SIGSTOP)
    until(lambda: "T" in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2][:3])
    kept = fingerprint(folder)
    for words in (("resume", folder), ("run", prepared.spec, "--out", folder, "--overwrite")):
        answer = prepared.sweep(*words)
        assert answer.code == 2
        assert f"where process {process.pid} on " in last(answer.err)
    status = prepared.sweep("status", folder)
    assert status.code == 0
    assert f"process {process.pid} on " in status.out
    assert fingerprint(folder) == kept
    process.send_signal(signal.SIGKILL)
    assert process.answer().code == -signal.SIGKILL
    answer = prepared.sweep("resume", folder)
    assert answer.code == 0, answer.err
    assert f"process {process.pid} on " in answer.err
    assert "was ended; going on from there." in answer.err
    assert kept.items() <= fingerprint(folder).items()
    assert contents(folder) == contents(prepared.undisturbed)
    assert left_over(folder) == []
