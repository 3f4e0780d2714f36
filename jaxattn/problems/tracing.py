"""A function of a person's own, traced by JAX without computing anything; errors in one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxattn.core.errors import InputError, in_a_line
from jaxattn.core.programs import program_of

__all__ = [
    "described",
    "expect",
    "expect_jumps",
    "in_one_line",
    "raised",
    "same_kind",
    "shaped",
    "shapes_of",
]

_RAISED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a function may raise while it is traced: JAX's own errors are among their kinds."""

_LONGEST = 110
"""Characters of somebody else's message within ours."""


def raised() -> tuple[type[Exception], ...]:
    """What a function may raise while it is traced, for an ``except``, which asks once one has.

    So Flax is not loaded for its errors: theory and figures need nothing of it.
    """
    from jaxattn.models.pair import FlaxError

    return (*_RAISED, FlaxError)


@contextmanager
def in_one_line(owner: str, hint: str) -> Iterator[None]:
    """What is raised inside as one `InputError` about `owner`, its cause kept.

    Args:
        owner: what to call the function in the message.
        hint: what was expected, and how to fix it.
    """
    try:
        yield
    except InputError:
        raise
    except raised() as error:
        said = in_a_line(error)
        said = said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."
        raise InputError(
            f"{owner}: got {type(error).__name__} ({said}), expected {hint}"
        ) from error


def shapes_of(owner: str, hint: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Shapes and dtypes of what `function` returns for arguments of these; nothing is computed.

    It is traced twice: what is not pure is another program each time, and would be trained as the
    one and measured as the other.

    Raises:
        InputError: whatever it raises, as `in_one_line` does; it is not pure.
    """
    with in_one_line(owner, hint):
        program, again = (program_of(function, *arguments) for _ in range(2))
    if program.fingerprint != again.fingerprint:
        raise InputError(
            f"{owner}: got a function that is another one each time it is traced, as with random "
            "numbers of NumPy or a counter, expected a pure one; draw by jax.random from its key, "
            "or draw once, outside."
        )
    return program.shapes


def shaped(leaf: Any, precision: str, *leading: int) -> jax.ShapeDtypeStruct:
    """Shape and dtype of an array after `leading` axes, floats in `precision`."""
    floating = jnp.issubdtype(leaf.dtype, jnp.floating)
    dtype = jax.dtypes.canonicalize_dtype(precision if floating else leaf.dtype)
    return jax.ShapeDtypeStruct((*leading, *leaf.shape), dtype)


def described(value: Any) -> str:
    """A traced value in words: dtype and shape of an array, else its type."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__


def expect(owner: str, what: str, value: Any, shape: tuple[int, ...], fix: str) -> None:
    """Refuse what is no float array of this shape.

    Raises:
        InputError: with what it is.
    """
    floating = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.floating)
    if not floating or tuple(value.shape) != shape:
        raise InputError(
            f"{owner}: got {described(value)}, expected {what}, floats of shape {shape}; {fix}"
        )


def same_kind(before: PyTree, after: PyTree) -> bool:
    """Whether two trees have the same structure, shapes and dtypes; a Python number has any."""
    structures: list[Any] = [jax.tree.structure(tree) for tree in (before, after)]
    return bool(structures[0] == structures[1]) and all(
        jnp.shape(one) == jnp.shape(two) and _alike(one, two)
        for one, two in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    )


def _alike(one: Any, two: Any) -> bool:
    """Whether two leaves have one dtype; a Python number takes any."""
    weak = [getattr(leaf, "weak_type", not hasattr(leaf, "dtype")) for leaf in (one, two)]
    return any(weak) or bool(one.dtype == two.dtype)


def expect_jumps(owner: str, jumps: Any) -> None:
    """Refuse what is no list of the times at which a loss jumps.

    Raises:
        InputError: with what it is.
    """
    shape = getattr(jumps, "shape", ())
    fix = "return one time a jump, an empty array for none."
    expect(owner, "discontinuities", jumps, tuple(shape) if len(shape) == 1 else (1,), fix)
