"""The hyperparameters of components that run together: each name has one meaning."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from jaxattn.core.contracts import HyperSpec, InputError

__all__ = ["merged_hypers"]

_WORDS = {"open_low": "low excluded", "doc": "meaning"}
_LONGEST = 60
"""Characters of a value in a message."""


def merged_hypers(owners: Iterable[tuple[str, Iterable[HyperSpec]]]) -> tuple[HyperSpec, ...]:
    """Every hyperparameter that some component declares, once, in the order they are declared.

    Args:
        owners: components by the words that a message calls them by, such as ``"paradigm 'soft'"``,
            with what each declares. One may occur twice.

    Raises:
        InputError: two declare one name with different defaults, bounds, units or meanings.
    """
    declared: dict[str, tuple[str, HyperSpec]] = {}
    for owner, specs in owners:
        for spec in specs:
            first, known = declared.setdefault(spec.name, (owner, spec))
            if known != spec:
                raise InputError(_conflict(first, known, owner, spec))
    return tuple(spec for _, spec in declared.values())


def _conflict(first: str, known: HyperSpec, second: str, other: HyperSpec) -> str:
    name = next(f.name for f in fields(HyperSpec) if _differ(known, other, f.name))
    first_value, second_value = (_shown(getattr(spec, name)) for spec in (known, other))
    return (
        f"hyperparameter {known.name!r}: got {_WORDS.get(name, name)} {first_value} from {first} "
        f"and {second_value} from {second}, expected one meaning of a name; rename one, or declare "
        "the same HyperSpec."
    )


def _differ(known: HyperSpec, other: HyperSpec, field: str) -> bool:
    return bool(getattr(known, field) != getattr(other, field))


def _shown(value: Any) -> str:
    said = f"{value:g}" if isinstance(value, float) else repr(value)
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 4]}...'"
