"""Learning-rate schedules: functions of the share of a run that is over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Shaped

from jaxattn.core.contracts import Hyper

__all__ = ["SCHEDULES", "ByShare", "Schedule"]

_FINE = 1 << 12
"""Points by which a schedule is averaged."""

Schedule: TypeAlias = Callable[[Hyper, int], optax.Schedule]
"""``schedule(hyper, steps) -> (step -> learning rate)``, of a run of so many steps."""


@dataclass(frozen=True)
class ByShare:
    """A `Schedule` that knows of a step only which share of the run it comes after.

    So runs at all learning rates can end at the same time, and stay near one continuous limit.
    Those of optax want the number of steps as a Python integer; here it may be traced, as a run to
    a given time has steps of its own number.
    """

    name: str
    factor: Callable[[Any, Any], Any]
    """``factor(step, steps)``: the learning rate at a step over the first one, of scalars or arrays
    of one shape."""

    @cached_property
    def excess(self) -> float:
        """By how many steps at its mean rate a run gets further than its limit does.

        The sum of what its steps advance is, over the first one, that of ``steps`` at the mean rate
        and half of how much the rate falls, up to a term in 1 / ``steps`` (Euler and Maclaurin).
        """
        fine = np.arange(_FINE)
        with jax.ensure_compile_time_eval():
            mean = np.mean(np.broadcast_to(self.factor(fine + 0.5, _FINE), fine.shape))
            first, last = (float(self.factor(np.asarray(at), 1)) for at in (0.0, 1.0))
        return (first - last) / (2 * float(mean))

    def __call__(
        self, hyper: Hyper, steps: Shaped[Array, ""] | int
    ) -> Callable[[Shaped[Array, ""]], Float[Array, ""]]:
        """The learning rate by step; from the last step on it stays what it is there."""

        def rate(step: Shaped[Array, ""]) -> Float[Array, ""]:
            return hyper["learning_rate"] * self.factor(jnp.minimum(step, steps), steps)

        return rate


SCHEDULES: Mapping[str, Schedule] = {
    schedule.name: schedule
    for schedule in (
        ByShare("constant", lambda step, steps: jnp.ones(())),
        ByShare("cosine", lambda step, steps: 0.5 * (1 + jnp.cos(jnp.pi * step / steps))),
        ByShare("linear", lambda step, steps: 1 - step / steps),
        ByShare("exponential", lambda step, steps: 0.01 ** (step / steps)),
    )
}
"""The schedules that ship, by name: those of optax, to 0, or to a hundredth."""
