"""Look a component up by name or by import path; say the nearest name if unknown."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

from jaxattn.core.errors import InputError

__all__ = ["nearest", "resolve"]

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
