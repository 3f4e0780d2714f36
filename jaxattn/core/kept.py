"""What is made of an object once, and kept as long as that object lives."""

import functools
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

from jaxattn.core.precision import x64_is_on

__all__ = ["kept"]

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 256
"""Results of one function that one object keeps; those used longest ago are let go."""

_NAME = "_kept_by_jaxattn"


class _Shelf(OrderedDict[Hashable, Any]):
    """The results of one object; they stay behind when it is copied or pickled."""

    def __reduce__(self) -> Any:
        return (_Shelf, ())

    def __deepcopy__(self, memo: Any) -> "_Shelf":
        return _Shelf()


def kept(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which gives the same result for the same arguments, as under ``lru_cache``.

    A result usually holds what it was made of. In a cache of the module that would stay in memory
    until the process ends; here it is held by the first argument that can hold anything: an object
    with attributes, or the last such field of a NamedTuple. So both are let go together, by
    Python's collector of cycles. Where no argument can, as with names and with functions of a
    module, which live as long, the module holds it.

    What was made while JAX computed in 32 bits is not that of 64: the two are kept apart.

    Args:
        function: its arguments are hashable, and equal ones mean the same.
    """
    of_nobody = _Shelf()

    @functools.wraps(function)
    def remembering(*args: P.args, **kwargs: P.kwargs) -> R:
        shelf = next((home for home in map(_shelf_of, args) if home is not None), of_nobody)
        # Types are checked and rounded by it, by whoever traces for a "float64" of 32 bits too.
        key = (function, args, tuple(kwargs.items()), x64_is_on())
        if key not in shelf:
            shelf[key] = function(*args, **kwargs)
            while len(shelf) > _MOST:
                shelf.popitem(last=False)
        shelf.move_to_end(key)
        return shelf[key]

    return remembering


def _shelf_of(holder: Any) -> _Shelf | None:
    if isinstance(holder, tuple):
        return next((home for home in map(_shelf_of, reversed(holder)) if home is not None), None)
    attributes = getattr(holder, "__dict__", None)
    if not isinstance(attributes, dict) or _is_of_a_module(holder):
        return None
    return attributes.setdefault(_NAME, _Shelf())


def _is_of_a_module(holder: Any) -> bool:
    module = sys.modules.get(getattr(holder, "__module__", None) or "")
    return getattr(module, getattr(holder, "__qualname__", ""), None) is holder
