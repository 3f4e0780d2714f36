"""The Python door: which names are public, and what importing them does."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import jaxattn

ROOT = Path(__file__).parent.parent

PUBLIC = [
    "AttentionMap",
    "Batch",
    "Example",
    "Fresh",
    "HyperSpec",
    "InputError",
    "MeasureSpec",
    "Model",
    "Order",
    "Paradigm",
    "Problem",
    "Question",
    "Solver",
    "Splits",
    "Status",
    "Task",
    "Trajectory",
    "as_optimiser",
    "attention_problem",
    "compare",
    "critical_rate",
    "departures",
    "findings",
    "make_flow",
    "make_train",
    "mosaic",
    "open",
    "orders",
    "plots",
    "problem",
    "report",
    "solve_reduced",
    "streams",
    "summary",
    "sweeps",
    "theory",
]
"""A name here is a promise. Add one on purpose, and keep the list at 36."""

LEAVES_NO_TRACE = """
import os, sys

environment = dict(os.environ)
import jaxattn

heavy = {"jax", "numpy", "matplotlib", "xarray", "diffrax", "optax", "flax"} & set(sys.modules)
assert not heavy, f"importing jaxattn imports {heavy}"

import jax

flags = dict(jax.config.values)
for name in jaxattn.__all__:
    getattr(jaxattn, name)
changed = {name for name, value in flags.items() if jax.config.values[name] != value}
assert not changed, f"using jaxattn sets {changed}"
assert not jax.config.jax_enable_x64
assert dict(os.environ) == environment
"""

SHOWS_PUBLIC_NAMES_ONLY = """
import sys
from rlcompleter import Completer

import jaxattn
import jaxattn.cli.main, jaxattn.experiments

for name in jaxattn.__all__:
    getattr(jaxattn, name)
assert {"core", "training", "experiments"} <= vars(jaxattn).keys(), "nothing to be hidden"
shown = {name for name in dir(jaxattn) if not name.startswith("__")}
assert shown == set(jaxattn.__all__), shown ^ set(jaxattn.__all__)
assert {"__version__", "__all__", "__file__"} <= set(dir(jaxattn))
completed = Completer(vars(sys.modules["__main__"])).attr_matches("jaxattn.")
assert {word.rstrip("()").removeprefix("jaxattn.") for word in completed} == shown, completed
"""

LATER = """
import sys

import jax, optax, flax.linen, xarray, tyro

# What those bring along is theirs.
heavy = {
    "scipy", "sklearn", "joblib",  # of verdicts, intervals, and the task whose file we read
    "diffrax", "equinox", "lineax", "optimistix",  # of flows
    "matplotlib", "jinja2",  # of figures and the report
    "h5py", "h5netcdf", "orbax",  # of files
} - set(sys.modules)
assert {"scipy", "diffrax", "matplotlib", "h5py"} <= heavy, "nothing to be tested"


class Begun(BaseException):
    pass


def begun(event, seconds, **kind):
    if event.startswith("/jax/core/compile/"):
        raise Begun(heavy & set(sys.modules))


jax.monitoring.register_event_duration_secs_listener(begun)

from jaxattn.cli.main import main

import jaxattn

FORTH = (
    lambda: main(["compare", "digits", "--no-cache", "--out", sys.argv[1]]),
    lambda: jaxattn.compare("digits", progress=False),
)
for door in FORTH:
    try:
        door()
        raise AssertionError("nothing was compiled")
    except Begun as end:
        assert not end.args[0], f"{end.args[0]} are loaded before anything is compiled"
"""


def test_the_public_names_are_these() -> None:
    assert sorted(jaxattn.__all__) == PUBLIC
    assert len(PUBLIC) <= 36


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    said = inspect.getdoc(getattr(jaxattn, name))
    assert said
    assert not said.startswith(f"{name}("), "that is a NamedTuple's own docstring"


def test_what_a_type_checker_sees_is_what_is_there_whatever_was_imported_before() -> None:
    tree = ast.parse(Path(jaxattn.__file__).read_text())
    (guarded,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    seen = {name.asname: (node.module, name.name) for node in imports for name in node.names}
    assert sorted(seen) == PUBLIC
    for name, (module, attribute) in seen.items():
        # A submodule that is imported hides a public name that is spelt alike.
        source = import_module(str(module))
        assert getattr(source, attribute) is getattr(jaxattn, name)


def test_an_unknown_name_is_an_attribute_error_that_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'jaxattn' has no attribute 'comparre'"):
        getattr(jaxattn, "compar" + "re")


def assert_runs(code: str, *given: str) -> None:
    words = [sys.executable, "-c", code, *given]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_loads_nothing_heavy_and_sets_no_flag() -> None:
    assert_runs(LEAVES_NO_TRACE)


def test_what_no_row_needs_loads_after_the_first_program_is_compiling(tmp_path: Path) -> None:
    assert_runs(LATER, str(tmp_path / "run"))


@pytest.mark.slow
def test_completion_shows_the_public_names_only_whatever_was_imported() -> None:
    assert_runs(SHOWS_PUBLIC_NAMES_ONLY)


def test_the_version_is_the_same_everywhere() -> None:
    assert jaxattn.__version__ == version("jaxattn")
    assert f"\nversion: {jaxattn.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(jaxattn.__file__).parent / "py.typed").exists()
