"""When to measure, as it is asked for: how many saves, how many in equal ratios, or which."""

from fractions import Fraction
from functools import lru_cache

import numpy as np

from jaxattn.core.contracts import InputError
from jaxattn.study.settings import Settings
from jaxattn.study.values import between

__all__ = ["save_steps"]


def save_steps(settings: Settings) -> tuple[int, ...]:
    """The steps at which to measure, increasing from 0 to the last.

    Raises:
        InputError: steps that are not so.
    """
    steps, saves = settings.steps, settings.saves
    if isinstance(saves, int):
        spaced = np.linspace(0, steps, min(saves, steps + 1))
        return tuple(int(step) for step in np.unique(np.round(spaced)))
    if isinstance(saves, str):
        return _in_equal_ratios(steps, int(saves.removeprefix("log:")))
    if saves[:1] != (0,) or saves[-1] != steps or any(np.diff(saves) <= 0):
        raise InputError(f"saves: got {list(saves)}, expected increasing steps from 0 to {steps}.")
    return tuple(saves)


@lru_cache(maxsize=64)
def _in_equal_ratios(steps: int, count: int) -> tuple[int, ...]:
    """Step 0, and from 1 to the last `count` - 1 in equal ratios, those that round alike once."""
    spans = max(count - 2, 1)
    shares = (1 - Fraction(at, spans) for at in range(count - 1))
    # Rounded from numbers that are the same on every machine.
    return (0, *sorted({round(between(1, steps, share, is_log=True)) for share in shares}))
