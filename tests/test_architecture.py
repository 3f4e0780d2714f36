"""The import graph is the architecture: a module imports from lower floors, never up.

Every rule is a function from one parsed module to the sentences it objects with. Each is run
over the whole package, and over a line of code that it must catch.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jaxattn"

# A new module or package starts here, with its floor; what lies in a package has its floor.
FLOORS = {
    "canonical": 0,
    "contracts": 0,
    "names": 0,
    "precision": 0,
    "streams": 0,
    "attention": 1,
    "data": 1,
    "inference": 1,
    "integrate": 1,
    "paradigms": 1,
    "theory": 1,
    "batches": 2,
    "curvature": 2,
    "measures": 2,
    "models": 2,
    "pieces": 2,
    "positions": 2,
    "probe": 2,
    "probes": 2,
    "problem": 2,
    "tasks": 2,
    "descent": 3,
    "exact": 3,
    "flow": 3,
    "legs": 3,
    "planar": 3,
    "reduced": 3,
    "stability": 3,
    "intervals": 4,
    "schedules": 4,
    "settings": 4,
    "sweep": 4,
    "environment": 5,
    "endings": 5,
    "jobs": 5,
    "lazy": 5,
    "pictures": 5,
    "sources": 5,
    "stopwatch": 5,
    "sealed": 5,
    "store": 5,
    "comparison": 6,
    "derived": 6,
    "engine": 6,
    "edges": 5,
    "gaps": 5,
    "distances": 6,
    "sentences": 6,
    "summaries": 6,
    "statistics": 6,
    "findings": 6,
    "gap_findings": 6,
    "experiments": 7,
    "output": 7,
    "page": 7,
    "plots": 7,
    "terminal": 7,
    "sweep_terminal": 7,
    "cli": 8,
    "commands": 8,
    "doctor": 8,
    "sweep_cli": 8,
    "sweep_commands": 8,
    "sweeps": 8,
    "__init__": 8,
    "__main__": 8,
}
# Floors below this one are pure functions of arrays: no files, labels or figures.
SHELL = 5
LONGEST_FILE = 400

ONLY_HERE = {
    "flax": "models",
    "diffrax": "integrate",
    "optimistix": "integrate",
    "optax": "descent",
    "matfree": "curvature",
}
SHELL_LIBRARIES = {
    *("xarray", "pandas", "matplotlib", "h5py", "h5netcdf"),
    *("os", "pathlib", "tempfile", "shutil", "io", "glob"),
}
NUMPY_FILES = {
    f"numpy.{name}"
    for name in ("load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt")
} | {"numpy.fromfile", "numpy.memmap"}
# jax.extend is for those who build on JAX's inside; the others are inside or were removed.
NOT_PUBLIC_JAX = ("jax.core", "jax.interpreters", "jax.lib", "jax.extend")
# Public in spite of the underscore, which keeps them apart from a NamedTuple's fields.
NAMEDTUPLE = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
# A public name all the same: os.__all__ has it.
PUBLIC = {"os._exit"}
SPEAKERS = {"cli", "doctor", "output", "terminal"}


@dataclass(frozen=True)
class Module:
    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """What has a floor: the file or package directly in jaxattn/."""
        return room_of(self.name)

    @property
    def floor(self) -> int:
        return FLOORS.get(self.room, max(FLOORS.values()))


def room_of(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(module: Module) -> Iterator[tuple[int, str, str]]:
    """Line, full path and local name of everything imported, also inside functions."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield node.lineno, alias.name, alias.asname or top
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:  # from . import x
                above = module.name.split(".")
                above = above[: len(above) - node.level + module.is_package]
                origin = ".".join([*above, origin]).rstrip(".")
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}", alias.asname or alias.name


def calls(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.lineno, node.func.id


def touched(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full path of every import, and of every attribute read from an imported name."""
    origins = {}
    for line, path, local in imports(module):
        # `import a.b` binds a; `import a.b as c` and `from a import b` bind the whole path.
        origins[local] = local if path.startswith(f"{local}.") else path
        yield line, path
    for node in ast.walk(module.tree):
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id in origins:
            yield node.lineno, ".".join([origins[node.id], *reversed(names)])


# The rules.


def has_a_floor(module: Module) -> Iterator[str]:
    if module.room not in FLOORS:
        yield f"{module.room} has no floor: add it to FLOORS in {Path(__file__).name}"


def imports_nothing_from_above(module: Module) -> Iterator[str]:
    for line, path, _ in imports(module):
        if path.split(".")[0] != "jaxattn":
            continue
        # `from jaxattn import x`, where x is no room, reads the package's door.
        room = room_of(path) if room_of(path) in FLOORS else "__init__"
        if FLOORS[room] > module.floor:
            yield f"line {line}: floor {module.floor} imports {path} from floor {FLOORS[room]}"


def touches_nothing_private(module: Module) -> Iterator[str]:
    for line, path in touched(module):
        for part in path.split(".")[1:] if path not in PUBLIC else ():
            private = part.startswith("_") and not part.startswith("__")
            if private and part not in NAMEDTUPLE:
                yield f"line {line}: {path} is private to another module"


def uses_public_jax_only(module: Module) -> Iterator[str]:
    for line, path in touched(module):
        if any(f"{path}.".startswith(f"{inside}.") for inside in NOT_PUBLIC_JAX):
            yield f"line {line}: {path} is not public JAX"


def keeps_a_library_in_its_room(module: Module) -> Iterator[str]:
    for line, path, _ in imports(module):
        room = ONLY_HERE.get(path.split(".")[0], module.room)
        if room != module.room:
            yield f"line {line}: {path} may be imported in jaxattn.{room} only"


def is_pure_below_the_shell(module: Module) -> Iterator[str]:
    if module.floor >= SHELL:
        return
    for line, path, _ in imports(module):
        if path.split(".")[0] in SHELL_LIBRARIES:
            yield f"line {line}: {path} belongs on floor {SHELL} and above"
    for line, path in touched(module):
        if path in NUMPY_FILES:
            yield f"line {line}: {path} touches files, which belong on floor {SHELL} and above"
    for line, name in calls(module):
        if name == "open":
            yield f"line {line}: open() belongs on floor {SHELL} and above"


def defines_all(module: Module) -> Iterator[str]:
    if module.is_package or module.room == "__main__":
        return
    targets = [
        target
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
        yield "defines no __all__: list the public names"


def is_short(module: Module) -> Iterator[str]:
    if (lines := module.text.count("\n")) > LONGEST_FILE:
        yield f"{lines} lines: split it at {LONGEST_FILE}"


def names_what_it_catches(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        last = node.body[-1]
        if isinstance(last, ast.Raise) and last.exc is None:
            continue  # it tidies up and lets everything pass on: nothing is swallowed
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        broad = {"Exception", "BaseException"}
        if any(
            kind is None or (isinstance(kind, ast.Name) and kind.id in broad) for kind in caught
        ):
            yield f"line {node.lineno}: catches everything; name what can go wrong here"


def is_silent(module: Module) -> Iterator[str]:
    if module.room not in SPEAKERS:
        for line, name in calls(module):
            if name == "print":
                yield f"line {line}: print(); only {', '.join(sorted(SPEAKERS))} speak"


def cycle(modules: Mapping[str, Module]) -> list[str]:
    """The names along one import cycle, or nothing. An import inside a function counts too."""

    def imported(name: str) -> set[str]:
        found = set()
        for _, path, _ in imports(modules[name]):
            # `from a import b` is the module a.b if there is one, else a name in a.
            found |= {path if path in modules else path.rpartition(".")[0]} & modules.keys()
        return found - {name}

    finished: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name not in finished:
            for other in sorted(imported(name)):
                if found := visit(other, [*trail, name]):
                    return found
            finished.add(name)
        return []

    return next((found for name in sorted(modules) if (found := visit(name, []))), [])


def package() -> dict[str, Module]:
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ["jaxattn", *path.relative_to(PACKAGE).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return modules


RULES: list[Callable[[Module], Iterator[str]]] = [
    has_a_floor,
    imports_nothing_from_above,
    touches_nothing_private,
    uses_public_jax_only,
    keeps_a_library_in_its_room,
    is_pure_below_the_shell,
    defines_all,
    is_short,
    names_what_it_catches,
    is_silent,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_of_the_package_keeps_the_rule(rule: Callable) -> None:
    objections = [f"{name}: {what}" for name, module in package().items() for what in rule(module)]
    assert not objections, "\n" + "\n".join(objections)


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert cycle(package()) == []


def test_the_package_is_really_read() -> None:
    assert {"jaxattn.contracts", "jaxattn.streams"} <= package().keys()


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (has_a_floor, "jaxattn.helpers", ""),
        (has_a_floor, "jaxattn.helpers.inner", ""),
        (imports_nothing_from_above, "jaxattn.attention", "from jaxattn.descent import f"),
        (imports_nothing_from_above, "jaxattn.attention", "def f():\n    import jaxattn.plots"),
        (imports_nothing_from_above, "jaxattn.tasks.digits", "from jaxattn.sweep.run import f"),
        (imports_nothing_from_above, "jaxattn.tasks.digits", "from ..sweep import run"),
        (imports_nothing_from_above, "jaxattn.plots", "from jaxattn import doctor"),
        (imports_nothing_from_above, "jaxattn.plots", "from jaxattn import summary"),
        (imports_nothing_from_above, "jaxattn.plots", "import jaxattn"),
        (touches_nothing_private, "jaxattn.flow", "from jaxattn.descent import _clip"),
        (touches_nothing_private, "jaxattn.flow", "import jaxattn.descent as d\nd._clip(1)"),
        (touches_nothing_private, "jaxattn.flow", "from jaxattn import descent\ndescent._clip"),
        (touches_nothing_private, "jaxattn.flow", "import jax\njax._src.core.Tracer"),
        (touches_nothing_private, "jaxattn.flow", "from jax._src import core"),
        (touches_nothing_private, "jaxattn.cli", "import os\nos._get_exports_list"),
        (uses_public_jax_only, "jaxattn.flow", "from jax.core import Tracer"),
        (uses_public_jax_only, "jaxattn.flow", "from jax import core"),
        (uses_public_jax_only, "jaxattn.flow", "import jax\njax.core.Tracer"),
        (uses_public_jax_only, "jaxattn.flow", "import jax.interpreters.ad as ad"),
        (keeps_a_library_in_its_room, "jaxattn.problem", "import flax.linen as nn"),
        (keeps_a_library_in_its_room, "jaxattn.flow", "from diffrax import Tsit5"),
        (keeps_a_library_in_its_room, "jaxattn.sweep.run", "import optax"),
        (
            keeps_a_library_in_its_room,
            "jaxattn.stability",
            "from matfree.decomp import tridiag_sym",
        ),
        (is_pure_below_the_shell, "jaxattn.sweep.run", "import xarray as xr"),
        (is_pure_below_the_shell, "jaxattn.measures", "import matplotlib.pyplot as plt"),
        (is_pure_below_the_shell, "jaxattn.tasks.digits", "from pathlib import Path"),
        (is_pure_below_the_shell, "jaxattn.tasks.digits", "f = open('x')"),
        (is_pure_below_the_shell, "jaxattn.tasks.digits", "import numpy as np\nnp.load('x')"),
        (defines_all, "jaxattn.flow", "def f(): ..."),
        (is_short, "jaxattn.flow", "\n" * 401),
        (names_what_it_catches, "jaxattn.cli", "try: f()\nexcept Exception: ..."),
        (names_what_it_catches, "jaxattn.cli", "try: f()\nexcept (OSError, BaseException): ..."),
        (names_what_it_catches, "jaxattn.cli", "try: f()\nexcept: ..."),
        (is_silent, "jaxattn.comparison", "print('hello')"),
    ],
)
def test_a_rule_catches_what_breaks_it(rule: Callable, name: str, text: str) -> None:
    assert list(rule(Module(name, text)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jaxattn.flow", "from jaxattn.descent import Optimiser\nfrom jaxattn.data import size"),
        (
            "jaxattn.flow",
            "from jaxattn.contracts import Keys\nKeys._fields\nimport jax\njax.lax.scan",
        ),
        (
            "jaxattn.theory.orbits",
            "from jaxattn.theory import equations\nfrom .asymptotics import f",
        ),
        ("jaxattn.models.mlp", "import flax.linen as nn\ntry: f()\nexcept ValueError: ..."),
        ("jaxattn.integrate", "import diffrax"),
        ("jaxattn.descent", "import optax\nimport numpy as np\nnp.loadable"),
        ("jaxattn.store", "import xarray, os\nwith open('x') as f: f"),
        ("jaxattn.store", "try: f()\nexcept BaseException:\n    g()\n    raise"),
        ("jaxattn.cli", "import os\nos._exit(130)"),
        ("jaxattn.doctor", "print('all well')\nfrom jaxattn import compare, __version__"),
    ],
)
def test_the_rules_let_good_code_pass(name: str, text: str) -> None:
    module = Module(name, f"__all__ = []\n{text}")
    assert [what for rule in RULES for what in rule(module)] == []


def test_a_circle_of_imports_is_found_also_through_a_package_or_a_function() -> None:
    modules = [
        Module("jaxattn.theory", "from jaxattn.theory.orbits import f", is_package=True),
        Module("jaxattn.theory.orbits", "from . import equations"),
        Module("jaxattn.theory.equations", "def g():\n    from jaxattn.theory import f"),
    ]
    assert cycle({module.name: module for module in modules}) == [
        "jaxattn.theory",
        "jaxattn.theory.orbits",
        "jaxattn.theory.equations",
        "jaxattn.theory",
    ]
    straight = [*modules[:2], Module("jaxattn.theory.equations", "import jax")]
    assert cycle({module.name: module for module in straight}) == []
