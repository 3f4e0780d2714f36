"""What the modules of a package define is found without a list of them."""

import sys
from pathlib import Path

import pytest

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import discover, resolve


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


def linear(classes: int) -> int:
    return classes


def test_a_function_of_ones_own_does_not_borrow_a_name() -> None:
    table = {"linear": abs, "mlp": linear}
    with pytest.raises(InputError, match=r"model: got one of your own called 'linear'.*rename"):
        resolve("model", table, linear)
    with pytest.raises(InputError, match="one of your own called 'linear'"):
        resolve("model", table, f"{__name__}:linear")
    assert resolve("model", {"mlp": abs}, linear) is linear
    assert resolve("model", {"linear": linear}, linear) is linear
