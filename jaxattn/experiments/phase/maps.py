"""The closed forms over a map of sizes: scores in time, and the time to focus, also of hybrids.

Times are in units of ``m C`` throughout. A map is worked through line by line, a line being equal
segments and all classes, in one program a paradigm. The hybrid has none of its own: it is soft
attention up to the switch, and hard attention from the state that this has reached.
"""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxattn import theory

__all__ = ["PARADIGMS", "State", "Turn", "focus_times", "states", "turn_of"]

PARADIGMS = ("soft", "hard", "lvml", "hybrid")

Sizes = Float[np.ndarray, " size"]
At = Float[np.ndarray, "size size at"]
Plane = Float[np.ndarray, "size size"]


class State(NamedTuple):
    """The two numbers of the state, of equal shape."""

    mu: np.ndarray
    nu: np.ndarray


class Turn(NamedTuple):
    """When the hybrid goes over, and its state then, over the map."""

    time: float
    state: State


def _state(
    paradigm: str, times: Array, segments: Array, classes: Array, mu0: Array, nu0: Array
) -> State:
    """State at these times since the start."""
    size = {"segments": segments, "classes": classes}
    path: Any = theory.trajectory(paradigm, times * (segments * classes), **size, mu0=mu0, nu0=nu0)
    return State(*path)


def _focus(
    paradigm: str, alphas: Array, segments: Array, classes: Array, mu0: Array, nu0: Array
) -> Array:
    """When, since the start, the attention is ``alpha``; 0 where it is at the start."""
    start = {"segments": segments, "classes": classes, "mu0": mu0, "nu0": nu0}
    times = jax.vmap(lambda alpha: theory.time_to_focus(paradigm, alpha, **start))(alphas)
    return times / (segments * classes)


@lru_cache(maxsize=32)
def _line(function: Any, paradigm: str) -> Any:
    """`of`, compiled for many classes: ``[class, at], m, [class], [class], [class]``."""
    every = jax.vmap(lambda *args: function(paradigm, *args), (0, None, 0, 0, 0))
    return jax.jit(every)


def _over(function: Any, paradigm: str, at: At, sizes: Sizes, start: State | None = None) -> Any:
    if start is None:
        start = State(*np.zeros((2, sizes.size, sizes.size)))
    line = _line(function, paradigm)
    lines = [line(at[k], m, sizes, start.mu[k], start.nu[k]) for k, m in enumerate(sizes)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *lines)


def turn_of(switch: float, sizes: Sizes, looks: int) -> Turn:
    """The state of soft attention at the switch.

    Args:
        switch: when.
        sizes: of m and of C.
        looks: how many times `states` is asked for at once, so that its program serves here too.
    """
    times = np.full((sizes.size, sizes.size, looks), switch)
    return Turn(switch, State(*(leaf[..., 0] for leaf in _over(_state, "soft", times, sizes))))


def states(paradigm: str, times: At, sizes: Sizes, turn: Turn) -> State:
    """State from zero at times that do not decrease, ``[m, C, time]``; NaN beyond the domain.

    Args:
        paradigm: one of `PARADIGMS`.
        times: at each size.
        sizes: of m and of C.
        turn: of the hybrid; the others take no notice.
    """
    if paradigm != "hybrid":
        return _over(_state, paradigm, times, sizes)
    before = _over(_state, "soft", times, sizes)
    after = _over(_state, "hard", np.maximum(times - turn.time, 0.0), sizes, turn.state)
    return jax.tree.map(partial(np.where, times < turn.time), before, after)


def focus_times(paradigm: str, alphas: tuple[float, ...], sizes: Sizes, turn: Turn) -> At:
    """When the attention is ``alpha``, from zero, ``[m, C, alpha]``; NaN beyond the domain.

    Args:
        paradigm: one of `PARADIGMS`.
        alphas: in (0, 1).
        sizes: of m and of C.
        turn: of the hybrid; the others take no notice.
    """
    at = np.broadcast_to(np.asarray(alphas), (sizes.size, sizes.size, len(alphas)))
    if paradigm != "hybrid":
        return _over(_focus, paradigm, at, sizes)
    before = _over(_focus, "soft", at, sizes)
    after = turn.time + _over(_focus, "hard", at, sizes, turn.state)
    return np.where(before <= turn.time, before, after)
