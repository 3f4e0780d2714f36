"""Arguments called by a name that a function does not have: said in one line, with the nearest."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from jaxattn.core.errors import InputError
from jaxattn.core.lookup import nearest

__all__ = ["names_its_arguments"]

P = ParamSpec("P")
R = TypeVar("R")


def names_its_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which refuses an unknown argument as an `InputError` with the nearest name."""
    known = tuple(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: P.args, **given: P.kwargs) -> R:
        for name in given:
            if name not in known:
                hint = nearest(name, known)
                raise InputError(
                    f"{function.__name__}: got the argument {name!r}, expected one that "
                    f"help(jaxattn.{function.__name__}) lists; "
                    f"{hint or 'a hyperparameter belongs in hypers={...}.'}"
                )
        return function(*args, **given)

    return checked
