"""Look a component up by name, or pass the object through; say the nearest name if unknown."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from jaxattn.contracts import InputError

__all__ = ["resolve"]

Component = TypeVar("Component")


def resolve(kind: str, table: Mapping[str, Component], name: "str | Component") -> Any:
    """The component called `name` in `table`; anything that is not a string is returned as is.

    Raises:
        InputError: no such name; the message offers the nearest one and lists them all.
    """
    if not isinstance(name, str):
        return name
    if name in table:
        return table[name]
    nearest = get_close_matches(name, table, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else "pick one of these."
    raise InputError(
        f"unknown {kind}: got {name!r}, expected one of {', '.join(sorted(table))}; {hint}"
    )
