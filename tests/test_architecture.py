"""The import graph is the architecture: a folder imports from folders before it, never up.

Every rule is a function from one parsed module to the sentences it objects with. Each is run
over the whole package, and over a line of code that it must catch.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping

import house
import pytest
from house import Module, imports, room_of

# The ladder: a folder imports from folders of the ranks before its own, and from itself.
LADDER = (
    ("core",),
    ("tasks", "models", "theory", "integrate", "probes"),
    ("problems",),
    ("training",),
    ("flow", "reduced"),
    ("study",),
    ("results",),
    ("run", "analysis"),
    ("engine", "plots"),
    ("reports",),
    ("experiments", "terminal"),
    ("api",),
    ("sweeps",),
    ("cli",),
    ("__init__",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(LADDER) for name in names}
# Ranks before this folder's are pure functions of arrays: no files, labels or figures.
SHELL = RANK["results"]
LONGEST_FILE = 350

# Which folders may use a library; a rank is enough for those that are not here.
ONLY_IN = {
    "flax": {"models"},
    "diffrax": {"integrate"},
    "optimistix": {"integrate"},
    "optax": {"training"},
    "matfree": {"probes"},
    "sklearn": {"tasks"},
    "PIL": {"tasks"},
    "pooch": {"tasks"},
    "requests": {"tasks"},
    "scipy": {"tasks", "analysis"},
    "matplotlib": {"plots", "reports", "experiments"},
    "h5py": {"results", "engine"},
    "h5netcdf": {"results"},
    "zarr": {"results"},
    "pyarrow": {"results"},
    "jinja2": {"reports"},
    "filelock": {"engine"},
    "orbax": {"engine"},
    "distributed": {"engine"},
    "submitit": {"engine"},
    "tensorboardX": {"engine"},
    "rich": {"terminal"},
    "sacrebleu": {"analysis"},
    "rouge_score": {"analysis"},
    "tyro": {"cli"},
}
SHELL_LIBRARIES = {"xarray", "pandas", "os", "pathlib", "tempfile", "shutil", "io", "glob"}
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
SPEAKERS = {"cli", "terminal"}


def rank_of(module: Module) -> int:
    return RANK.get(module.room, len(LADDER))


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


def is_on_the_ladder(module: Module) -> Iterator[str]:
    if module.room not in RANK:
        yield f"{module.room} is not on the ladder: put the module in one of its folders"


def imports_from_ranks_before(module: Module) -> Iterator[str]:
    for line, path, _ in imports(module):
        if path.split(".")[0] != "jaxattn":
            continue
        # `from jaxattn import x`, where x is no room, reads the package's door.
        room = room_of(path) if room_of(path) in RANK else "__init__"
        if room != module.room and RANK[room] >= rank_of(module):
            yield f"line {line}: {module.room} imports {path}, which is not of a rank before it"


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


def keeps_a_library_in_its_folders(module: Module) -> Iterator[str]:
    for line, path, _ in imports(module):
        rooms = ONLY_IN.get(path.split(".")[0], {module.room})
        if module.room not in rooms:
            yield f"line {line}: {path} may be imported in {', '.join(sorted(rooms))} only"


def is_pure_below_the_shell(module: Module) -> Iterator[str]:
    # Data sets are files: the one folder of tasks that reads them.
    if rank_of(module) >= SHELL or module.name.startswith("jaxattn.tasks.readers"):
        return
    for line, path, _ in imports(module):
        if path.split(".")[0] in SHELL_LIBRARIES:
            yield f"line {line}: {path} belongs in results and after"
    for line, path in touched(module):
        if path in NUMPY_FILES:
            yield f"line {line}: {path} touches files, which belong in results and after"
    for line, name in calls(module):
        if name == "open":
            yield f"line {line}: open() belongs in results and after"


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
    if module.lines > LONGEST_FILE:
        yield f"{module.lines} lines: split it at {LONGEST_FILE}"


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
    leads = house.arrows(modules)
    finished: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name not in finished:
            for other in sorted(other for start, other in leads if start == name):
                if found := visit(other, [*trail, name]):
                    return found
            finished.add(name)
        return []

    return next((found for name in sorted(modules) if (found := visit(name, []))), [])


def package() -> dict[str, Module]:
    return house.read(house.PACKAGE)


RULES: list[Callable[[Module], Iterator[str]]] = [
    is_on_the_ladder,
    imports_from_ranks_before,
    touches_nothing_private,
    uses_public_jax_only,
    keeps_a_library_in_its_folders,
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


def test_the_page_on_architecture_shows_this_ladder() -> None:
    page = (house.PACKAGE.parent / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+? \| (.*?) ?\|$", page, flags=re.MULTILINE)
    ranks: dict[str, int] = {}
    shown: dict[str, set[str]] = {}
    for rank, names, libraries in rows:
        rooms = re.findall(r"`(\w+)(?:/|\.py)`", names)
        ranks |= dict.fromkeys(rooms, int(rank) - 1)
        for library in filter(None, libraries.split(", ")):
            shown.setdefault(library, set()).update(rooms)
    doors = {"sweeps", "cli", "__init__"}
    folders = {module.room for module in package().values()} - doors - {"__main__"}
    assert ranks.keys() == folders | doors
    assert {name: ranks[name] for name in folders} == {name: RANK[name] for name in folders}
    assert {name: rooms - doors for name, rooms in shown.items()} == {
        name: rooms - doors for name, rooms in ONLY_IN.items()
    }


def test_the_package_is_really_read() -> None:
    assert {"jaxattn.core.contracts", "jaxattn.core.streams"} <= package().keys()


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (is_on_the_ladder, "jaxattn.helpers", ""),
        (is_on_the_ladder, "jaxattn.helpers.inner", ""),
        (imports_from_ranks_before, "jaxattn.core.lookup", "from jaxattn.training.train import f"),
        (imports_from_ranks_before, "jaxattn.core.lookup", "def f():\n    import jaxattn.plots"),
        (imports_from_ranks_before, "jaxattn.tasks.digits", "from jaxattn.run.tiles import f"),
        (imports_from_ranks_before, "jaxattn.tasks.digits", "from ..run import tiles"),
        (imports_from_ranks_before, "jaxattn.tasks.digits", "from jaxattn.models import mlp"),
        (imports_from_ranks_before, "jaxattn.plots", "from jaxattn import summary"),
        (imports_from_ranks_before, "jaxattn.plots", "import jaxattn"),
        (touches_nothing_private, "jaxattn.flow", "from jaxattn.training.train import _clip"),
        (touches_nothing_private, "jaxattn.flow", "import jaxattn.training as t\nt._clip(1)"),
        (touches_nothing_private, "jaxattn.flow", "from jaxattn import training\ntraining._clip"),
        (touches_nothing_private, "jaxattn.flow", "import jax\njax._src.core.Tracer"),
        (touches_nothing_private, "jaxattn.flow", "from jax._src import core"),
        (touches_nothing_private, "jaxattn.cli", "import os\nos._get_exports_list"),
        (uses_public_jax_only, "jaxattn.flow", "from jax.core import Tracer"),
        (uses_public_jax_only, "jaxattn.flow", "from jax import core"),
        (uses_public_jax_only, "jaxattn.flow", "import jax\njax.core.Tracer"),
        (uses_public_jax_only, "jaxattn.flow", "import jax.interpreters.ad as ad"),
        (keeps_a_library_in_its_folders, "jaxattn.problems.data", "import flax.linen as nn"),
        (keeps_a_library_in_its_folders, "jaxattn.flow", "from diffrax import Tsit5"),
        (keeps_a_library_in_its_folders, "jaxattn.run.tiles", "import optax"),
        (keeps_a_library_in_its_folders, "jaxattn.training", "from matfree.decomp import svd"),
        (keeps_a_library_in_its_folders, "jaxattn.analysis", "import matplotlib.pyplot as plt"),
        (is_pure_below_the_shell, "jaxattn.study.plan", "import xarray as xr"),
        (is_pure_below_the_shell, "jaxattn.tasks.digits", "from pathlib import Path"),
        (is_pure_below_the_shell, "jaxattn.tasks.digits", "f = open('x')"),
        (is_pure_below_the_shell, "jaxattn.tasks.digits", "import numpy as np\nnp.load('x')"),
        (defines_all, "jaxattn.flow", "def f(): ..."),
        (is_short, "jaxattn.flow", "\n" * 351),
        (names_what_it_catches, "jaxattn.cli", "try: f()\nexcept Exception: ..."),
        (names_what_it_catches, "jaxattn.cli", "try: f()\nexcept (OSError, BaseException): ..."),
        (names_what_it_catches, "jaxattn.cli", "try: f()\nexcept: ..."),
        (is_silent, "jaxattn.run.compare", "print('hello')"),
    ],
)
def test_a_rule_catches_what_breaks_it(rule: Callable, name: str, text: str) -> None:
    assert list(rule(Module(name, text)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("jaxattn.flow", "from jaxattn.training.train import f\nfrom jaxattn.core import streams"),
        (
            "jaxattn.flow",
            "from jaxattn.core.contracts import Keys\nKeys._fields\nimport jax\njax.lax.scan",
        ),
        (
            "jaxattn.theory.orbits",
            "from jaxattn.theory import equations\nfrom .asymptotics import f",
        ),
        ("jaxattn.models.mlp", "import flax.linen as nn\ntry: f()\nexcept ValueError: ..."),
        ("jaxattn.integrate", "import diffrax"),
        ("jaxattn.training", "import optax\nimport numpy as np\nnp.loadable"),
        ("jaxattn.results.files", "import xarray, os\nwith open('x') as f: f"),
        ("jaxattn.tasks.readers.idx", "from pathlib import Path\nwith open('x') as f: f"),
        ("jaxattn.results.files", "try: f()\nexcept BaseException:\n    g()\n    raise"),
        ("jaxattn.cli.main", "import os\nos._exit(130)"),
        ("jaxattn.cli.doctor", "print('all well')\nfrom jaxattn import sweeps"),
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
