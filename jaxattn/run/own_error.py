"""A flow's own error: how far one of its rows is from itself, solved ten times as closely.

The share of the flow's tolerances that a row is solved at goes in with its hyperparameters, traced,
so that the program that solved all rows solves one of them again, and nothing is compiled for it.
"""

import numpy as np
from jaxtyping import Float

from jaxattn.flow import LIMITS
from jaxattn.integrate.solution import least_tolerance
from jaxattn.study.groups import Group

__all__ = ["CLOSER", "SHARE", "distance_between", "is_known"]

CLOSER = 0.1
"""The share of both tolerances at which a row is solved again."""

SHARE = "share of the tolerances"
"""Where a row of a flow has it; no hyperparameter bears a name with spaces."""


def is_known(group: Group) -> bool:
    """Whether the flows of a group are solved again: those held against training.

    Paths with noise have no tolerance, and there is none below the reach of rounding.
    """
    settings, limit = group.study.settings, LIMITS.get(group.dynamics)
    if not settings.against or settings.times is not None or limit is None or limit.stochastic:
        return False
    return bool(CLOSER * settings.flow_rtol >= least_tolerance(group.problem.precision))


def distance_between(
    one: Float[np.ndarray, "*row save coordinate"],
    other: Float[np.ndarray, "*#row #save coordinate"],
) -> Float[np.ndarray, "*row save"]:
    """How far two positions are apart, as training is from its limits."""
    return np.sqrt(np.sum((one - other) ** 2, axis=-1))
