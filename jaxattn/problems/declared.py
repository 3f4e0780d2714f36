"""What a function of a person's own says of itself: the arguments it takes, its hyperparameters."""

import inspect
from collections.abc import Mapping
from typing import Any

from jaxattn.core.contracts import HyperSpec, InputError

__all__ = ["declared_hypers", "takes"]


def takes(function: Any, *names: str) -> frozenset[str]:
    """Which of these arguments a function has by name."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # some of what is written in C has none
        return frozenset()
    return frozenset(name for name in names if name in parameters)


def declared_hypers(owner: str, given: Any) -> tuple[HyperSpec, ...]:
    """Hyperparameters as they are declared: numbers by name, or `HyperSpec` objects.

    Args:
        owner: what to call the function in a message.
        given: ``{name: default}``, where the default None means off, or several `HyperSpec`.

    Raises:
        InputError: anything else.
    """
    if isinstance(given, Mapping):
        for name, default in given.items():
            if not isinstance(name, str) or not (
                default is None or isinstance(default, int | float)
            ):
                raise InputError(
                    f"{owner}, hyperparameter {name!r}: got the default {type(default).__name__}, "
                    "expected a number; several belong in compare's hypers."
                )
        given = [
            HyperSpec(name, None if default is None else float(default))
            for name, default in given.items()
        ]
    declared = tuple(given) if isinstance(given, list | tuple | set) else given
    if not isinstance(declared, tuple) or not all(isinstance(one, HyperSpec) for one in declared):
        raise InputError(
            f"{owner}, hypers: got {type(given).__name__}, expected numbers by name or HyperSpecs; "
            "write hypers={'noise': 0.1}."
        )
    return declared
