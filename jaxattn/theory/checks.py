"""What a closed form accepts: a value outside is refused with a message, a traced one is NaN."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Real

from jaxattn.core.contracts import InputError

__all__ = [
    "LARGEST_SIZE",
    "LARGEST_START",
    "LARGEST_STATE",
    "LARGEST_TIME",
    "Valid",
    "checked",
    "checked_between",
    "checked_start",
    "checked_switch",
    "checked_times",
    "sound_start",
    "sound_switch",
    "sound_times",
    "valid",
]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]
Valid = Result | Float[np.ndarray, "..."]
"""JAX's where it is traced, else NumPy's: outside a compiled program each step of JAX's costs as
much as thousands of numbers, and a compiled one takes NumPy's as they are."""

LARGEST_SIZE = 1e9
"""The most segments, and classes. The stated errors are measured up to 1e6."""
LARGEST_START = 40.0
"""The largest mu0, and nu0."""
LARGEST_STATE = 80.0
"""The largest mu."""
LARGEST_TIME = 1e15
"""The stated errors are measured up to 1e12."""


def _lost(value: Number, inside: Bool[ArrayLike, "..."]) -> Result:
    """`value`, and NaN outside; added and not chosen, so that slopes there are NaN and not 0."""
    return jnp.add(value, jnp.where(inside, 0.0, jnp.nan))


def valid(name: str, value: Number, low: float, high: float) -> Valid:
    """`value` as floats, where it lies in [low, high].

    Where it is traced (under ``jit``, ``vmap`` or ``grad``) no one can be told: what lies outside
    becomes NaN there, and so does every result that depends on it.

    Raises:
        InputError: a value outside, or not finite.
    """
    try:
        plain = np.asarray(value, float)
    except jax.errors.TracerArrayConversionError:
        traced = jnp.asarray(value, float)
        return _lost(traced, (traced >= low) & (traced <= high))
    wrong = plain[~((plain >= low) & (plain <= high))]
    if wrong.size:
        raise InputError(f"bad {name}: got {wrong[0]:g}, expected a number in [{low:g}, {high:g}].")
    return np.asarray(plain, jnp.result_type(float))


def _known(*values: Number) -> bool:
    """Whether none is traced. Under ``grad`` a comparison of traced values may not be."""
    try:
        for value in values:
            np.asarray(value)
    except jax.errors.TracerArrayConversionError:
        return False
    return True


def checked(name: str, value: Number, low: float, high: float) -> Result:
    """`valid`, as an array of JAX's."""
    return jnp.asarray(valid(name, value, low, high))


def sound_start(
    segments: Number, classes: Number, mu0: Number, nu0: Number
) -> tuple[Valid, Valid, Valid, Valid]:
    """Sizes and start of an orbit, each by `valid`."""
    return (
        valid("segments", segments, 2.0, LARGEST_SIZE),
        valid("classes", classes, 2.0, LARGEST_SIZE),
        valid("mu0", mu0, 0.0, LARGEST_START),
        valid("nu0", nu0, 0.0, LARGEST_START),
    )


def checked_between(name: str, value: Result, low: Number, high: Number) -> Result:
    """`checked` for bounds that depend on other arguments, and may be traced as `value` may.

    Raises:
        InputError: a value outside.
    """
    inside = (value >= low) & (value <= high)
    if not _known(value, low, high):
        return _lost(value, inside)
    wrong = np.asarray(~inside)
    if wrong.any():
        place = int(np.argmax(wrong))
        got, *ends = (np.broadcast_to(x, wrong.shape).flat[place] for x in (value, low, high))
        raise InputError(
            f"bad {name}: got {got:g}, expected a number in [{ends[0]:g}, {ends[1]:g}]."
        )
    return value


def checked_start(
    segments: Number, classes: Number, mu0: Number, nu0: Number
) -> tuple[Result, Result, Result, Result]:
    """Sizes and start of an orbit, each by `checked`."""
    segments, classes, mu0, nu0 = map(jnp.asarray, sound_start(segments, classes, mu0, nu0))
    return segments, classes, mu0, nu0


def sound_times(times: Number) -> Valid:
    """Times in [0, 1e15] which do not decrease along the last axis; traced ones all NaN if they do.

    Raises:
        InputError: negative, too large, not finite, or decreasing.
    """
    values = valid("times", times, 0.0, LARGEST_TIME)
    if values.ndim == 0:
        return values
    if not isinstance(values, np.ndarray):
        falls = jnp.any(jnp.diff(values) < 0.0, axis=-1, keepdims=True)
        return _lost(values, ~falls)
    unsorted = np.diff(values) < 0.0
    if np.any(unsorted):
        place = int(np.argmax(unsorted))
        raise InputError(
            f"bad times: got {values.ravel()[place + 1]:g} after {values.ravel()[place]:g}, "
            "expected times that do not decrease; sort them."
        )
    return values


def checked_times(times: Number) -> Result:
    """`sound_times`, as an array of JAX's."""
    return jnp.asarray(sound_times(times))


def sound_switch(switch_time: Number, times: Valid) -> Valid:
    """A switch within the horizon, which the last of the `times` ends; NaN if traced and outside.

    Raises:
        InputError: outside, or not finite.
    """
    switch = valid("switch_time", switch_time, 0.0, LARGEST_TIME)
    inside = switch <= times[..., -1] if times.ndim else switch <= times
    if not _known(switch, times):
        return _lost(switch, inside)
    if not np.all(np.asarray(inside)):
        raise InputError(
            f"bad switch_time: got {np.max(np.asarray(switch)):g}, expected a number in "
            f"[0, {np.max(np.asarray(times)):g}], up to the last of the times."
        )
    return switch


def checked_switch(switch_time: Number, times: Result) -> Result:
    """`sound_switch`, as an array of JAX's."""
    return jnp.asarray(sound_switch(switch_time, times))
