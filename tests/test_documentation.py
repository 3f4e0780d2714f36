"""What the documentation shows works as it is shown: code, commands, links and notebooks."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import jupytext
import nbformat
import pytest
from commands import ENVIRONMENT
from forked import Parent, parent_of
from nbclient import NotebookClient

from jaxattn import theory
from jaxattn.cli.main import parse

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
)
SHOWS = ["README.md", *(page for page in PAGES if page.startswith("docs/"))]
"""Pages whose code is for the reader to run."""
NAMES_WHAT_IS = [*(page for page in PAGES if page != "CHANGELOG.md"), "benchmarks/README.md"]
"""Pages that tell of modules and files as they are now."""
FOLDERS = "jaxattn|tests|benchmarks|docs|examples|notebooks"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))

NOTEBOOK_CPU_SECONDS = 45
"""A person waits for 45 s of two cores, which is twice that in processor time: a clock on the wall
measures the neighbours too. Here programs are compiled quickly, in half of the time that a person's
take; what they run for is no shorter, so half of it all is the most that is sure."""

# Whatever the leg, an example switches 64 bits on where it needs them, as it must.
pytestmark = pytest.mark.needs_x64


def blocks(language: str, page: str = "README.md") -> list[str]:
    """The fenced blocks of a page in this language."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def shown_commands() -> list[str]:
    """The lines of the pages' shell blocks, continued ones whole, without comments."""
    shown = "".join(block for page in SHOWS for block in blocks("bash", page))
    lines = shown.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.strip() and line.strip()[0] != "#"]


def words_of(command: str) -> list[str]:
    """The first program of a line and its arguments."""
    words = shlex.split(command, comments=True)
    ends = [at for at, word in enumerate(words) if word in ("|", ">", "&&", ";")]
    return words[: min(ends, default=len(words))]


def commands_of(program: str) -> list[str]:
    found = [command for command in shown_commands() if words_of(command)]
    return [command for command in found if Path(words_of(command)[0]).name == program]


def test_the_readme_has_python_to_paste_and_commands_to_type() -> None:
    assert blocks("python")
    assert commands_of("jaxattn")
    assert {tuple(words_of(command)) for command in commands_of("make")} >= {
        ("make", "demo"),
        ("make", "test"),
    }


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    with parent_of() as process:
        yield process


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "number"), [(page, k) for page in SHOWS for k in range(len(blocks("python", page)))]
)
def test_python_of_a_page_runs_as_pasted(
    page: str, number: int, tmp_path: Path, parent: Parent
) -> None:
    block = blocks("python", page)[number]
    code, out, err = parent.run(block, cwd=tmp_path)
    assert code == 0, err
    assert out or "print(" not in block


@pytest.mark.parametrize("command", commands_of("jaxattn"))
def test_commands_of_the_pages_can_be_parsed(command: str) -> None:
    parse(words_of(command)[1:])


@pytest.mark.parametrize("command", commands_of("make"))
def test_make_targets_of_the_pages_exist(command: str) -> None:
    (target, *_) = [word for word in words_of(command)[1:] if "=" not in word]
    assert re.search(rf"^{re.escape(target)}\b.*:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_links_to_are_there(page: str) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", (ROOT / page).read_text())
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def is_there(dotted: str) -> bool:
    """Whether a dotted name that begins with jaxattn is a module, or something in one."""
    try:
        found = resolve_name(dotted)
    except (ImportError, AttributeError):
        return False
    # A folder that holds nothing but what Python left in it counts as a package without a file.
    return not isinstance(found, ModuleType) or found.__file__ is not None


def missing_in(text: str) -> list[str]:
    """What a text names by a dotted name or a path from the root, and is not there."""
    dotted = set(re.findall(r"(?<![\w/.-])jaxattn(?:\.[A-Za-z_]\w*)+", text))
    paths = set(re.findall(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]*\w", text))
    missing = [name for name in dotted if not is_there(name)]
    return sorted([*missing, *(path for path in paths if not (ROOT / path).exists())])


@pytest.mark.parametrize("page", NAMES_WHAT_IS)
def test_modules_and_files_that_a_page_names_are_there(page: str) -> None:
    assert missing_in((ROOT / page).read_text()) == []


def test_modules_and_files_that_the_package_names_are_there() -> None:
    sources = {path: path.read_text() for path in (ROOT / "jaxattn").rglob("*.py")}
    missing = {str(path): missing_in(text) for path, text in sources.items()}
    assert {path: names for path, names in missing.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("`jaxattn.flow.legs.nothing(1)`, jaxattn.compare.", ["jaxattn.flow.legs.nothing"]),
        ("import jaxattn.descent", ["jaxattn.descent"]),
        ("see `jaxattn/plots/` and `jaxattn/attention.py`.", ["jaxattn/attention.py"]),
        ("(tests/test_limits.py), docs/clocks.md:", ["tests/test_limits.py"]),
        ("[a link](../docs/none.md) and https://x.org/docs/none", []),
    ],
)
def test_what_is_not_there_is_found(text: str, missing: list[str]) -> None:
    assert missing_in(text) == missing


@pytest.mark.parametrize("page", SHOWS)
def test_tests_that_a_page_names_as_proofs_are_there(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / page).read_text()))
    written = "".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert {name for name in named if f"def {name}(" not in written} == set()


def test_the_table_of_closed_forms_names_what_is_there() -> None:
    page = (ROOT / "docs" / "closed_forms.md").read_text()
    table = page[page.index("## Functions") : page.index("## How to use it")]
    names = re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE)
    assert "trajectory" in names
    assert set(names) <= set(theory.__all__)


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS


def processor_seconds(path: Path, folder: Path) -> float:
    """What a notebook's kernel spent on all its cells, from the first to the last."""
    notebook = jupytext.read(path)
    spent = nbformat.v4.new_code_cell(
        "import sys, time; print(sys.executable, time.process_time())"
    )
    notebook.cells.append(spent)
    # The time-out is for a cell that hangs.
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute(env=ENVIRONMENT)
    interpreter, seconds = spent.outputs[0]["text"].split()
    assert interpreter == sys.executable
    return float(seconds)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_last_cell_in_its_time_and_leaves_nothing_behind(
    path: Path, tmp_path: Path
) -> None:
    assert processor_seconds(path, tmp_path) <= NOTEBOOK_CPU_SECONDS
    assert list(tmp_path.iterdir()) == []
