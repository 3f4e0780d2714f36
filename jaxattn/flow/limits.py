"""The continuous limits by name, and which of them an optimiser has."""

from collections.abc import Mapping
from typing import Any

from jaxattn.contracts import InputError
from jaxattn.descent import SCHEDULES, Optimiser
from jaxattn.flow.gradient import FLOW
from jaxattn.flow.heavy_ball import HEAVY_BALL
from jaxattn.flow.limit import Limit
from jaxattn.flow.modified import MODIFIED, THIRD_ORDER
from jaxattn.names import resolve

__all__ = ["LIMITS", "limit_for", "limits_of"]

LIMITS: Mapping[str, Limit] = {
    limit.name: limit for limit in (FLOW, MODIFIED, THIRD_ORDER, HEAVY_BALL)
}


def limits_of(optimiser: Optimiser) -> tuple[str, ...]:
    """Names of the limits that training with this optimiser has."""
    return tuple(name for name, one in LIMITS.items() if _is_of(one, optimiser))


def _is_of(limit: Limit, optimiser: Optimiser) -> bool:
    return not limit.families or optimiser.family in limit.families


def limit_for(asked: Any, optimiser: Optimiser) -> Limit:
    """A limit by name or itself, for training with this optimiser.

    Raises:
        InputError: an unknown name; a limit of other optimisers; a learning rate that changes
            from step to step, which only gradient flow follows.
    """
    limit = resolve("limit", LIMITS, asked)
    if not _is_of(limit, optimiser):
        known = ", ".join(limits_of(optimiser))
        raise InputError(
            f"{limit.name}: got the optimiser {optimiser.name!r}, expected "
            f"{' or '.join(limit.families)}; of {optimiser.name} these limits are known: {known}."
        )
    if limit is not FLOW and optimiser.schedule is not SCHEDULES["constant"]:
        raise InputError(
            f"{limit.name}: got a learning rate that changes during the run, expected the schedule "
            "constant; of the limits only flow follows a schedule."
        )
    return limit
