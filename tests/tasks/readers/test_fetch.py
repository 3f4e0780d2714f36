"""Published sets of images, fetched from a server on this machine."""

import io
import json
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from image_files import write_cifar, write_idx

from jaxattn.cli.main import main
from jaxattn.core.contracts import InputError
from jaxattn.tasks.readers.catalogue import SETS, RemoteFile, find, home
from jaxattn.tasks.readers.fetch import FetchError, fetch


class Server(ThreadingHTTPServer):
    """Sends files by name, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server, name = self.server, self.path.lstrip("/")
        assert isinstance(server, Server)
        server.asked.append(name)
        content = server.files.get(name)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        content = content or b""
        self.wfile.write(content[: len(content) // 2] if name in server.cut else content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("JAXATTN_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def serve(name: str, files: dict[str, bytes], server: Server, monkeypatch) -> None:
    """These files as those of a set."""
    server.files |= files
    remote = tuple(
        RemoteFile(f"{server.address}/{called}", sha256(content).hexdigest())
        for called, content in files.items()
    )
    monkeypatch.setitem(SETS, name, SETS[name]._replace(files=remote, installed=""))


@pytest.fixture
def digits(tmp_path, server, monkeypatch, rng) -> dict[str, bytes]:
    made = tmp_path / "made"
    made.mkdir()
    write_idx(made, rng.integers(0, 256, (30, 28, 28), dtype=np.uint8), np.arange(30) % 10)
    files = {file.name: file.read_bytes() for file in made.iterdir()}
    serve("mnist", files, server, monkeypatch)
    return files


@pytest.fixture
def photographs(tmp_path, server, monkeypatch, rng) -> str:
    made = tmp_path / "made" / "cifar-10-batches-py"
    made.mkdir(parents=True)
    write_cifar(made, rng.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), np.arange(30) % 10, 2)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(made, made.name)
    serve("cifar10", {"cifar-10-python.tar.gz": packed.getvalue()}, server, monkeypatch)
    return "cifar-10-python.tar.gz"


def test_files_are_fetched_once_and_found(digits, server, capsys) -> None:
    assert main(["data", "fetch", "mnist", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"name": "mnist", "path": str(home("mnist"))}
    assert find("mnist") == home("mnist")
    assert {file.name: file.read_bytes() for file in home("mnist").iterdir()} == digits
    fetch("mnist")
    assert sorted(server.asked) == sorted(digits), "what is there and whole is not asked for again"
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sets"]["mnist"] == str(home("mnist"))
    assert main(["data", "check", told["path"]]) == 0


def test_an_archive_is_unpacked_to_where_it_is_found(photographs, server, folder) -> None:
    inner = fetch("cifar10")
    assert find("cifar10") == inner == folder / "cifar10" / "cifar-10-batches-py"
    assert len(list(inner.iterdir())) == 6
    fetch("cifar10")
    assert server.asked == [photographs]
    for file in inner.iterdir():
        file.unlink()
    inner.rmdir()
    assert fetch("cifar10") == inner, "unpacked again, of what is there"
    assert server.asked == [photographs]
    assert sorted(path.name for path in inner.parent.iterdir()) == [inner.name, photographs]


def test_it_goes_on_where_it_was_cut(digits, server) -> None:
    last = list(digits)[-1]
    server.cut = {last}
    with pytest.raises(FetchError, match=f"got no {last} from"):
        fetch("mnist")
    there = {file.name: file.read_bytes() for file in home("mnist").iterdir()}
    assert there == {name: content for name, content in digits.items() if name != last}
    server.cut, server.asked = set(), []
    fetch("mnist")
    assert server.asked == [last]


def test_what_has_another_hash_is_not_kept(digits, server, capsys) -> None:
    name = next(iter(digits))
    server.files[name] = server.files[name][:-1] + b"?"
    assert main(["data", "fetch", "mnist"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"got no {name} from" in err
    assert "expected SHA-256" in err
    assert not (home("mnist") / name).exists()


def test_a_file_that_was_damaged_is_fetched_again(digits, server) -> None:
    fetch("mnist")
    name = next(iter(digits))
    (home("mnist") / name).write_bytes(b"short")
    fetch("mnist")
    assert (home("mnist") / name).read_bytes() == digits[name]


def test_without_a_network_it_says_what_to_put_where(digits, monkeypatch, capsys) -> None:
    nowhere = tuple(
        file._replace(url=file.url.replace("127.0.0.1", "nowhere.invalid"))
        for file in SETS["mnist"].files
    )
    monkeypatch.setitem(SETS, "mnist", SETS["mnist"]._replace(files=nowhere))
    assert main(["data", "fetch", "mnist"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "(no connection)" in err
    assert SETS["mnist"].expected in err
    assert err.endswith(f"into {home('mnist')}.\n")


def test_no_such_set_is_refused_with_2_and_the_nearest(capsys) -> None:
    assert main(["data", "fetch", "cifar-10"]) == 2
    assert "did you mean 'cifar10'?" in capsys.readouterr().err
    with pytest.raises(InputError, match="data set: got 'x', expected one of mnist, fashion-mnist"):
        fetch("x")


def test_where_nothing_can_be_written_is_1(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXATTN_DATA", str(tmp_path / "file"))
    assert main(["data", "fetch", "mnist"]) == 1
    assert "set JAXATTN_DATA to a folder that is writable" in capsys.readouterr().err


def test_the_files_of_a_set_are_told_by_sums_of_their_own() -> None:
    sums = [file.sha256 for published in SETS.values() for file in published.files]
    assert all(len(known) == 64 and int(known, 16) for known in sums)
    assert len(set(sums)) == len(sums) == 10
