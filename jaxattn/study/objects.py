"""Objects handed over in Python where the file of a sweep has import paths.

Each gets a path within this module, under which only the process that was handed it finds it. What
a sweep computes is compared with what it began with by fingerprint, whatever its path.
"""

from collections.abc import Mapping
from typing import Any

from jaxattn.study.checks import unwrapped

__all__ = ["is_held", "with_paths"]

_HELD: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    """An object by the last part of its path.

    Raises:
        AttributeError: this process was not handed it.
    """
    if name not in _HELD:
        raise AttributeError(
            f"{name} was handed to another process; write it in a module that can be imported"
        )
    return _HELD[name]


def with_paths(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a spec, in which every object has become an import path.

    Args:
        tables: plain values, and objects where a file names components.
    """
    return {
        str(name): _named(str(name), table, name == "measures") for name, table in tables.items()
    }


def is_held(spec_json: str) -> bool:
    """Whether a spec, written down, names objects of this process."""
    return f'"{__name__}:' in spec_json


def _named(key: str, value: Any, of_objects: bool = False) -> Any:
    if key == "from" and not isinstance(value, str):
        return _path_of(value)
    if isinstance(value, Mapping):
        return {name: _of_table(name, one, of_objects) for name, one in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_named("", one) for one in value]
    plain = unwrapped(value)
    if plain is None or isinstance(plain, bool | int | float | str | list | tuple):
        return value if not hasattr(plain, "_fields") else _path_of(value)
    return _path_of(value)


def _of_table(name: Any, value: Any, of_objects: bool) -> Any:
    return _path_of(value) if of_objects and not isinstance(value, str) else _named(name, value)


def _path_of(value: Any) -> str:
    known = next((name for name, held in _HELD.items() if held is value), None)
    if known is None:
        named = str(getattr(value, "__name__", None) or type(value).__name__)
        known = f"{named if named.isidentifier() else 'object'}_{len(_HELD)}"
        _HELD[known] = value
    return f"{__name__}:{known}"
