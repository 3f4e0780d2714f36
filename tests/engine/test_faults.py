"""What may go wrong in a sweep's directory: each has its line, and nothing finished is lost."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run_many
from small_sweeps import contents, fingerprint, left_over, tiny

from jaxattn.core.contracts import InputError, Status
from jaxattn.engine.progress import Listener
from jaxattn.engine.run_sweep import resume_sweep, run_sweep
from jaxattn.engine.status import status_of
from jaxattn.results.files import open_run
from jaxattn.study.parse import parse_spec

SPEC = tiny(paradigms='["soft"]', seeds=5)
OTHER = tiny(paradigms='["soft"]', seeds=5, rates="[0.1, 0.4]")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    run_sweep(parse_spec(SPEC), folder)
    return folder


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another sweep, at the first chunk of which somebody pulled the plug."""
    folder = tmp_path_factory.mktemp("other") / "sweep"

    class Plug(Exception):
        pass

    def pull(written: object) -> None:
        raise Plug

    with pytest.raises(Plug):
        run_sweep(parse_spec(OTHER), folder, to=Listener(on_chunk=pull))
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A finished sweep of five chunks, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "sweep"))


def chunk(folder: Path, number: int = 2) -> Path:
    return folder / "chunks" / f"{number:07d}.nc"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(work: Callable[..., Any], *given: Any, **more: Any) -> str:
    """The line in which something is refused."""
    with pytest.raises(InputError) as caught:
        work(*given, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def resumed(folder: Path) -> tuple[int, str]:
    """Chunks that were computed, and what was said."""
    said: list[str] = []
    return resume_sweep(folder, to=Listener(on_note=said.append)).computed, "\n".join(said)


def _flip(folder: Path, other: Path) -> None:
    content = bytearray(chunk(folder).read_bytes())
    content[len(content) // 2] ^= 4
    chunk(folder).write_bytes(content)


def _cut(folder: Path, other: Path) -> None:
    os.truncate(chunk(folder), chunk(folder).stat().st_size // 2)


def _empty(folder: Path, other: Path) -> None:
    os.truncate(chunk(folder), 0)


def _of_another_sweep(folder: Path, other: Path) -> None:
    shutil.copy(chunk(other, 0), chunk(folder))


def _of_another_place(folder: Path, other: Path) -> None:
    shutil.copy(chunk(folder, 3), chunk(folder))


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        (_flip, "damaged"),
        (_cut, "truncated"),
        pytest.param(_empty, "truncated", marks=pytest.mark.slow),
        pytest.param(_of_another_sweep, "foreign", marks=pytest.mark.slow),
        (_of_another_place, "foreign"),
    ],
)
def test_a_chunk_that_is_not_what_was_written_is_said_and_computed_again(
    finished: Path, other: Path, folder: Path, spoil: Callable[[Path, Path], None], state: str
) -> None:
    spoil(folder, other)
    before = fingerprint(folder)
    assert status_of(folder)["not_whole"] == {state: [2]}
    computed, said = resumed(folder)
    assert computed == 1
    assert f"chunk 2: {state}; it is computed again." in said
    after = fingerprint(folder)
    assert [name for name in before if before[name] != after[name]] == [chunk(folder).name]
    assert contents(folder) == contents(finished)
    assert left_over(folder) == []


def test_what_is_finished_can_be_read_while_a_damaged_chunk_waits(
    finished: Path, folder: Path, other: Path
) -> None:
    chunk(folder, 1).unlink()
    _cut(folder, other)
    read: list[int] = []

    def look(written: object) -> None:
        read.append(int((open_run(folder)["status"] == Status.DONE).sum()))

    # As an experiment reads its sweep after every chunk: first without that which is damaged.
    assert resume_sweep(folder, to=Listener(on_chunk=look)).computed == 2
    assert read == [8, 10]  # trained, and by flow
    assert contents(folder) == contents(finished)


@pytest.mark.parametrize("spoil", ["missing", "truncated", "damaged", "of another sweep"])
def test_results_that_are_not_what_was_written_are_written_again(
    finished: Path, other: Path, folder: Path, spoil: str
) -> None:
    file = folder / "results.nc"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    spoilt = {"truncated": content[:999], "damaged": content}
    if spoil == "missing":
        file.unlink()
    else:
        file.write_bytes(spoilt.get(spoil, (other / "results.nc").read_bytes()))
    assert resumed(folder)[0] == 0
    assert contents(folder) == contents(finished)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ("", "damaged"),
        ("null", "damaged"),
        ("[1, 2]", "damaged"),
        ("{}", "damaged"),
        (lambda text: text[:-9], "damaged"),
        (lambda text: text.replace('"task"', '"tusk"'), "damaged"),
        (lambda text: text.replace('"groups":[[2,1]]', '"groups":null'), "damaged"),
        (lambda text: text.replace("0.5", "0.25"), "another sweep"),
        (lambda text: text.replace('"batch_size":2', '"batch_size":3'), "another sweep"),
    ],
)
def test_a_spec_that_is_not_what_was_written_stops_everything(
    folder: Path, spoilt: str | Callable[[str], str], words: str
) -> None:
    file = folder / "spec.json"
    written = file.read_text()
    file.write_text(spoilt if isinstance(spoilt, str) else spoilt(written))
    assert file.read_text() != written
    before = everything(folder)
    said = refused(resume_sweep, folder)
    assert words in said
    assert "spec.json" in said
    assert "put" in said
    assert everything(folder) == before
    file.write_text(written)
    assert resumed(folder)[0] == 0


def _versions(text: str) -> str:
    found = json.loads(text)
    found["made_with"] |= {"jax": "0.1.2", "x64": "perhaps"}
    return json.dumps(found)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ("", ["damaged"]),
        ("[]", ["damaged"]),
        ('{"made_with": 3}', ["damaged"]),
        (_versions, ["jax: 0.1.2 there, ", " here; x64: perhaps there, ", "begun otherwise"]),
    ],
)
def test_a_manifest_that_is_not_what_was_written_stops_everything(
    folder: Path, spoilt: str | Callable[[str], str], words: list[str]
) -> None:
    file = folder / "manifest.json"
    written = file.read_text()
    file.write_text(spoilt if isinstance(spoilt, str) else spoilt(written))
    before = everything(folder)
    said = refused(resume_sweep, folder)
    assert all(word in said for word in words), said
    assert everything(folder) == before
    file.write_text(written)
    assert resumed(folder)[0] == 0


@pytest.mark.parametrize("name", ["manifest.json", "spec.json"])
def test_a_file_from_another_sweep_stops_everything(folder: Path, other: Path, name: str) -> None:
    shutil.copy(other / name, folder / name)
    before = everything(folder)
    said = refused(resume_sweep, folder)
    assert "got spec_hash" in said
    assert "it is of another sweep" in said
    assert everything(folder) == before


def test_a_lock_that_was_left_behind_is_said_and_hinders_nobody(folder: Path) -> None:
    left = {"pid": 12345, "host": "far", "since": "2020-01-01T00:00:00+00:00"}
    (folder / ".holder.json").write_text(json.dumps(left))
    computed, said = resumed(folder)
    assert computed == 0
    assert "process 12345 on far (since 2020-01-01T00:00:00+00:00) was at work here" in said
    assert left_over(folder) == []


def test_nobody_works_where_somebody_else_does(folder: Path) -> None:
    left = {"pid": 12345, "host": "far", "since": "2020-01-01T00:00:00+00:00"}
    (folder / ".holder.json").write_text(json.dumps(left))
    chunk(folder).unlink()
    before = everything(folder)
    with (folder / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        works: list[Callable[[], object]] = [
            lambda: resume_sweep(folder),
            lambda: run_sweep(parse_spec(SPEC), folder),
            lambda: run_sweep(parse_spec(OTHER), folder, overwrite=True),
        ]
        for work in works:
            assert "where process 12345 on far (since" in refused(work)
        assert str(status_of(folder)["holder"]).startswith("process 12345 on far")
    assert everything(folder) == before


def test_somebody_who_only_looks_at_the_lock_hinders_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The other lets go while this one waits.
        monkeypatch.setattr("time.sleep", lambda seconds: fcntl.flock(lock, fcntl.LOCK_UN))
        assert resumed(folder)[0] == 0


def test_a_sweep_is_not_begun_where_something_is(folder: Path, tmp_path: Path) -> None:
    before = everything(folder)
    assert f"go on with `jaxattn sweep resume {folder}`" in refused(
        run_sweep, parse_spec(SPEC), folder
    )
    said = refused(run_sweep, parse_spec(OTHER), folder)
    assert "holds another sweep" in said
    assert "learning_rate" in said
    for name in before:
        assert (folder / name).read_bytes() == before[name]
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").write_text("")
    assert "holds 'thesis.tex'" in refused(run_sweep, parse_spec(SPEC), full)
    assert [path.name for path in full.iterdir()] == ["thesis.tex"]
    below = full / "thesis.tex" / "below"
    assert "expected a writable directory (Not a directory)" in refused(
        run_sweep, parse_spec(SPEC), below
    )
    assert "expected a writable directory" in refused(
        run_sweep, parse_spec(SPEC), full / "thesis.tex"
    )


def test_what_a_kill_left_before_the_spec_was_written_counts_as_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    (folder / "chunks").mkdir(parents=True)
    for name in (".lock", ".holder.json", ".spec.json.abc.part"):
        (folder / name).touch()
    assert run_sweep(parse_spec(SPEC), folder).computed == 5
    assert left_over(folder) == []


def test_overwriting_replaces_the_sweep_and_nothing_else(other: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(other, tmp_path / "sweep"))
    mine = [folder / "thesis.tex", folder / ".download.part", folder / "chunks" / "mine.nc"]
    for path in mine:
        path.write_text("mine")
    assert run_sweep(parse_spec(SPEC), folder, overwrite=True).computed == 5
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert resumed(folder)[0] == 0


def test_nothing_cannot_be_gone_on_with(tmp_path: Path, folder: Path) -> None:
    for nothing in (tmp_path / "nothing", tmp_path):
        for work in (resume_sweep, status_of):
            assert "expected the directory of a sweep" in refused(work, nothing)
    assert not (tmp_path / "nothing").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]


def test_a_sweep_is_not_gone_on_with_under_another_spec(folder: Path) -> None:
    before = everything(folder)
    said = refused(resume_sweep, folder, spec=parse_spec(OTHER))
    assert "got another spec than the sweep in" in said
    assert "0.4" in said
    assert everything(folder) == before


def test_every_refusal_ends_a_command_with_2_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(SPEC)
    (tmp_path / "other.toml").write_text(OTHER)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    run = ["sweep", "run", "spec.toml", "--out"]
    answers, _ = run_many(
        [
            [*run, "here"],
            ["sweep", "resume", "here"],
            ["sweep", "status", "here", "--json"],
            [*run, "here"],
            [*run, "full"],
            [*run, "full/file"],
            ["sweep", "run", "other.toml", "--out", "here"],
            ["sweep", "resume", "nowhere"],
            ["sweep", "status", "nowhere"],
            ["sweep", "resume", "here", "--spec", "other.toml"],
            ["sweep", "resume", "here", "--spec", "spec.toml"],
        ],
        tmp_path,
    )
    assert [answer.code for answer in answers] == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 0]
    for answer in answers:
        if answer.code == 2:
            assert answer.err.startswith("jaxattn: ")
            assert answer.err.count("\n") == 1
            assert answer.out == ""
    assert json.loads(answers[2].out)["chunks"] == {"all": 5, "whole": 5}
