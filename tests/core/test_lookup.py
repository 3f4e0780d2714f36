"""What the modules of a package define is found without a list of them."""

import sys
from pathlib import Path

import pytest

from jaxattn.core.lookup import discover


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "shelf_of_things"
    folder.mkdir()
    for name, text in {
        "__init__": "THING = 'of the package itself'",
        "pear": "THING = 'pear'",
        "apple": "THING = 'apple'",
        "bowl": "OTHER = 1",
        "_seed": "raise ImportError('private modules are left alone')",
    }.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder.name
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]


def test_the_modules_that_define_it_are_found_in_order_of_their_names(package: str) -> None:
    assert discover(package, "THING") == ["apple", "pear"]
    assert discover(package, "OTHER") == [1]
    assert discover(package, "NOTHING") == []
