"""Continuous limits of training, one a file, and `make_flow`, which solves any of them."""

from jaxattn.flow.events import Stop, focus_reached, stationary
from jaxattn.flow.flow import make_flow
from jaxattn.flow.limits.base import Limit, LimitODE, RunContext
from jaxattn.flow.limits.registry import LIMITS, limit_for, limits_of, optimiser_of

__all__ = [
    "LIMITS",
    "Limit",
    "LimitODE",
    "RunContext",
    "Stop",
    "focus_reached",
    "limit_for",
    "limits_of",
    "make_flow",
    "optimiser_of",
    "stationary",
]
