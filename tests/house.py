"""The package in figures that anyone can repeat: ``python tests/house.py``.

A module is a file; a room is a folder directly in the package, or a file there. An arrow leads from
what imports to what is imported, also inside a function, and counts once however many names it
brings. A function's body is counted from behind its docstring to its last line, blank lines too.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

PACKAGE = Path(__file__).parent.parent / "jaxattn"

Arrow = tuple[str, str]


@dataclass(frozen=True)
class Module:
    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        return room_of(self.name)

    @property
    def lines(self) -> int:
        return self.text.count("\n")


@dataclass(frozen=True)
class Function:
    module: str
    name: str
    lines: int


def room_of(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def read(package: Path) -> dict[str, Module]:
    """Every module below a folder by its dotted name, in the order of the names of the files."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return modules


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


def arrows(modules: Mapping[str, Module]) -> set[Arrow]:
    """From each module to those of its own package that it imports."""

    def imported(module: Module) -> set[str]:
        # `from a import b` is the module a.b if there is one, else a name in a.
        paths = {path for _, path, _ in imports(module)}
        return {path if path in modules else path.rpartition(".")[0] for path in paths}

    return {
        (name, other)
        for name, module in modules.items()
        for other in imported(module) & modules.keys() - {name}
    }


def room_arrows(modules: Mapping[str, Module]) -> set[Arrow]:
    """From each room to those that it imports from."""
    rooms = {(room_of(name), room_of(other)) for name, other in arrows(modules)}
    return {(room, other) for room, other in rooms if room != other}


def folders(modules: Mapping[str, Module]) -> set[str]:
    """Every folder with a module in it, at any depth, without the package's own."""
    packages = {
        name if module.is_package else name.rpartition(".")[0] for name, module in modules.items()
    }
    return {name for name in packages if "." in name}


def functions(module: Module) -> Iterator[Function]:
    """Every function and method of a module, also those inside another."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(module.name, node.name, _body_lines(node))


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[ast.get_docstring(function, clean=False) is not None :]
    if not body:
        return 0
    decorators = getattr(body[0], "decorator_list", [])
    first = min(node.lineno for node in (body[0], *decorators))
    last = body[-1].end_lineno
    assert last is not None
    return last - first + 1


def figures(modules: Mapping[str, Module]) -> dict[str, str]:
    """What is counted, in words."""
    lines = {name: module.lines for name, module in modules.items()}
    longest_file = max(lines, key=lambda name: lines[name])
    every = (function for module in modules.values() for function in functions(module))
    longest = max(every, key=lambda function: function.lines, default=Function("", "none", 0))
    return {
        "files": f"{len(modules):,}",
        "lines": f"{sum(lines.values()):,}",
        "median file": f"{median(lines.values()):g} lines",
        "longest file": f"{lines[longest_file]} lines, {longest_file}",
        "longest body of a function": f"{longest.lines} lines, {longest.name} in {longest.module}",
        "folders": f"{len(folders(modules))}",
        "arrows between rooms": f"{len(room_arrows(modules)):,}",
        "arrows between modules": f"{len(arrows(modules)):,}",
    }


if __name__ == "__main__":
    for name, figure in figures(read(PACKAGE)).items():
        print(f"{name:28}{figure}")
