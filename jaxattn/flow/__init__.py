"""Continuous limits of training, one a file, and `make_flow`, which solves any of them."""

from jaxattn.flow.legs import FlowCarry, make_flow_legs, stable_step
from jaxattn.flow.limit import Equation, Ground, Limit
from jaxattn.flow.limits import LIMITS, limit_for, limits_of, optimiser_of
from jaxattn.flow.making import make_flow
from jaxattn.flow.stops import Stop, focus_reached, stationary

__all__ = [
    "LIMITS",
    "Equation",
    "FlowCarry",
    "Ground",
    "Limit",
    "Stop",
    "focus_reached",
    "limit_for",
    "limits_of",
    "make_flow",
    "make_flow_legs",
    "optimiser_of",
    "stable_step",
    "stationary",
]
