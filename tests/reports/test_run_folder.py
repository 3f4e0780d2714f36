"""One run writes in a directory at a time, and a refused one leaves it as it was."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxattn.core.contracts import InputError
from jaxattn.reports.run_folder import run_folder

SECOND = """
import sys
from pathlib import Path
from jaxattn.core.contracts import InputError
from jaxattn.reports.run_folder import run_folder

try:
    with run_folder(Path(sys.argv[1]), sys.argv[2] == "overwrite"):
        print("is at work too")
except InputError as error:
    print(error)
"""


def second(folder: Path, how: str = "") -> str:
    """What another process says that wants to write there."""
    command = [sys.executable, "-c", SECOND, str(folder), how]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_of_two_runs_in_one_folder_the_second_is_refused(tmp_path: Path) -> None:
    with run_folder(tmp_path / "new", False):
        (tmp_path / "new" / "results.nc").touch()
        said = second(tmp_path / "new", "overwrite")
        assert (tmp_path / "new" / "results.nc").exists()
    assert said.startswith("--out: got ")
    assert "where another run is at work; expected nobody" in said
    assert said.count("\n") == 1


def test_a_folder_is_free_again_once_a_run_has_ended_whichever_way(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path, False):
        raise KeyboardInterrupt
    assert second(tmp_path) == "is at work too\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_somebody_elses_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'notes\.txt'"), run_folder(tmp_path, False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_where_directories_cannot_be_locked_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with run_folder(tmp_path, False):
        pass
