"""Look a component up by name or import path, say the nearest name, find what a package defines."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from jaxattn.core.errors import InputError, in_a_line

__all__ = [
    "discover",
    "nearest",
    "refuse_borrowed_name",
    "refuse_unwritable_name",
    "resolve",
]

Component = TypeVar("Component")


def resolve(kind: str, table: Mapping[str, Component], name: "str | Component") -> Any:
    """The component called `name` in `table`; anything that is not a string is returned as is.

    A name with a colon is an import path, ``package.module:attribute``: the way to name, in a
    file or to another process, a component that is in no table.

    Raises:
        InputError: no such name (the message offers the nearest one and lists them all), nothing to
            import at that path, or a function of one's own that is called like one in the table.
    """
    if not isinstance(name, str):
        return _own(kind, table, name)
    if name in table:
        return table[name]
    if ":" in name:
        return _own(kind, table, _imported(kind, name))
    raise InputError(
        f"unknown {kind}: got {name!r}, expected one of {', '.join(sorted(table))}; "
        f"{nearest(name, table) or 'pick one of these.'}"
    )


def refuse_borrowed_name(kind: str, table: Mapping[str, Any], name: str, component: Any) -> None:
    """Refuse something else under a name of `table`: results tell components apart by their names.

    Raises:
        InputError: `name` is in the table and means another component there.
    """
    if name in table and table[name] != component:
        raise InputError(
            f"{kind}: got one of your own called {name!r}, which is a built-in's name, expected "
            "another, as results tell them apart by it; rename yours."
        )


def refuse_unwritable_name(kind: str, name: Any) -> None:
    """Refuse a name that tables, figures and files cannot show as it is.

    Raises:
        InputError: no text, empty, with line breaks or the like, or with a ``$``, between two of
            which figures take text for mathematics.
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or "$" in name:
        raise InputError(
            f"{kind}: got the name {name!r}, expected printable text without $, which figures "
            "would take for mathematics; rename it."
        )


def _own(kind: str, table: Mapping[str, Any], component: Any) -> Any:
    refuse_borrowed_name(kind, table, getattr(component, "__name__", ""), component)
    return component


def nearest(name: str, known: Iterable[str]) -> str:
    """The question whether the nearest of `known` was meant; empty if none is near."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {matches[0]!r}?" if matches else ""


def discover(package: str, attribute: str) -> list[Any]:
    """What the modules of a package define under one name: a registry that no file lists.

    Every public module (no underscore in front) directly in the package is imported.

    Args:
        package: its full name, ``"jaxattn.flow.limits"``.
        attribute: the name to look for in each module.

    Returns:
        The attribute of each module that defines it, by name of the module.
    """
    names = sorted(module.name for module in iter_modules(import_module(package).__path__))
    modules = [import_module(f"{package}.{name}") for name in names if not name.startswith("_")]
    return [getattr(module, attribute) for module in modules if hasattr(module, attribute)]


def _imported(kind: str, path: str) -> Any:
    """What `path` names: ``package.module:attribute``, the attribute possibly dotted."""
    module, _, attributes = path.partition(":")
    try:
        component = import_module(module)
        for attribute in attributes.split("."):
            component = getattr(component, attribute)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise InputError(
            f"{kind}: got {path!r}, which cannot be imported ({in_a_line(error)}); expected "
            "package.module:attribute; is its folder on PYTHONPATH?"
        ) from error
    return component
