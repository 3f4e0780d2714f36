"""Look a component up by name or import path, say the nearest name, find what a package defines."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from jaxattn.core.contracts import InputError

__all__ = ["discover", "nearest", "resolve"]

Component = TypeVar("Component")


def resolve(kind: str, table: Mapping[str, Component], name: "str | Component") -> Any:
    """The component called `name` in `table`; anything that is not a string is returned as is.

    A name with a colon is an import path, ``package.module:attribute``: the way to name, in a
    file or to another process, a component that is in no table.

    Raises:
        InputError: no such name (the message offers the nearest one and lists them all), or
            nothing to import at that path.
    """
    if not isinstance(name, str):
        return name
    if name in table:
        return table[name]
    if ":" in name:
        return _imported(kind, name)
    raise InputError(
        f"unknown {kind}: got {name!r}, expected one of {', '.join(sorted(table))}; "
        f"{nearest(name, table) or 'pick one of these.'}"
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The question whether the nearest of `known` was meant; empty if none is near."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else ""


def discover(package: str, attribute: str) -> list[Any]:
    """What the modules of a package define under one name: a registry that no file lists.

    Every public module (no underscore in front) directly in the package is imported.

    Args:
        package: its full name, ``"jaxattn.flow.limits"``.
        attribute: the name to look for in each module.

    Returns:
        The attribute of each module that defines it, by name of the module.
    """
    names = sorted(one.name for one in iter_modules(import_module(package).__path__))
    modules = [import_module(f"{package}.{name}") for name in names if not name.startswith("_")]
    return [getattr(module, attribute) for module in modules if hasattr(module, attribute)]


def _imported(kind: str, path: str) -> Any:
    """What `path` names: ``package.module:attribute``, the attribute possibly dotted."""
    module, _, attributes = path.partition(":")
    try:
        found = import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"{kind}: got {path!r}, which cannot be imported ({said}); expected "
            "package.module:attribute; is its folder on PYTHONPATH?"
        ) from error
    return found
