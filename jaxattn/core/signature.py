"""What a function of a person's own takes, where its signature says what it is for."""

import inspect
from typing import Any

__all__ = ["positional"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def positional(function: Any) -> tuple[inspect.Parameter, ...]:
    """Its arguments that can be given by place; none of what does not say, or is no function."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(one for one in parameters if one.kind in _POSITIONAL)
