"""What a component reads and has not declared: a hyperparameter, or its key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax

from jaxattn.core.contracts import HyperSpec, InputError
from jaxattn.core.programs import depends_on_first
from jaxattn.core.streams import PRNG
from jaxattn.problems.tracing import raised, shapes_of

__all__ = [
    "draws",
    "hint_at_key",
    "hyper_shapes",
    "key_shape",
    "shapes_with_hyper",
    "undeclared_key",
]


def shapes_with_hyper(
    owner: str, hint: str, function: Callable[..., Any], hyper: dict[str, Any], *arguments: Any
) -> Any:
    """`shapes_of` a function of `hyper` first; one that nobody declares is called by its name."""
    try:
        return shapes_of(owner, hint, function, hyper, *arguments)
    except InputError as error:
        cause = error.__cause__
        if not isinstance(cause, KeyError) or not _is_missing(cause, function, hyper, arguments):
            raise
        name = cause.args[0]
        raise InputError(
            f"{owner}: got hyper[{name!r}] read, which no component of the problem has a value "
            f"for, expected a default; declare it: hypers=(HyperSpec({name!r}, default),), or of a "
            f"plain function as its attribute: function.hypers = {{{name!r}: default}}."
        ) from cause


def _is_missing(
    cause: KeyError, function: Callable[..., Any], hyper: dict[str, Any], arguments: tuple[Any, ...]
) -> bool:
    """Whether the function gets further once `hyper` has the key that it missed."""
    name = cause.args[0] if cause.args else None
    if not isinstance(name, str) or name in hyper:
        return False
    try:
        jax.eval_shape(function, {**hyper, name: hyper["learning_rate"]}, *arguments)
    except raised() as error:
        first = error.__cause__ if isinstance(error, InputError) else error
        return not (isinstance(first, KeyError) and first.args == cause.args)
    return True


@contextmanager
def hint_at_key(
    owner: str, key: Any, function: Callable[..., Any], *with_key: Any
) -> Iterator[None]:
    """What draws on a key that it has not declared to need is told how to declare it."""
    try:
        yield
    except InputError as error:
        cause = error.__cause__
        if key is not None or cause is None:
            raise
        try:
            jax.eval_shape(function, *with_key)
        except raised():
            raise error from cause
        raise InputError(undeclared_key(owner)) from cause


def undeclared_key(owner: str) -> str:
    """What is said of a component that draws and has not declared it."""
    return (
        f"{owner}: got a function that draws on its key, expected one that does without; declare "
        "it: stochastic=True, or of a plain loss a parameter named key."
    )


def draws(function: Callable[..., Any], *arguments: Any) -> bool:
    """Whether what a function of a key returns depends on it; what fails with one does not."""
    try:
        return depends_on_first(function, key_shape(), *arguments)
    except raised():
        return False


def hyper_shapes(hypers: tuple[HyperSpec, ...], precision: str) -> dict[str, Any]:
    """A scalar for every hyperparameter that is on; the learning rate always is."""
    scalar = jax.ShapeDtypeStruct((), jax.dtypes.canonicalize_dtype(precision))
    on = [one.name for one in hypers if one.default is not None or one.of_run is not None]
    return dict.fromkeys(("learning_rate", *on), scalar)


def key_shape() -> Any:
    """Shape and dtype of a key."""
    return jax.eval_shape(lambda: jax.random.key(0, impl=PRNG))
