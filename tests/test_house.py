"""The house stays one that a newcomer can read: short files, short functions; counted rightly.

How long a file may be is a rule of `test_architecture.py`.
"""

import runpy
from pathlib import Path
from statistics import median
from textwrap import dedent

import house
import pytest
from house import Function, Module

MEDIAN_FILE = 120
LONGEST_BODY = 60

TREE = {
    "__init__.py": '"""The door."""\n\nfrom pkg.low import f as f\n',
    "low.py": "import pkg.low as itself\n\n\ndef f(): ...\n",
    "middle/__init__.py": "",
    "middle/one.py": "from pkg.low import f\nfrom pkg.low import f as g\nfrom . import two\n",
    "middle/two.py": "import pkg.low\n",
    "middle/inner/three.py": """\
        from ..two import x

        def g():
            '''Said in

            three lines.
            '''
            # Not counted: it stands before the first statement.
            from pkg.top import h

            def inner(): return 1
            return inner

        class C:
            async def method(self):
                @wraps
                def last():
                    '''Nothing but words.'''
        """,
    "top/__init__.py": "def h():\n    from pkg.middle import one, two\n    return one, two\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    package = tmp_path / "pkg"
    for name, text in TREE.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    (package / "notes.txt").write_text("import pkg.top\n")
    return package


def test_half_of_the_files_are_short() -> None:
    assert median(module.lines for module in house.read(house.PACKAGE).values()) <= MEDIAN_FILE


def test_no_function_has_a_long_body() -> None:
    modules = house.read(house.PACKAGE).values()
    every = [function for module in modules for function in house.functions(module)]
    assert [function for function in every if function.lines > LONGEST_BODY] == []


def test_every_python_file_is_read_by_its_dotted_name(tree: Path) -> None:
    modules = house.read(tree)
    assert {name: module.lines for name, module in modules.items()} == {
        "pkg": 3,
        "pkg.low": 4,
        "pkg.middle": 0,
        "pkg.middle.one": 3,
        "pkg.middle.two": 1,
        "pkg.middle.inner.three": 18,
        "pkg.top": 3,
    }
    assert [name for name, module in modules.items() if module.is_package] == [
        "pkg",
        "pkg.middle",
        "pkg.top",
    ]


def test_folders_are_counted_at_any_depth_with_or_without_an_init(tree: Path) -> None:
    assert house.folders(house.read(tree)) == {"pkg.middle", "pkg.middle.inner", "pkg.top"}


def test_arrows_are_pairs_of_modules_wherever_the_import_stands(tree: Path) -> None:
    assert house.arrows(house.read(tree)) == {
        ("pkg", "pkg.low"),
        ("pkg.middle.one", "pkg.low"),
        ("pkg.middle.one", "pkg.middle.two"),
        ("pkg.middle.two", "pkg.low"),
        ("pkg.middle.inner.three", "pkg.middle.two"),
        ("pkg.middle.inner.three", "pkg.top"),
        ("pkg.top", "pkg.middle.one"),
        ("pkg.top", "pkg.middle.two"),
    }


def test_arrows_between_rooms_are_each_counted_once(tree: Path) -> None:
    assert house.room_arrows(house.read(tree)) == {
        ("__init__", "low"),
        ("middle", "low"),
        ("middle", "top"),
        ("top", "middle"),
    }


def test_a_body_is_counted_from_behind_its_docstring_to_its_last_line(tree: Path) -> None:
    three = house.read(tree)["pkg.middle.inner.three"]
    assert {function.name: function.lines for function in house.functions(three)} == {
        "g": 4,
        "inner": 1,
        "method": 3,
        "last": 0,
    }
    (one,) = house.functions(Module("pkg.x", "def f():\n    a = 1\n\n    return a\n"))
    assert one == Function("pkg.x", "f", 3)


def test_the_figures_say_all_of_it(tree: Path) -> None:
    assert house.figures(house.read(tree)) == {
        "files": "7",
        "lines": "32",
        "median file": "3 lines",
        "longest file": "18 lines, pkg.middle.inner.three",
        "longest body of a function": "4 lines, g in pkg.middle.inner.three",
        "folders": "3",
        "arrows between rooms": "4",
        "arrows between modules": "8",
    }


@pytest.mark.slow
def test_the_script_prints_the_figures_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(house.__file__, run_name="__main__")
    counted = house.figures(house.read(house.PACKAGE))
    printed = [line.split(maxsplit=1)[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == [name.split()[0] for name in counted]
